-- Money of a project until the end of a step in which it rose, by the facts known at an instant.
-- with    rated_step
-- with    usage_step_cost
-- column  project     VARCHAR        : that pays; (idle) is what nobody held, (unattributed) what no run could be given
-- column  provider    VARCHAR        : of a hosted API; own is everything else
-- column  kind        VARCHAR        : of cost
-- column  currency    VARCHAR        : never added to another
-- column  at          TIMESTAMP      : end of the step, UTC, without zone
-- column  amount      DECIMAL(38,9)  : all until then; never less than before, at the end what the lines add up to
SELECT
    t.project AS project,
    t.provider AS provider,
    t.kind AS kind,
    t.currency AS currency,
    t.at AS at,
    cast(
        cast(
            round(
                greatest(
                    min(t.total) OVER (
                        PARTITION BY t.project, t.provider, t.kind, t.currency
                        ORDER BY t.at
                        ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
                    ),
                    0
                ),
                0
            ) AS DECIMAL(29, 0)
        ) * cast(0.000000001 AS DECIMAL(9, 9)) AS DECIMAL(38, 9)
    ) AS amount
FROM (
    SELECT
        u.project,
        u.provider,
        u.kind,
        u.currency,
        u.at,
        sum(sum(u.amount)) OVER (
            PARTITION BY u.project, u.provider, u.kind, u.currency
            ORDER BY u.at
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS total
    FROM (
        SELECT
            CASE e.owner
                WHEN 'idle' THEN '(idle)'
                WHEN 'unattributed' THEN '(unattributed)'
                ELSE r.project
            END AS project,
            'own' AS provider,
            e.kind,
            e.currency,
            e.at,
            e.amount
        FROM rated_step AS e
        LEFT JOIN run AS r ON e.run_id = r.id
        WHERE e.basis IS NULL
        UNION ALL
        SELECT
            coalesce(r.project, c.project) AS project,
            c.provider,
            c.kind,
            c.currency,
            c.at,
            c.amount
        FROM usage_step_cost AS c
        LEFT JOIN run AS r ON c.run_id = r.id
        WHERE c.amount IS NOT NULL
    ) AS u
    GROUP BY
        u.project,
        u.provider,
        u.kind,
        u.currency,
        u.at
) AS t
ORDER BY
    t.project,
    t.provider,
    t.kind,
    t.currency,
    t.at

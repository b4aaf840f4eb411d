-- CO2e of a project until the end of a step in which it rose, by the facts known at an instant.
-- with    rated_step
-- column  project     VARCHAR        : that pays; (idle) is what nobody held, (unattributed) what no run could be given
-- column  kind        VARCHAR        : electricity, of jobs of providers hosted; and with _overhead
-- column  basis       VARCHAR        : location or market; never to be added up
-- column  at          TIMESTAMP      : end of the step, UTC, without zone
-- column  amount      DECIMAL(38,9)  : all until then; never less than before, at the end what the lines add up to
SELECT
    t.project AS project,
    t.kind AS kind,
    t.basis AS basis,
    t.at AS at,
    cast(
        cast(
            round(
                greatest(
                    min(t.total) OVER (
                        PARTITION BY t.project, t.kind, t.basis
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
        u.kind,
        u.basis,
        u.at,
        sum(sum(u.amount)) OVER (
            PARTITION BY u.project, u.kind, u.basis
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
            e.kind,
            e.basis,
            e.at,
            e.amount
        FROM rated_step AS e
        LEFT JOIN run AS r ON e.run_id = r.id
        WHERE e.basis IS NOT NULL
    ) AS u
    GROUP BY
        u.project,
        u.kind,
        u.basis,
        u.at
) AS t
ORDER BY
    t.project,
    t.kind,
    t.basis,
    t.at

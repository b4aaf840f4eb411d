-- Money of a run until the end of a step in which it rose, since its start, by the facts known at an instant.
-- with    rated_step
-- with    usage_step_cost
-- with    lived_run
-- column  run         VARCHAR        : of the run
-- column  kind        VARCHAR        : of cost
-- column  currency    VARCHAR        : never added to another
-- column  since       TIMESTAMP      : start of the step in which the run began
-- column  until       TIMESTAMP      : when its series end; null while it runs
-- column  at          TIMESTAMP      : end of the step, UTC, without zone
-- column  amount      DECIMAL(38,9)  : all until then; never less than before, at the end what the lines add up to
SELECT
    t.run AS run,
    t.kind AS kind,
    t.currency AS currency,
    t.since AS since,
    t.until AS until,
    t.at AS at,
    cast(
        cast(
            round(
                greatest(
                    min(t.total) OVER (
                        PARTITION BY t.run, t.kind, t.currency
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
        u.run,
        u.kind,
        u.currency,
        u.since,
        u.until,
        u.at,
        sum(sum(u.amount)) OVER (
            PARTITION BY u.run, u.kind, u.currency
            ORDER BY u.at
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS total
    FROM (
        SELECT
            l.run_id AS run,
            e.kind,
            e.currency,
            l.since,
            l.until,
            e.at,
            e.amount
        FROM rated_step AS e
        INNER JOIN lived_run AS l ON e.run_id = l.run_id
        WHERE e.basis IS NULL
        UNION ALL
        SELECT
            l.run_id AS run,
            c.kind,
            c.currency,
            l.since,
            l.until,
            c.at,
            c.amount
        FROM usage_step_cost AS c
        INNER JOIN lived_run AS l ON c.run_id = l.run_id
        WHERE c.amount IS NOT NULL
    ) AS u
    GROUP BY
        u.run,
        u.kind,
        u.currency,
        u.since,
        u.until,
        u.at
) AS t
ORDER BY
    t.run,
    t.kind,
    t.currency,
    t.at

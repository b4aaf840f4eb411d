-- Steps of a run until the end of a step of time in which its job marked some.
-- with    run_steps
-- with    lived_run
-- column  run         VARCHAR        : of the run
-- column  since       TIMESTAMP      : start of the step in which the run began
-- column  until       TIMESTAMP      : when its series end; null while it runs
-- column  at          TIMESTAMP      : end of the step, UTC, without zone
-- column  amount      DECIMAL(38,6)  : all until then; never less than before, at the end what the lines add up to
SELECT
    t.run AS run,
    t.since AS since,
    t.until AS until,
    t.at AS at,
    cast(
        min(t.total) OVER (
            PARTITION BY t.run
            ORDER BY t.at
            ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
        ) AS DECIMAL(38, 6)
    ) AS amount
FROM (
    SELECT
        u.run,
        u.since,
        u.until,
        u.at,
        sum(sum(u.amount)) OVER (
            PARTITION BY u.run
            ORDER BY u.at
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS total
    FROM (
        SELECT
            l.run_id AS run,
            l.since,
            l.until,
            m.at,
            cast(m.more AS DECIMAL(38, 6)) AS amount
        FROM run_steps AS m
        INNER JOIN lived_run AS l ON m.run_id = l.run_id
    ) AS u
    GROUP BY
        u.run,
        u.since,
        u.until,
        u.at
) AS t
ORDER BY
    t.run,
    t.at

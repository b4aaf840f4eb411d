-- Energy of a run until the end of a step in which it rose, since its start.
-- with    step_line
-- with    device_shown
-- with    lived_run
-- column  run         VARCHAR        : of the run
-- column  component   VARCHAR        : of the devices
-- column  method      VARCHAR        : how it is known
-- column  since       TIMESTAMP      : start of the step in which the run began
-- column  until       TIMESTAMP      : when its series end; null while it runs
-- column  at          TIMESTAMP      : end of the step, UTC, without zone
-- column  amount      DECIMAL(24,3)  : all until then; never less than before, at the end what the lines add up to
SELECT
    t.run AS run,
    t.component AS component,
    t.method AS method,
    t.since AS since,
    t.until AS until,
    t.at AS at,
    cast(
        cast(
            greatest(
                min(t.total) OVER (
                    PARTITION BY t.run, t.component, t.method
                    ORDER BY t.at
                    ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
                ),
                0
            ) AS DECIMAL(20, 0)
        ) * cast(0.001 AS DECIMAL(4, 3)) AS DECIMAL(24, 3)
    ) AS amount
FROM (
    SELECT
        u.run,
        u.component,
        u.method,
        u.since,
        u.until,
        u.at,
        sum(sum(u.amount)) OVER (
            PARTITION BY u.run, u.component, u.method
            ORDER BY u.at
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS total
    FROM (
        SELECT
            l.run_id AS run,
            d.component,
            e.method,
            l.since,
            l.until,
            e.at,
            e.energy_mj AS amount
        FROM step_line AS e
        INNER JOIN lived_run AS l ON e.run_id = l.run_id
        INNER JOIN device_shown AS d ON e.device_id = d.device_id
        WHERE d.component <> 'hosted'
    ) AS u
    GROUP BY
        u.run,
        u.component,
        u.method,
        u.since,
        u.until,
        u.at
) AS t
ORDER BY
    t.run,
    t.component,
    t.method,
    t.at

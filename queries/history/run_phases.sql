-- Energy of a run by phase until the end of a step of time in which the next one began, or the run ended.
-- with    run_stretch
-- with    lived_run
-- column  run         VARCHAR        : of the run
-- column  phase       VARCHAR        : as the job marks it; (none) is the time without one
-- column  since       TIMESTAMP      : start of the step in which the run began
-- column  until       TIMESTAMP      : when its series end; null while it runs
-- column  at          TIMESTAMP      : end of the step, UTC, without zone
-- column  amount      DECIMAL(24,3)  : all until then; never less than before, at the end what the lines add up to
SELECT
    t.run AS run,
    t.phase AS phase,
    t.since AS since,
    t.until AS until,
    t.at AS at,
    cast(
        cast(
            greatest(
                min(t.total) OVER (
                    PARTITION BY t.run, t.phase
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
        u.phase,
        u.since,
        u.until,
        u.at,
        sum(sum(u.amount)) OVER (
            PARTITION BY u.run, u.phase
            ORDER BY u.at
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS total
    FROM (
        SELECT
            l.run_id AS run,
            s.phase,
            l.since,
            l.until,
            s.at,
            s.energy_mj AS amount
        FROM run_stretch AS s
        INNER JOIN lived_run AS l ON s.run_id = l.run_id
    ) AS u
    GROUP BY
        u.run,
        u.phase,
        u.since,
        u.until,
        u.at
) AS t
ORDER BY
    t.run,
    t.phase,
    t.at

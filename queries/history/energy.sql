-- Energy of a project until the end of a step in which it rose.
-- with    step_line
-- with    device_shown
-- column  project     VARCHAR        : that pays; (idle) is what nobody held, (unattributed) what no run could be given
-- column  component   VARCHAR        : of the devices; hosted is of jobs of providers
-- column  method      VARCHAR        : how it is known
-- column  at          TIMESTAMP      : end of the step, UTC, without zone
-- column  amount      DECIMAL(24,3)  : all until then; never less than before, at the end what the lines add up to
SELECT
    t.project AS project,
    t.component AS component,
    t.method AS method,
    t.at AS at,
    cast(
        cast(
            greatest(
                min(t.total) OVER (
                    PARTITION BY t.project, t.component, t.method
                    ORDER BY t.at
                    ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
                ),
                0
            ) AS DECIMAL(20, 0)
        ) * cast(0.001 AS DECIMAL(4, 3)) AS DECIMAL(24, 3)
    ) AS amount
FROM (
    SELECT
        u.project,
        u.component,
        u.method,
        u.at,
        sum(sum(u.amount)) OVER (
            PARTITION BY u.project, u.component, u.method
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
            d.component,
            e.method,
            e.at,
            e.energy_mj AS amount
        FROM step_line AS e
        INNER JOIN device_shown AS d ON e.device_id = d.device_id
        LEFT JOIN run AS r ON e.run_id = r.id
    ) AS u
    GROUP BY
        u.project,
        u.component,
        u.method,
        u.at
) AS t
ORDER BY
    t.project,
    t.component,
    t.method,
    t.at

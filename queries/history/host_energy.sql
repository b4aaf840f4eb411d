-- Energy of processors or memory of the host until the end of a step in which they were metered.
-- with    step_line
-- with    device_shown
-- column  component   VARCHAR        : cpu or ram
-- column  method      VARCHAR        : of the device
-- column  at          TIMESTAMP      : end of the step, UTC, without zone
-- column  amount      DECIMAL(24,3)  : all until then; never less than before, at the end what the lines add up to
SELECT
    t.component AS component,
    t.method AS method,
    t.at AS at,
    cast(
        cast(
            greatest(
                min(t.total) OVER (
                    PARTITION BY t.component, t.method
                    ORDER BY t.at
                    ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
                ),
                0
            ) AS DECIMAL(20, 0)
        ) * cast(0.001 AS DECIMAL(4, 3)) AS DECIMAL(24, 3)
    ) AS amount
FROM (
    SELECT
        u.component,
        u.method,
        u.at,
        sum(sum(u.amount)) OVER (
            PARTITION BY u.component, u.method
            ORDER BY u.at
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS total
    FROM (
        SELECT
            d.component,
            d.method,
            e.at,
            e.energy_mj AS amount
        FROM step_line AS e
        INNER JOIN device_shown AS d ON e.device_id = d.device_id
        WHERE d.component IN ('cpu', 'ram')
    ) AS u
    GROUP BY
        u.component,
        u.method,
        u.at
) AS t
ORDER BY
    t.component,
    t.method,
    t.at

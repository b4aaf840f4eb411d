-- Energy of a GPU until the end of a step in which it was metered, whoever used it.
-- with    step_line
-- with    device_shown
-- column  gpu         VARCHAR        : as NVML numbers it
-- column  uuid        VARCHAR        : of the GPU
-- column  at          TIMESTAMP      : end of the step, UTC, without zone
-- column  amount      DECIMAL(24,3)  : all until then; never less than before, at the end what the lines add up to
SELECT
    t.gpu AS gpu,
    t.uuid AS uuid,
    t.at AS at,
    cast(
        cast(
            greatest(
                min(t.total) OVER (
                    PARTITION BY t.gpu, t.uuid
                    ORDER BY t.at
                    ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
                ),
                0
            ) AS DECIMAL(20, 0)
        ) * cast(0.001 AS DECIMAL(4, 3)) AS DECIMAL(24, 3)
    ) AS amount
FROM (
    SELECT
        u.gpu,
        u.uuid,
        u.at,
        sum(sum(u.amount)) OVER (
            PARTITION BY u.gpu, u.uuid
            ORDER BY u.at
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS total
    FROM (
        SELECT
            d.gpu,
            d.device_id AS uuid,
            e.at,
            e.energy_mj AS amount
        FROM step_line AS e
        INNER JOIN device_shown AS d ON e.device_id = d.device_id
        WHERE d.component = 'gpu'
    ) AS u
    GROUP BY
        u.gpu,
        u.uuid,
        u.at
) AS t
ORDER BY
    t.gpu,
    t.uuid,
    t.at

-- Mean power of a GPU in a step in which it was metered.
-- with    step_line
-- with    device_shown
-- column  gpu     VARCHAR    : as NVML numbers it
-- column  uuid    VARCHAR    : of the GPU
-- column  at      TIMESTAMP  : end of the step, UTC, without zone
-- column  amount  DOUBLE     : W
SELECT
    d.gpu AS gpu,
    d.device_id AS uuid,
    e.at AS at,
    greatest(cast(sum(e.energy_mj) AS DOUBLE) * 1000.0 / cast(max(e.span_us) AS DOUBLE), 0.0) AS amount
FROM step_line AS e
INNER JOIN device_shown AS d ON e.device_id = d.device_id
WHERE
    d.component = 'gpu'
    AND e.span_us > 0
GROUP BY
    d.gpu,
    d.device_id,
    e.at
ORDER BY
    d.gpu,
    d.device_id,
    e.at

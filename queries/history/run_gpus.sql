-- A GPU that a run used in a span of time, from the first step to the last.
-- with    step_line
-- with    device_shown
-- with    lived_run
-- column  run     VARCHAR    : of the run
-- column  gpu     VARCHAR    : as NVML numbers it
-- column  uuid    VARCHAR    : of the GPU
-- column  at      TIMESTAMP  : end of the first step, UTC, without zone
-- column  until   TIMESTAMP  : end of the last step
-- column  amount  INTEGER    : 1
SELECT
    l.run_id AS run,
    d.gpu AS gpu,
    d.device_id AS uuid,
    min(e.at) AS at,
    max(e.at) AS until,
    1 AS amount
FROM step_line AS e
INNER JOIN lived_run AS l ON e.run_id = l.run_id
INNER JOIN device_shown AS d ON e.device_id = d.device_id
WHERE d.component = 'gpu'
GROUP BY
    l.run_id,
    d.gpu,
    d.device_id
ORDER BY
    l.run_id,
    d.gpu,
    d.device_id

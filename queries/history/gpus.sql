-- A GPU that was metered in a span of time, and when it was first and last.
-- with    step_line
-- with    device_shown
-- column  gpu             VARCHAR    : as NVML numbers it
-- column  uuid            VARCHAR    : of the GPU
-- column  name            VARCHAR    : model
-- column  pci_bus_id      VARCHAR    : empty if unknown
-- column  driver_version  VARCHAR    : the newest told, empty if unknown
-- column  method          VARCHAR    : what its energy is at best
-- column  simulated       VARCHAR    : true or false
-- column  at              TIMESTAMP  : end of the first step, UTC, without zone
-- column  until           TIMESTAMP  : just after the end of the last step
-- column  amount          INTEGER    : 1
SELECT
    d.gpu AS gpu,
    d.device_id AS uuid,
    d.name AS name,
    d.pci_bus_id AS pci_bus_id,
    coalesce(max(n.driver_version), '') AS driver_version,
    d.method AS method,
    CASE WHEN d.simulated THEN 'true' ELSE 'false' END AS simulated,
    min(e.at) AS at,
    max(e.at) + INTERVAL '1' MICROSECOND AS until,
    1 AS amount
FROM step_line AS e
INNER JOIN device_shown AS d ON e.device_id = d.device_id
LEFT JOIN (
    SELECT v.driver_version
    FROM node AS v
    WHERE
        v.driver_version IS NOT NULL
        AND v.recorded_at <= $as_of
    ORDER BY v.recorded_at DESC
    LIMIT 1
) AS n ON TRUE
WHERE d.component = 'gpu'
GROUP BY
    d.gpu,
    d.device_id,
    d.name,
    d.pci_bus_id,
    d.method,
    d.simulated
ORDER BY
    d.gpu,
    d.device_id

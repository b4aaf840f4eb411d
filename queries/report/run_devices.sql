-- IT energy of a run on one device, in J.
-- param   run_id    VARCHAR         : of the run
-- param   as_of     TIMESTAMP       : what was known then
-- param   from      TIMESTAMP       : first hour
-- param   to        TIMESTAMP       : hour after the last
-- with    energy_line
-- with    device_now
-- column  device_id    VARCHAR        : UUID of a GPU
-- column  component    VARCHAR        : gpu, cpu or ram
-- column  name         VARCHAR        : model
-- column  simulated    BOOLEAN        : not real
-- column  energy_j     DECIMAL(24,3)  : corrections included
-- column  low_j        DECIMAL(24,3)  : lower bound
-- column  high_j       DECIMAL(24,3)  : upper bound
-- column  measured_j   DECIMAL(24,3)  : the part that was measured
-- column  duration_us  DECIMAL(38,0)  : time metered
-- column  covered_us   DECIMAL(38,0)  : time known
-- column  method       VARCHAR        : the weakest
SELECT
    l.device_id AS device_id,
    d.component AS component,
    d.name AS name,
    coalesce(d.simulated, FALSE) AS simulated,
    cast(sum(l.energy_mj) * cast(0.001 AS DECIMAL(4, 3)) AS DECIMAL(24, 3)) AS energy_j,
    cast(sum(l.low_mj) * cast(0.001 AS DECIMAL(4, 3)) AS DECIMAL(24, 3)) AS low_j,
    cast(sum(l.high_mj) * cast(0.001 AS DECIMAL(4, 3)) AS DECIMAL(24, 3)) AS high_j,
    cast(sum(l.measured_mj) * cast(0.001 AS DECIMAL(4, 3)) AS DECIMAL(24, 3)) AS measured_j,
    sum(l.duration_us) AS duration_us,
    sum(l.covered_us) AS covered_us,
    CASE max(l.weakness)
        WHEN 0 THEN 'measured'
        WHEN 1 THEN 'sourced'
        WHEN 2 THEN 'modelled'
        WHEN 3 THEN 'assumed'
    END AS method
FROM energy_line AS l
LEFT JOIN device_now AS d ON l.device_id = d.device_id
WHERE l.run_id = $run_id
GROUP BY
    l.device_id,
    d.component,
    d.name,
    d.simulated
ORDER BY
    d.component,
    l.device_id

-- IT energy of a run: of each component, and of all in the row without one; in J.
-- param   run_id    VARCHAR         : of the run
-- param   as_of     TIMESTAMP       : what was known then
-- param   from      TIMESTAMP       : first hour
-- param   to        TIMESTAMP       : hour after the last
-- with    energy_line
-- with    device_now
-- column  component    VARCHAR        : null is all
-- column  energy_j     DECIMAL(24,3)  : corrections included
-- column  low_j        DECIMAL(24,3)  : lower bound
-- column  high_j       DECIMAL(24,3)  : upper bound
-- column  measured_j   DECIMAL(24,3)  : the part that was measured
-- column  duration_us  DECIMAL(38,0)  : device time metered
-- column  covered_us   DECIMAL(38,0)  : device time known
-- column  method       VARCHAR        : the weakest
-- column  simulated    BOOLEAN        : any device is
SELECT
    d.component AS component,
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
    END AS method,
    coalesce(bool_or(d.simulated), FALSE) AS simulated
FROM energy_line AS l
LEFT JOIN device_now AS d ON l.device_id = d.device_id
WHERE l.run_id = $run_id
GROUP BY GROUPING SETS ((d.component), ())
ORDER BY d.component

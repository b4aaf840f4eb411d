-- One row: facility energy of a run (IT times PUE) in J, and how many energy lines have a PUE.
-- param   run_id    VARCHAR         : of the run
-- param   as_of     TIMESTAMP       : what was known then
-- param   from      TIMESTAMP       : first hour
-- param   to        TIMESTAMP       : hour after the last
-- with    energy_line
-- with    device_now
-- with    site_factor
-- column  energy_j    DECIMAL(24,3)  : IT and overhead
-- column  low_j       DECIMAL(24,3)  : lower bound
-- column  high_j      DECIMAL(24,3)  : upper bound
-- column  overhead_j  DECIMAL(24,3)  : the overhead's part
-- column  method      VARCHAR        : the weakest
-- column  lines       BIGINT         : energy lines
-- column  gpu_lines   BIGINT         : of them, of GPUs
-- column  with_pue    BIGINT         : energy lines that have a PUE
SELECT
    cast(round(sum(l.energy_mj * (1 + l.rate)), 0) * cast(0.001 AS DECIMAL(4, 3)) AS DECIMAL(24, 3)) AS energy_j,
    cast(round(sum(l.low_mj * (1 + l.rate_low)), 0) * cast(0.001 AS DECIMAL(4, 3)) AS DECIMAL(24, 3)) AS low_j,
    cast(round(sum(l.high_mj * (1 + l.rate_high)), 0) * cast(0.001 AS DECIMAL(4, 3)) AS DECIMAL(24, 3)) AS high_j,
    cast(round(sum(l.energy_mj * l.rate), 0) * cast(0.001 AS DECIMAL(4, 3)) AS DECIMAL(24, 3)) AS overhead_j,
    CASE max(l.weakness)
        WHEN 0 THEN 'measured'
        WHEN 1 THEN 'sourced'
        WHEN 2 THEN 'modelled'
        WHEN 3 THEN 'assumed'
    END AS method,
    count(*) AS lines,
    count(CASE WHEN l.component = 'gpu' THEN 1 END) AS gpu_lines,
    count(l.factor_id) AS with_pue
FROM (
    SELECT
        d.component,
        e.energy_mj,
        e.low_mj,
        e.high_mj,
        cast(p.amount - 1 AS DECIMAL(20, 15)) AS rate,
        cast(p.low - 1 AS DECIMAL(20, 15)) AS rate_low,
        cast(p.high - 1 AS DECIMAL(20, 15)) AS rate_high,
        p.factor_id,
        greatest(e.weakness, p.weakness) AS weakness
    FROM energy_line AS e
    LEFT JOIN device_now AS d ON e.device_id = d.device_id
    LEFT JOIN site_factor AS p
        ON
            e.site_id = p.site_id
            AND e.hour = p.hour
            AND e.quarter = p.quarter
            AND p.kind = 'pue'
    WHERE e.run_id = $run_id
) AS l

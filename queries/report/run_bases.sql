-- How many energy lines a run has, and how many of them have a PUE: whether its facility is in its figures.
-- param   as_of     TIMESTAMP  : what was known then
-- param   from      TIMESTAMP  : first hour
-- param   to        TIMESTAMP  : hour after the last
-- with    energy_line
-- with    site_factor
-- column  run_id    VARCHAR    : of the run
-- column  lines     BIGINT     : energy lines
-- column  with_pue  BIGINT     : of them, those that have a PUE
SELECT
    e.run_id AS run_id,
    count(*) AS lines,
    count(p.factor_id) AS with_pue
FROM energy_line AS e
LEFT JOIN site_factor AS p
    ON
        e.site_id = p.site_id
        AND e.hour = p.hour
        AND e.quarter = p.quarter
        AND p.kind = 'pue'
WHERE e.run_id IS NOT NULL
GROUP BY e.run_id
ORDER BY e.run_id

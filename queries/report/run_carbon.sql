-- Location-based CO2e of a run in g: of its IT energy, of the overhead, and of both in the row without a kind.
-- param   run_id    VARCHAR         : of the run
-- param   as_of     TIMESTAMP       : what was known then
-- param   from      TIMESTAMP       : first hour
-- param   to        TIMESTAMP       : hour after the last
-- with    carbon_line
-- column  kind    VARCHAR        : location or location_overhead; null is both
-- column  grams   DECIMAL(38,9)  : CO2e
-- column  low     DECIMAL(38,9)  : lower bound
-- column  high    DECIMAL(38,9)  : upper bound
-- column  method  VARCHAR        : the weakest
SELECT
    l.kind AS kind,
    cast(cast(round(sum(l.amount), 0) AS DECIMAL(29, 0)) * cast(0.000000001 AS DECIMAL(9, 9)) AS DECIMAL(38, 9))
        AS grams,
    cast(cast(round(sum(l.low), 0) AS DECIMAL(29, 0)) * cast(0.000000001 AS DECIMAL(9, 9)) AS DECIMAL(38, 9)) AS low,
    cast(cast(round(sum(l.high), 0) AS DECIMAL(29, 0)) * cast(0.000000001 AS DECIMAL(9, 9)) AS DECIMAL(38, 9)) AS high,
    CASE max(l.weakness)
        WHEN 0 THEN 'measured'
        WHEN 1 THEN 'sourced'
        WHEN 2 THEN 'modelled'
        WHEN 3 THEN 'assumed'
    END AS method
FROM carbon_line AS l
WHERE l.run_id = $run_id
GROUP BY GROUPING SETS ((l.kind), ())
ORDER BY l.kind

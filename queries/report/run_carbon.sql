-- CO2e of a run in g on one basis: of one kind of line, and of all of that basis in the row without a kind.
-- param   run_id    VARCHAR         : of the run
-- param   as_of     TIMESTAMP       : what was known then
-- param   from      TIMESTAMP       : first hour
-- param   to        TIMESTAMP       : hour after the last
-- with    carbon_line
-- column  basis   VARCHAR        : location, market, tnd or embodied; never to be added up
-- column  kind    VARCHAR        : of line; null is all of the basis
-- column  grams   DECIMAL(38,9)  : CO2e
-- column  low     DECIMAL(38,9)  : lower bound
-- column  high    DECIMAL(38,9)  : upper bound
-- column  method  VARCHAR        : the weakest
-- column  lines   BIGINT         : how many lines this is
SELECT
    l.basis AS basis,
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
    END AS method,
    count(*) AS lines
FROM carbon_line AS l
WHERE l.run_id = $run_id
GROUP BY GROUPING SETS ((l.basis, l.kind), (l.basis))
ORDER BY
    l.basis,
    l.kind

-- One row: water of a run in litres, and how many energy lines have a WUE.
-- param   run_id    VARCHAR         : of the run
-- param   as_of     TIMESTAMP       : what was known then
-- param   from      TIMESTAMP       : first hour
-- param   to        TIMESTAMP       : hour after the last
-- with    rated_line
-- column  litres  DECIMAL(38,9)  : null without a WUE
-- column  low     DECIMAL(38,9)  : lower bound
-- column  high    DECIMAL(38,9)  : upper bound
-- column  method  VARCHAR        : the weakest
-- column  lines   BIGINT         : energy lines that have a WUE
SELECT
    cast(cast(round(sum(l.amount), 0) AS DECIMAL(29, 0)) * cast(0.000000001 AS DECIMAL(9, 9)) AS DECIMAL(38, 9))
        AS litres,
    cast(cast(round(sum(l.low), 0) AS DECIMAL(29, 0)) * cast(0.000000001 AS DECIMAL(9, 9)) AS DECIMAL(38, 9)) AS low,
    cast(cast(round(sum(l.high), 0) AS DECIMAL(29, 0)) * cast(0.000000001 AS DECIMAL(9, 9)) AS DECIMAL(38, 9)) AS high,
    CASE max(l.weakness)
        WHEN 0 THEN 'measured'
        WHEN 1 THEN 'sourced'
        WHEN 2 THEN 'modelled'
        WHEN 3 THEN 'assumed'
    END AS method,
    count(*) AS lines
FROM rated_line AS l
WHERE
    l.run_id = $run_id
    AND l.kind = 'water'

-- Money of a run, of one kind and in one currency, rounded once, to nine places.
-- param   run_id    VARCHAR         : of the run
-- param   as_of     TIMESTAMP       : what was known then
-- param   from      TIMESTAMP       : first hour
-- param   to        TIMESTAMP       : hour after the last
-- with    cost_line
-- column  kind      VARCHAR        : electricity, electricity_overhead or gpu_time
-- column  currency  VARCHAR        : never added to another
-- column  amount    DECIMAL(38,9)  : in the currency
-- column  low       DECIMAL(38,9)  : lower bound
-- column  high      DECIMAL(38,9)  : upper bound
-- column  method    VARCHAR        : the weakest
-- column  lines     BIGINT         : how many lines this is
SELECT
    l.kind AS kind,
    l.currency AS currency,
    cast(cast(round(sum(l.amount), 0) AS DECIMAL(29, 0)) * cast(0.000000001 AS DECIMAL(9, 9)) AS DECIMAL(38, 9))
        AS amount,
    cast(cast(round(sum(l.low), 0) AS DECIMAL(29, 0)) * cast(0.000000001 AS DECIMAL(9, 9)) AS DECIMAL(38, 9)) AS low,
    cast(cast(round(sum(l.high), 0) AS DECIMAL(29, 0)) * cast(0.000000001 AS DECIMAL(9, 9)) AS DECIMAL(38, 9)) AS high,
    CASE max(l.weakness)
        WHEN 0 THEN 'measured'
        WHEN 1 THEN 'sourced'
        WHEN 2 THEN 'modelled'
        WHEN 3 THEN 'assumed'
    END AS method,
    count(*) AS lines
FROM cost_line AS l
WHERE l.run_id = $run_id
GROUP BY
    l.kind,
    l.currency
ORDER BY
    l.kind,
    l.currency

-- Sum of all lines of one kind of a run, or of no run, exact.
-- with    every_line
-- column  run_id    VARCHAR        : what is summed over
-- column  kind      VARCHAR        : energy, or a kind of rated line
-- column  currency  VARCHAR        : null if no money
-- column  amount    DECIMAL(38,15) : mJ, or nano-units of money or grams; never rounded
-- column  low       DECIMAL(38,15) : lower bound
-- column  high      DECIMAL(38,15) : upper bound
-- column  method    VARCHAR        : the weakest
SELECT
    l.run_id AS run_id,
    l.kind AS kind,
    l.currency AS currency,
    sum(l.amount) AS amount,
    sum(l.low) AS low,
    sum(l.high) AS high,
    CASE max(l.weakness)
        WHEN 0 THEN 'measured'
        WHEN 1 THEN 'sourced'
        WHEN 2 THEN 'modelled'
        WHEN 3 THEN 'assumed'
    END AS method
FROM every_line AS l
GROUP BY
    l.run_id,
    l.kind,
    l.currency
ORDER BY
    l.run_id,
    l.kind,
    l.currency

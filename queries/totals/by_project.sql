-- Sum of all lines of one kind of a project, or of none, exact.
-- with    every_line
-- column  project   VARCHAR        : what is summed over
-- column  kind      VARCHAR        : energy, or a kind of rated line
-- column  currency  VARCHAR        : null if no money
-- column  amount    DECIMAL(38,15) : mJ, or nano-units of money or grams; never rounded
-- column  low       DECIMAL(38,15) : lower bound
-- column  high      DECIMAL(38,15) : upper bound
SELECT
    coalesce(r.project, l.project) AS project,
    l.kind AS kind,
    l.currency AS currency,
    sum(l.amount) AS amount,
    sum(l.low) AS low,
    sum(l.high) AS high
FROM (
    SELECT
        run_id,
        project,
        kind,
        currency,
        sum(amount) AS amount,
        sum(low) AS low,
        sum(high) AS high
    FROM every_line
    GROUP BY
        run_id,
        project,
        kind,
        currency
) AS l
LEFT JOIN run AS r ON l.run_id = r.id
GROUP BY
    coalesce(r.project, l.project),
    l.kind,
    l.currency
ORDER BY
    project,
    l.kind,
    l.currency

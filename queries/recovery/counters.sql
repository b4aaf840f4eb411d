-- A live counter's booked total.
-- column  name    VARCHAR         : of the metric
-- column  labels  VARCHAR         : JSON object
-- column  amount  DECIMAL(38,24)  : as shown last
SELECT
    name,
    labels,
    amount
FROM counter
ORDER BY
    name,
    labels

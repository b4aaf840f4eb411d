-- A live counter's booked total.
-- column  name    VARCHAR         : of the metric
-- column  labels  VARCHAR         : JSON object
-- column  amount  DECIMAL(38,24)  : as shown last
SELECT
    c.name AS name,
    c.labels AS labels,
    c.amount AS amount
FROM (
    SELECT
        *,
        row_number() OVER (PARTITION BY name, labels ORDER BY seq DESC) AS place
    FROM counter
) AS c
WHERE c.place = 1
ORDER BY
    c.name,
    c.labels

-- What requests to the model that a hosted run made have cost since, by currency.
-- param   as_of       TIMESTAMP      : what was known then
-- param   from        TIMESTAMP      : first hour
-- param   to          TIMESTAMP      : hour after the last
-- with    usage_cost
-- with    summed_model
-- column  run_id      VARCHAR        : of the run that made the model
-- column  currency    VARCHAR        : of the money; null where no price is known
-- column  amount      DECIMAL(38,9)  : of all requests, in the currency
-- column  requests    BIGINT         : how many had output, as long as each is told
-- column  is_summed   BOOLEAN        : some are told as a sum: how many is not known
SELECT
    t.run_id AS run_id,
    u.currency AS currency,
    cast(cast(round(sum(u.amount), 0) AS DECIMAL(29, 0)) * cast(0.000000001 AS DECIMAL(9, 9)) AS DECIMAL(38, 9))
        AS amount,
    cast(sum(CASE WHEN u.meter = 'output' THEN u.event_count ELSE 0 END) AS BIGINT) AS requests,
    count(s.model) > 0 AS is_summed
FROM usage_cost AS u
INNER JOIN (
    SELECT DISTINCT
        h.run_id,
        h.provider,
        h.tuned_model
    FROM hosted_job AS h
    WHERE
        h.recorded_at <= $as_of
        AND h.tuned_model IS NOT NULL
) AS t ON u.provider = t.provider AND u.model = t.tuned_model
LEFT JOIN summed_model AS s ON u.provider = s.provider AND u.model = s.model
WHERE
    u.kind = 'api_tokens'
    AND u.quantity IS NOT NULL
GROUP BY
    t.run_id,
    u.currency
ORDER BY
    t.run_id,
    u.currency

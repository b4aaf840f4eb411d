-- What requests to the model that a hosted run made have cost since, by currency.
-- param   run_id      VARCHAR        : of the run
-- param   as_of       TIMESTAMP      : what was known then
-- param   from        TIMESTAMP      : first hour
-- param   to          TIMESTAMP      : hour after the last
-- with    usage_cost
-- with    summed_model
-- column  model       VARCHAR        : the tuned model
-- column  currency    VARCHAR        : of the money
-- column  amount      DECIMAL(38,9)  : of all requests, in the currency
-- column  requests    BIGINT         : how many had output, as long as each is told
-- column  is_summed   BOOLEAN        : some are told as a sum: how many is not known
SELECT
    u.model AS model,
    u.currency AS currency,
    cast(cast(round(sum(u.amount), 0) AS DECIMAL(29, 0)) * cast(0.000000001 AS DECIMAL(9, 9)) AS DECIMAL(38, 9))
        AS amount,
    cast(sum(CASE WHEN u.meter = 'output' THEN u.event_count ELSE 0 END) AS BIGINT) AS requests,
    count(s.model) > 0 AS is_summed
FROM usage_cost AS u
INNER JOIN (
    SELECT DISTINCT
        h.provider,
        h.tuned_model
    FROM hosted_job AS h
    WHERE
        h.run_id = $run_id
        AND h.recorded_at <= $as_of
        AND h.tuned_model IS NOT NULL
) AS t ON u.provider = t.provider AND u.model = t.tuned_model
LEFT JOIN summed_model AS s ON u.provider = s.provider AND u.model = s.model
WHERE
    u.kind = 'api_tokens'
    AND u.amount IS NOT NULL
GROUP BY
    u.model,
    u.currency
ORDER BY u.currency

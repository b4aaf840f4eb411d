-- A deployment of a model that has hours of hosting, in the span or not.
-- param   as_of       TIMESTAMP  : what was known then
-- column  provider    VARCHAR    : who hosts
-- column  model       VARCHAR    : as the provider calls it
-- column  deployment  VARCHAR    : as the provider calls it; null if not told
SELECT DISTINCT
    provider AS provider,
    model AS model,
    -- its days have their numbers behind its name
    CASE WHEN source = 'hosting:' || provider THEN regexp_replace(event_id, ':[0-9]+$', '') END AS deployment
FROM usage_event
WHERE
    recorded_at <= $as_of
    AND meter = 'host_hour'
ORDER BY
    provider,
    model,
    deployment

-- A model of whose use some is told as a sum of requests, so that nobody knows how many there were.
-- param   from      TIMESTAMP  : first hour
-- param   to        TIMESTAMP  : hour after the last
-- with    usage_now
-- column  provider  VARCHAR    : who sold
-- column  model     VARCHAR    : as the provider calls it
SELECT DISTINCT
    u.provider AS provider,
    u.model AS model
FROM usage_now AS u
WHERE
    (
        -- a provider's own count by day, or counters of telemetry
        u.source IN ('openai-usage', 'fireworks-metrics')
        OR (u.source = 'otlp' AND u.event_id LIKE 'series:%')
    )
    AND u.meter NOT IN ('train_token', 'train_hour', 'gpu_second', 'host_hour', 'storage_gb_month')
    AND u.hour >= $from
    AND u.hour < $to

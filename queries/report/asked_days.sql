-- A UTC day on which a model was asked anything, of a provider that hosts models by the hour.
-- param   as_of     TIMESTAMP  : what was known then
-- column  provider  VARCHAR    : who hosts
-- column  model     VARCHAR    : as it was told
-- column  day       TIMESTAMP  : UTC, without zone
SELECT DISTINCT
    e.provider AS provider,
    e.model AS model,
    date_trunc('day', e.hour) AS day
FROM usage_event AS e
INNER JOIN (
    SELECT DISTINCT provider
    FROM usage_event
    WHERE
        recorded_at <= $as_of
        AND meter = 'host_hour'
) AS h ON e.provider = h.provider
WHERE
    e.recorded_at <= $as_of
    AND e.meter NOT IN ('train_token', 'train_hour', 'gpu_second', 'host_hour', 'storage_gb_month')
ORDER BY
    e.provider,
    e.model,
    day

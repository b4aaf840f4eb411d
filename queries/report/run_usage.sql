-- Usage of one meter of a model in a run, and whether all of it has a price.
-- param   run_id        VARCHAR        : of the run
-- param   as_of         TIMESTAMP      : what was known then
-- param   from          TIMESTAMP      : first hour
-- param   to            TIMESTAMP      : hour after the last
-- with    usage_cost
-- column  provider      VARCHAR        : who sold
-- column  model         VARCHAR        : as the provider calls it
-- column  meter         VARCHAR        : what was counted
-- column  region        VARCHAR        : null if not told
-- column  service_tier  VARCHAR        : null if not told
-- column  quantity      DECIMAL(38,6)  : null where the provider does not say
-- column  event_count   DECIMAL(38,0)  : events
-- column  unpriced      DECIMAL(38,0)  : events without a price
SELECT
    u.provider AS provider,
    u.model AS model,
    u.meter AS meter,
    u.region AS region,
    u.service_tier AS service_tier,
    sum(u.quantity) AS quantity,
    cast(sum(u.event_count) AS DECIMAL(38, 0)) AS event_count,
    cast(sum(CASE WHEN u.amount IS NULL THEN u.event_count ELSE 0 END) AS DECIMAL(38, 0)) AS unpriced
FROM usage_cost AS u
WHERE u.run_id = $run_id
GROUP BY
    u.provider,
    u.model,
    u.meter,
    u.region,
    u.service_tier
ORDER BY
    u.provider,
    u.model,
    u.meter,
    u.region,
    u.service_tier

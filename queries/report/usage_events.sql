-- A meter of an event of usage that counts, of those asked for.
-- param   as_of         TIMESTAMP        : what was known then
-- param   keys          DECIMAL(38,0)[]  : of events
-- with    usage_now
-- column  source        VARCHAR          : who told it
-- column  event_id      VARCHAR          : of the event there
-- column  used_at       TIMESTAMP        : UTC, without zone
-- column  provider      VARCHAR          : who sold
-- column  model         VARCHAR          : as the provider calls it
-- column  meter         VARCHAR          : what was counted
-- column  quantity      DECIMAL(18,6)    : null where the provider does not say
-- column  project       VARCHAR          : that pays
-- column  run_id        VARCHAR          : null if no run's
-- column  region        VARCHAR          : null if not told
-- column  service_tier  VARCHAR          : null if not told
SELECT
    u.source AS source,
    u.event_id AS event_id,
    u.used_at AS used_at,
    u.provider AS provider,
    u.model AS model,
    u.meter AS meter,
    u.quantity AS quantity,
    u.project AS project,
    u.run_id AS run_id,
    u.region AS region,
    u.service_tier AS service_tier
FROM usage_now AS u
INNER JOIN (SELECT unnest($keys) AS event_key) AS a ON u.event_key = a.event_key
ORDER BY u.source, u.event_id, u.meter

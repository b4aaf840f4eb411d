-- Flags of usage of one meter of a model in a span, and how many events have just these.
-- param   as_of         TIMESTAMP      : what was known then
-- param   from          TIMESTAMP      : first hour
-- param   to            TIMESTAMP      : hour after the last
-- param   project       VARCHAR        : that pays; null is any
-- with    usage_now
-- column  project       VARCHAR        : that pays
-- column  provider      VARCHAR        : who sold
-- column  model         VARCHAR        : as the provider calls it
-- column  meter         VARCHAR        : what was counted
-- column  region        VARCHAR        : null if not told
-- column  service_tier  VARCHAR        : null if not told
-- column  flags         VARCHAR        : JSON list
-- column  event_count   BIGINT         : events
SELECT
    coalesce(r.project, u.project) AS project,
    u.provider AS provider,
    u.model AS model,
    u.meter AS meter,
    u.region AS region,
    u.service_tier AS service_tier,
    u.flags AS flags,
    count(*) AS event_count
FROM usage_now AS u
LEFT JOIN run AS r ON u.run_id = r.id
WHERE
    u.flags IS NOT NULL
    AND u.hour >= $from
    AND u.hour < $to
    AND ($project IS NULL OR coalesce(r.project, u.project) = $project)
GROUP BY
    coalesce(r.project, u.project),
    u.provider,
    u.model,
    u.meter,
    u.region,
    u.service_tier,
    u.flags
ORDER BY
    project ASC,
    provider ASC,
    model ASC,
    meter ASC,
    region ASC,
    service_tier ASC,
    flags ASC

-- Output tokens of a model in a UTC day, that energy of inference is estimated from.
-- param   as_of         TIMESTAMP      : what was known then
-- param   from          TIMESTAMP      : first hour
-- param   to            TIMESTAMP      : hour after the last
-- param   project       VARCHAR        : that pays; null is any
-- param   only_run      VARCHAR        : of this run; null is all
-- column  project       VARCHAR        : that pays
-- column  provider      VARCHAR        : who sold
-- column  model         VARCHAR        : as the provider calls it
-- column  base_model    VARCHAR        : that it was tuned from, null of a plain one
-- column  region        VARCHAR        : null if not told
-- column  service_tier  VARCHAR        : null if not told
-- column  day           TIMESTAMP      : UTC, without zone
-- column  tokens        DECIMAL(38,6)  : put out
-- column  event_count   BIGINT         : events
SELECT
    coalesce(r.project, e.project) AS project,
    e.provider AS provider,
    e.model AS model,
    e.base_model AS base_model,
    e.region AS region,
    e.service_tier AS service_tier,
    date_trunc('day', e.hour) AS day,
    sum(e.quantity) AS tokens,
    count(*) AS event_count
FROM (
    SELECT *
    FROM usage_event
    WHERE
        meter = 'output'
        AND quantity IS NOT NULL
        AND recorded_at <= $as_of
        AND hour >= $from
        AND hour < $to
        AND ($only_run IS NULL OR run_id = $only_run)
) AS e
LEFT JOIN run AS r ON e.run_id = r.id
WHERE
    $project IS NULL
    OR coalesce(r.project, e.project) = $project
GROUP BY
    coalesce(r.project, e.project),
    e.provider,
    e.model,
    e.base_model,
    e.region,
    e.service_tier,
    date_trunc('day', e.hour)
ORDER BY
    project,
    provider,
    model,
    base_model,
    region,
    service_tier,
    day

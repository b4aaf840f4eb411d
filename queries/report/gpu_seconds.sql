-- GPU time in a UTC day that a provider told as usage, and that is of no job whose energy is estimated.
-- param   as_of         TIMESTAMP      : what was known then
-- param   from          TIMESTAMP      : first hour
-- param   to            TIMESTAMP      : hour after the last
-- param   project       VARCHAR        : that pays; null is any
-- column  project       VARCHAR        : that pays
-- column  provider      VARCHAR        : who sold
-- column  model         VARCHAR        : as the provider calls it
-- column  region        VARCHAR        : null if not told
-- column  told          VARCHAR        : JSON of other words of the provider, its GPUs among them
-- column  day           TIMESTAMP      : UTC, without zone
-- column  seconds       DECIMAL(38,6)  : of all GPUs together
-- column  event_count   BIGINT         : events
SELECT
    coalesce(r.project, e.project) AS project,
    e.provider AS provider,
    e.model AS model,
    e.region AS region,
    e.told AS told,
    date_trunc('day', e.hour) AS day,
    sum(e.quantity) AS seconds,
    count(*) AS event_count
FROM (
    SELECT *
    FROM usage_event
    WHERE
        meter = 'gpu_second'
        AND quantity IS NOT NULL
        AND recorded_at <= $as_of
        AND hour >= $from
        AND hour < $to
) AS e
LEFT JOIN run AS r ON e.run_id = r.id
LEFT JOIN (
    SELECT DISTINCT run_id
    FROM hosted_job
) AS j ON e.run_id = j.run_id
WHERE
    j.run_id IS NULL
    AND ($project IS NULL OR coalesce(r.project, e.project) = $project)
GROUP BY
    coalesce(r.project, e.project),
    e.provider,
    e.model,
    e.region,
    e.told,
    date_trunc('day', e.hour)
ORDER BY
    project,
    provider,
    model,
    region,
    told,
    day

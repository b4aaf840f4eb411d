-- Hosting of a model told on one UTC day, and the nearest days on which the model was asked anything.
-- param   as_of          TIMESTAMP      : what was known then
-- param   from           TIMESTAMP      : first hour
-- param   to             TIMESTAMP      : hour after the last
-- param   project        VARCHAR        : that pays; null is any
-- with    usage_cost
-- column  day            TIMESTAMP      : UTC, without zone
-- column  provider       VARCHAR        : who hosts
-- column  project        VARCHAR        : that pays
-- column  model          VARCHAR        : as the provider calls it
-- column  quantity       DECIMAL(38,6)  : hours, of all its units
-- column  event_count    DECIMAL(38,0)  : events
-- column  currency       VARCHAR        : null if no price is known
-- column  amount         DECIMAL(38,9)  : in the currency
-- column  served_before  TIMESTAMP      : that day or the last one before; null if there is none
-- column  served_after   TIMESTAMP      : that day or the next one after; null if there is none
SELECT
    h.day AS day,
    h.provider AS provider,
    h.project AS project,
    h.model AS model,
    h.quantity AS quantity,
    h.event_count AS event_count,
    h.currency AS currency,
    h.amount AS amount,
    max(CASE WHEN s.day <= h.day THEN s.day END) AS served_before,
    min(CASE WHEN s.day >= h.day THEN s.day END) AS served_after
FROM (
    SELECT
        date_trunc('day', u.hour) AS day,
        u.provider,
        coalesce(r.project, u.project) AS project,
        u.model,
        u.currency,
        sum(u.quantity) AS quantity,
        cast(sum(u.event_count) AS DECIMAL(38, 0)) AS event_count,
        cast(cast(round(sum(u.amount), 0) AS DECIMAL(29, 0)) * cast(0.000000001 AS DECIMAL(9, 9)) AS DECIMAL(38, 9))
            AS amount
    FROM usage_cost AS u
    LEFT JOIN run AS r ON u.run_id = r.id
    WHERE
        u.meter = 'host_hour'
        AND ($project IS NULL OR coalesce(r.project, u.project) = $project)
    GROUP BY
        date_trunc('day', u.hour),
        u.provider,
        coalesce(r.project, u.project),
        u.model,
        u.currency
) AS h
LEFT JOIN (
    SELECT DISTINCT
        provider,
        model,
        date_trunc('day', hour) AS day
    FROM usage_event
    WHERE
        recorded_at <= $as_of
        AND meter NOT IN ('train_token', 'train_hour', 'gpu_second', 'host_hour', 'storage_gb_month')
) AS s ON h.provider = s.provider AND h.model = s.model
GROUP BY
    h.day,
    h.provider,
    h.project,
    h.model,
    h.quantity,
    h.event_count,
    h.currency,
    h.amount
ORDER BY
    h.provider ASC,
    h.model ASC,
    h.project ASC,
    h.currency ASC,
    h.day ASC

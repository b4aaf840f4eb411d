-- Hosting of a model told on one UTC day.
-- param   as_of        TIMESTAMP      : what was known then
-- param   from         TIMESTAMP      : first hour
-- param   to           TIMESTAMP      : hour after the last
-- param   project      VARCHAR        : that pays; null is any
-- with    usage_cost
-- column  day          TIMESTAMP      : UTC, without zone
-- column  provider     VARCHAR        : who hosts
-- column  project      VARCHAR        : that pays
-- column  model        VARCHAR        : as the provider calls it
-- column  quantity     DECIMAL(38,6)  : hours, of all its units
-- column  event_count  DECIMAL(38,0)  : events
-- column  currency     VARCHAR        : null if no price is known
-- column  amount       DECIMAL(38,9)  : in the currency
SELECT
    date_trunc('day', u.hour) AS day,
    u.provider AS provider,
    coalesce(r.project, u.project) AS project,
    u.model AS model,
    sum(u.quantity) AS quantity,
    cast(sum(u.event_count) AS DECIMAL(38, 0)) AS event_count,
    u.currency AS currency,
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
ORDER BY
    provider ASC,
    model ASC,
    project ASC,
    currency ASC,
    day ASC

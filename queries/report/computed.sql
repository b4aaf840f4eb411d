-- Usage of one meter of a model on one UTC day, priced by the books; without currency what has no price.
-- param   as_of        TIMESTAMP      : what was known then
-- param   from         TIMESTAMP      : first hour
-- param   to           TIMESTAMP      : hour after the last
-- param   project      VARCHAR        : that pays; null is any
-- with    usage_cost
-- column  day          TIMESTAMP      : UTC, without zone
-- column  provider     VARCHAR        : who sold
-- column  project      VARCHAR        : that pays
-- column  model        VARCHAR        : as the provider calls it
-- column  meter        VARCHAR        : what was counted
-- column  currency     VARCHAR        : null where nothing has a price
-- column  quantity     DECIMAL(38,6)  : null where the provider does not say
-- column  event_count  DECIMAL(38,0)  : events
-- column  amount       DECIMAL(38,9)  : in the currency
-- column  price_ids    VARCHAR        : prices it stands on, parted by commas; null if none
SELECT
    date_trunc('day', u.hour) AS day,
    u.provider AS provider,
    coalesce(r.project, u.project) AS project,
    u.model AS model,
    u.meter AS meter,
    u.currency AS currency,
    sum(u.quantity) AS quantity,
    cast(sum(u.event_count) AS DECIMAL(38, 0)) AS event_count,
    cast(cast(round(sum(u.amount), 0) AS DECIMAL(29, 0)) * cast(0.000000001 AS DECIMAL(9, 9)) AS DECIMAL(38, 9))
        AS amount,
    string_agg(DISTINCT u.price_id, ',') AS price_ids
FROM usage_cost AS u
LEFT JOIN run AS r ON u.run_id = r.id
WHERE
    $project IS NULL
    OR coalesce(r.project, u.project) = $project
GROUP BY
    date_trunc('day', u.hour),
    u.provider,
    coalesce(r.project, u.project),
    u.model,
    u.meter,
    u.currency
ORDER BY
    day ASC,
    provider ASC,
    project ASC,
    model ASC,
    meter ASC,
    currency ASC

-- Usage of one meter of a model in a span, with its cost; newest knowledge of prices.
-- param   as_of         TIMESTAMP      : what was known then
-- param   from          TIMESTAMP      : first hour
-- param   to            TIMESTAMP      : hour after the last
-- param   project       VARCHAR        : that pays; null is any
-- param   limit         BIGINT         : at most so many
-- with    usage_cost
-- column  project       VARCHAR        : that pays
-- column  provider      VARCHAR        : who sold
-- column  model         VARCHAR        : as the provider calls it
-- column  meter         VARCHAR        : what was counted
-- column  region        VARCHAR        : null if not told
-- column  service_tier  VARCHAR        : null if not told
-- column  quantity      DECIMAL(38,6)  : null where the provider does not say
-- column  event_count   DECIMAL(38,0)  : events
-- column  unpriced      DECIMAL(38,0)  : events without a price
-- column  currency      VARCHAR        : null where nothing has a price
-- column  amount        DECIMAL(38,9)  : in the currency
-- column  low           DECIMAL(38,9)  : lower bound
-- column  high          DECIMAL(38,9)  : upper bound
-- column  price_ids     VARCHAR        : prices it stands on, parted by commas; null if none
-- column  first_hour    TIMESTAMP      : UTC, without zone
-- column  last_hour     TIMESTAMP      : UTC, without zone
SELECT
    coalesce(r.project, u.project) AS project,
    u.provider AS provider,
    u.model AS model,
    u.meter AS meter,
    u.region AS region,
    u.service_tier AS service_tier,
    sum(u.quantity) AS quantity,
    cast(sum(u.event_count) AS DECIMAL(38, 0)) AS event_count,
    cast(sum(CASE WHEN u.amount IS NULL THEN u.event_count ELSE 0 END) AS DECIMAL(38, 0)) AS unpriced,
    u.currency AS currency,
    cast(cast(round(sum(u.amount), 0) AS DECIMAL(29, 0)) * cast(0.000000001 AS DECIMAL(9, 9)) AS DECIMAL(38, 9))
        AS amount,
    cast(cast(round(sum(u.low), 0) AS DECIMAL(29, 0)) * cast(0.000000001 AS DECIMAL(9, 9)) AS DECIMAL(38, 9)) AS low,
    cast(cast(round(sum(u.high), 0) AS DECIMAL(29, 0)) * cast(0.000000001 AS DECIMAL(9, 9)) AS DECIMAL(38, 9)) AS high,
    string_agg(DISTINCT u.price_id, ',') AS price_ids,
    min(u.hour) AS first_hour,
    max(u.hour) AS last_hour
FROM usage_cost AS u
LEFT JOIN run AS r ON u.run_id = r.id
WHERE
    $project IS NULL
    OR coalesce(r.project, u.project) = $project
GROUP BY
    coalesce(r.project, u.project),
    u.provider,
    u.model,
    u.meter,
    u.region,
    u.service_tier,
    u.currency
ORDER BY
    amount DESC NULLS LAST,
    project ASC,
    provider ASC,
    model ASC,
    meter ASC,
    region ASC,
    service_tier ASC
LIMIT $limit

-- Usage of one meter of a model that came with commits after one, for live counters: its sum, and its price of now.
-- with    usage_cost
-- column  run_id       VARCHAR         : null if no run's
-- column  project      VARCHAR         : that pays
-- column  provider     VARCHAR         : who sold
-- column  model        VARCHAR         : as the provider calls it
-- column  meter        VARCHAR         : what was counted
-- column  kind         VARCHAR         : of the cost
-- column  currency     VARCHAR         : null where no price is known
-- column  quantity     DECIMAL(38,6)   : null where the provider does not say
-- column  event_count  DECIMAL(38,0)   : events
-- column  amount       DECIMAL(38,15)  : nano-units of the currency, never rounded
SELECT
    u.run_id AS run_id,
    coalesce(r.project, u.project) AS project,
    u.provider AS provider,
    u.model AS model,
    u.meter AS meter,
    u.kind AS kind,
    u.currency AS currency,
    sum(u.quantity) AS quantity,
    cast(sum(u.event_count) AS DECIMAL(38, 0)) AS event_count,
    sum(u.amount) AS amount
FROM usage_cost AS u
LEFT JOIN run AS r ON u.run_id = r.id
GROUP BY
    u.run_id,
    coalesce(r.project, u.project),
    u.provider,
    u.model,
    u.meter,
    u.kind,
    u.currency
ORDER BY
    u.run_id,
    project,
    u.provider,
    u.model,
    u.meter,
    u.kind,
    u.currency

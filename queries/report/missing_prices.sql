-- A price that usage of a span lacks, and from when to when a row of it would have to hold.
-- param   as_of         TIMESTAMP  : what was known then
-- param   from          TIMESTAMP  : first hour
-- param   to            TIMESTAMP  : hour after the last
-- param   project       VARCHAR    : that pays; null is any
-- with    usage_cost
-- with    price_now
-- column  project       VARCHAR    : that pays
-- column  provider      VARCHAR    : who sold
-- column  model         VARCHAR    : as the provider calls it
-- column  priced_as     VARCHAR    : as a price for all that is sold alike may call it
-- column  meter         VARCHAR    : what was counted
-- column  region        VARCHAR    : null if not told
-- column  service_tier  VARCHAR    : null if not told
-- column  training      VARCHAR    : null if not told
-- column  adapter       VARCHAR    : null if not told
-- column  first_at      TIMESTAMP  : instant that a price is first asked for
-- column  until         TIMESTAMP  : when the next price of it begins; null if none does
SELECT
    m.project AS project,
    m.provider AS provider,
    m.model AS model,
    m.priced_as AS priced_as,
    m.meter AS meter,
    m.region AS region,
    m.service_tier AS service_tier,
    m.training AS training,
    m.adapter AS adapter,
    min(m.priced_at) AS first_at,
    m.until AS until
FROM (
    SELECT
        coalesce(r.project, u.project) AS project,
        u.provider,
        u.model,
        u.priced_as,
        u.meter,
        u.region,
        u.service_tier,
        u.training,
        u.adapter,
        u.priced_at,
        min(p.valid_from) AS until
    FROM usage_cost AS u
    LEFT JOIN run AS r ON u.run_id = r.id
    LEFT JOIN price_now AS p
        ON
            u.provider = p.provider
            AND u.meter = p.meter
            AND (
                p.model IN (u.model, u.priced_as, '*')
                OR (p.model = 'ft:*' AND (u.priced_as LIKE 'ft:%' OR u.model LIKE '%.ft-%'))
            )
            AND (p.region IS NULL OR lower(u.region) = lower(p.region))
            AND (p.service_tier IS NULL OR lower(u.service_tier) = lower(p.service_tier))
            AND (p.training IS NULL OR u.training = p.training)
            AND (p.adapter IS NULL OR u.adapter = p.adapter)
            AND u.priced_at < p.valid_from
    WHERE
        u.amount IS NULL
        AND u.quantity IS NOT NULL
        AND ($project IS NULL OR coalesce(r.project, u.project) = $project)
    GROUP BY
        coalesce(r.project, u.project),
        u.provider,
        u.model,
        u.priced_as,
        u.meter,
        u.region,
        u.service_tier,
        u.training,
        u.adapter,
        u.priced_at
) AS m
GROUP BY
    m.project,
    m.provider,
    m.model,
    m.priced_as,
    m.meter,
    m.region,
    m.service_tier,
    m.training,
    m.adapter,
    m.until
ORDER BY
    m.provider ASC,
    m.model ASC,
    m.meter ASC,
    m.region ASC NULLS FIRST,
    m.service_tier ASC NULLS FIRST,
    m.training ASC NULLS FIRST,
    m.adapter ASC NULLS FIRST,
    m.project ASC,
    first_at ASC,
    m.priced_as ASC

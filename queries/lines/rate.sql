-- A plain rate, or the overhead's rate of a kind that the facility's energy counts for.
-- with    plain_rate
-- with    site_factor
-- column  site_id           VARCHAR         : of the site
-- column  hour              TIMESTAMP       : UTC, without zone
-- column  quarter           INTEGER         : of the hour; 0 is all of an hour that no border cuts
-- column  kind              VARCHAR         : of the line; an overhead's ends in _overhead
-- column  currency          VARCHAR         : null if no money
-- column  rate              DECIMAL(20,15)  : units per megajoule or kilosecond; PUE - 1 for energy_overhead
-- column  rate_low          DECIMAL(20,15)  : lower bound
-- column  rate_high         DECIMAL(20,15)  : upper bound
-- column  weakness          INTEGER         : of the weakest method behind it
-- column  factor_id         VARCHAR         : the fact it stands on
-- column  second_factor_id  VARCHAR         : and another, if any
-- column  third_factor_id   VARCHAR         : PUE, of an overhead
SELECT
    r.site_id AS site_id,
    r.hour AS hour,
    r.quarter AS quarter,
    r.kind AS kind,
    r.currency AS currency,
    r.rate AS rate,
    r.rate_low AS rate_low,
    r.rate_high AS rate_high,
    r.weakness AS weakness,
    r.factor_id AS factor_id,
    r.second_factor_id AS second_factor_id,
    r.third_factor_id AS third_factor_id
FROM plain_rate AS r
UNION ALL
SELECT
    r.site_id AS site_id,
    r.hour AS hour,
    r.quarter AS quarter,
    CASE r.kind
        WHEN 'electricity' THEN 'electricity_overhead'
        WHEN 'location' THEN 'location_overhead'
        WHEN 'market' THEN 'market_overhead'
        WHEN 'market_default' THEN 'market_default_overhead'
        ELSE 'tnd_overhead'
    END AS kind,
    r.currency AS currency,
    cast(r.rate * cast(p.amount - 1 AS DECIMAL(12, 9)) AS DECIMAL(20, 15)) AS rate,
    least(
        cast(r.rate_low * cast(p.low - 1 AS DECIMAL(12, 9)) AS DECIMAL(20, 15)),
        cast(r.rate_low * cast(p.high - 1 AS DECIMAL(12, 9)) AS DECIMAL(20, 15))
    ) AS rate_low,
    greatest(
        cast(r.rate_high * cast(p.low - 1 AS DECIMAL(12, 9)) AS DECIMAL(20, 15)),
        cast(r.rate_high * cast(p.high - 1 AS DECIMAL(12, 9)) AS DECIMAL(20, 15))
    ) AS rate_high,
    greatest(r.weakness, p.weakness) AS weakness,
    r.factor_id AS factor_id,
    r.second_factor_id AS second_factor_id,
    p.factor_id AS third_factor_id
FROM plain_rate AS r
INNER JOIN site_factor AS p ON r.site_id = p.site_id AND r.hour = p.hour AND r.quarter = p.quarter
WHERE
    p.kind = 'pue'
    AND r.kind IN ('electricity', 'location', 'market', 'market_default', 'tnd')

-- What energy is multiplied by at a site in a quarter of a UTC hour, or GPU time, for one kind of line.
-- with    site_factor
-- with    market_part
-- column  site_id           VARCHAR         : of the site
-- column  hour              TIMESTAMP       : UTC, without zone
-- column  quarter           INTEGER         : of the hour; 0 is all of an hour that no border cuts
-- column  kind              VARCHAR         : of the line
-- column  currency          VARCHAR         : null if no money
-- column  rate              DECIMAL(20,15)  : units per megajoule or kilosecond; PUE - 1 for energy_overhead
-- column  rate_low          DECIMAL(20,15)  : lower bound
-- column  rate_high         DECIMAL(20,15)  : upper bound
-- column  weakness          INTEGER         : of the weakest method behind it
-- column  factor_id         VARCHAR         : the fact it stands on
-- column  second_factor_id  VARCHAR         : and another, if any
-- column  third_factor_id   VARCHAR         : and a third, if any
SELECT
    one.site_id AS site_id,
    one.hour AS hour,
    one.quarter AS quarter,
    CASE one.kind
        WHEN 'electricity_price' THEN 'electricity'
        WHEN 'gpu_hour_rate' THEN 'gpu_time'
        WHEN 'wue' THEN 'water'
        ELSE 'location'
    END AS kind,
    one.currency AS currency,
    one.rate AS rate,
    one.rate_low AS rate_low,
    one.rate_high AS rate_high,
    one.weakness AS weakness,
    one.factor_id AS factor_id,
    cast(NULL AS VARCHAR) AS second_factor_id,
    cast(NULL AS VARCHAR) AS third_factor_id
FROM site_factor AS one
WHERE one.kind IN ('electricity_price', 'gpu_hour_rate', 'grid_intensity', 'wue')
UNION ALL
SELECT
    m.site_id AS site_id,
    m.hour AS hour,
    m.quarter AS quarter,
    m.kind AS kind,
    cast(NULL AS VARCHAR) AS currency,
    m.rate AS rate,
    m.rate_low AS rate_low,
    m.rate_high AS rate_high,
    m.weakness AS weakness,
    m.factor_id AS factor_id,
    cast(NULL AS VARCHAR) AS second_factor_id,
    cast(NULL AS VARCHAR) AS third_factor_id
FROM market_part AS m
UNION ALL
SELECT
    g.site_id AS site_id,
    g.hour AS hour,
    g.quarter AS quarter,
    'tnd' AS kind,
    cast(NULL AS VARCHAR) AS currency,
    cast(
        g.rate
        * cast(t.amount AS DECIMAL(12, 9)) AS DECIMAL(20, 15)
    ) AS rate,
    cast(
        g.rate_low
        * cast(t.low AS DECIMAL(12, 9)) AS DECIMAL(20, 15)
    ) AS rate_low,
    cast(
        g.rate_high
        * cast(t.high AS DECIMAL(12, 9)) AS DECIMAL(20, 15)
    ) AS rate_high,
    greatest(g.weakness, t.weakness) AS weakness,
    g.factor_id AS factor_id,
    t.factor_id AS second_factor_id,
    cast(NULL AS VARCHAR) AS third_factor_id
FROM site_factor AS g
INNER JOIN site_factor AS t ON g.site_id = t.site_id AND g.hour = t.hour AND g.quarter = t.quarter
WHERE
    g.kind = 'grid_intensity'
    AND t.kind = 'tnd_uplift'
UNION ALL
SELECT
    p.site_id AS site_id,
    p.hour AS hour,
    p.quarter AS quarter,
    'energy_overhead' AS kind,
    cast(NULL AS VARCHAR) AS currency,
    cast(p.amount - 1 AS DECIMAL(20, 15)) AS rate,
    cast(p.low - 1 AS DECIMAL(20, 15)) AS rate_low,
    cast(p.high - 1 AS DECIMAL(20, 15)) AS rate_high,
    p.weakness AS weakness,
    p.factor_id AS factor_id,
    cast(NULL AS VARCHAR) AS second_factor_id,
    cast(NULL AS VARCHAR) AS third_factor_id
FROM site_factor AS p
WHERE p.kind = 'pue'

-- What a quantity is multiplied by at a site in a UTC hour, for one kind of line.
-- with    site_factor
-- column  site_id           VARCHAR         : of the site
-- column  hour              TIMESTAMP       : UTC, without zone
-- column  kind              VARCHAR         : of the line
-- column  currency          VARCHAR         : null if no money
-- column  rate              DECIMAL(20,15)  : units per megajoule or kilosecond; PUE - 1 for energy_overhead
-- column  rate_low          DECIMAL(20,15)  : lower bound
-- column  rate_high         DECIMAL(20,15)  : upper bound
-- column  weakness          INTEGER         : of the weakest method behind it
-- column  factor_id         VARCHAR         : the fact it stands on
-- column  second_factor_id  VARCHAR         : and another, if any
SELECT
    one.site_id AS site_id,
    one.hour AS hour,
    CASE one.kind
        WHEN 'electricity_price' THEN 'electricity'
        WHEN 'gpu_hour_rate' THEN 'gpu_time'
        ELSE 'location'
    END AS kind,
    one.currency AS currency,
    cast(one.amount * cast(0.277777777777777778 AS DECIMAL(19, 18)) AS DECIMAL(20, 15)) AS rate,
    cast(one.low * cast(0.277777777777777778 AS DECIMAL(19, 18)) AS DECIMAL(20, 15)) AS rate_low,
    cast(one.high * cast(0.277777777777777778 AS DECIMAL(19, 18)) AS DECIMAL(20, 15)) AS rate_high,
    one.weakness AS weakness,
    one.factor_id AS factor_id,
    cast(NULL AS VARCHAR) AS second_factor_id
FROM site_factor AS one
WHERE one.kind IN ('electricity_price', 'gpu_hour_rate', 'grid_intensity')
UNION ALL
SELECT
    p.site_id AS site_id,
    p.hour AS hour,
    'energy_overhead' AS kind,
    cast(NULL AS VARCHAR) AS currency,
    cast(p.amount - 1 AS DECIMAL(20, 15)) AS rate,
    cast(p.low - 1 AS DECIMAL(20, 15)) AS rate_low,
    cast(p.high - 1 AS DECIMAL(20, 15)) AS rate_high,
    p.weakness AS weakness,
    p.factor_id AS factor_id,
    cast(NULL AS VARCHAR) AS second_factor_id
FROM site_factor AS p
WHERE p.kind = 'pue'
UNION ALL
SELECT
    f.site_id AS site_id,
    f.hour AS hour,
    CASE f.kind
        WHEN 'electricity_price' THEN 'electricity_overhead'
        ELSE 'location_overhead'
    END AS kind,
    f.currency AS currency,
    cast(
        cast(f.amount * cast(0.277777777777777778 AS DECIMAL(19, 18)) AS DECIMAL(20, 15))
        * cast(p.amount - 1 AS DECIMAL(12, 9)) AS DECIMAL(20, 15)
    ) AS rate,
    cast(
        cast(f.low * cast(0.277777777777777778 AS DECIMAL(19, 18)) AS DECIMAL(20, 15))
        * cast(p.low - 1 AS DECIMAL(12, 9)) AS DECIMAL(20, 15)
    ) AS rate_low,
    cast(
        cast(f.high * cast(0.277777777777777778 AS DECIMAL(19, 18)) AS DECIMAL(20, 15))
        * cast(p.high - 1 AS DECIMAL(12, 9)) AS DECIMAL(20, 15)
    ) AS rate_high,
    greatest(f.weakness, p.weakness) AS weakness,
    f.factor_id AS factor_id,
    p.factor_id AS second_factor_id
FROM site_factor AS f
INNER JOIN site_factor AS p ON f.site_id = p.site_id AND f.hour = p.hour
WHERE
    p.kind = 'pue'
    AND f.kind IN ('electricity_price', 'grid_intensity')

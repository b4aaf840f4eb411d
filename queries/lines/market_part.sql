-- What one instrument emits for its part of a site's consumption in a quarter of a UTC hour, or the grid for the rest.
-- with    known_factor
-- with    site_factor
-- with    market_site
-- column  site_id    VARCHAR         : of the site
-- column  hour       TIMESTAMP       : UTC, without zone
-- column  quarter    INTEGER         : of the hour; 0 is all of an hour that no border cuts
-- column  kind       VARCHAR         : market, or market_default of what no instrument covers
-- column  rate       DECIMAL(20,15)  : grams per MJ of the whole consumption
-- column  rate_low   DECIMAL(20,15)  : lower bound
-- column  rate_high  DECIMAL(20,15)  : upper bound
-- column  weakness   INTEGER         : of the method
-- column  factor_id  VARCHAR         : instrument, or grid intensity
SELECT
    t.site_id AS site_id,
    t.hour AS hour,
    t.quarter AS quarter,
    t.kind AS kind,
    cast(
        t.rate
        * t.covered AS DECIMAL(20, 15)
    ) AS rate,
    cast(
        t.rate_low
        * t.covered AS DECIMAL(20, 15)
    ) AS rate_low,
    cast(
        t.rate_high
        * t.covered AS DECIMAL(20, 15)
    ) AS rate_high,
    t.weakness AS weakness,
    t.factor_id AS factor_id
FROM (
    SELECT
        i.site_id,
        i.hour,
        i.quarter,
        'market' AS kind,
        i.rate,
        i.rate_low,
        i.rate_high,
        cast(
            CASE WHEN i.reached > 1 THEN i.share - (i.reached - 1) ELSE i.share END AS DECIMAL(9, 6)
        ) AS covered,
        i.weakness,
        i.factor_id
    FROM (
        SELECT
            k.site_id,
            k.hour,
            k.quarter,
            k.rate,
            k.rate_low,
            k.rate_high,
            k.share,
            k.weakness,
            k.factor_id,
            sum(k.share) OVER (
                PARTITION BY k.site_id, k.hour, k.quarter
                ORDER BY k.near DESC, k.evidence_rank DESC, k.recorded_at DESC, k.factor_id ASC
                ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ) AS reached
        FROM known_factor AS k
        WHERE k.kind = 'market_intensity'
    ) AS i
    WHERE i.reached - i.share < 1
    UNION ALL
    SELECT
        g.site_id,
        g.hour,
        g.quarter,
        'market_default' AS kind,
        g.rate,
        g.rate_low,
        g.rate_high,
        cast(1 - coalesce(c.share, 0) AS DECIMAL(9, 6)) AS covered,
        g.weakness,
        g.factor_id
    FROM site_factor AS g
    INNER JOIN market_site AS m ON g.site_id = m.site_id
    LEFT JOIN (
        SELECT
            k.site_id,
            k.hour,
            k.quarter,
            sum(k.share) AS share
        FROM known_factor AS k
        WHERE k.kind = 'market_intensity'
        GROUP BY
            k.site_id,
            k.hour,
            k.quarter
    ) AS c ON g.site_id = c.site_id AND g.hour = c.hour AND g.quarter = c.quarter
    WHERE
        g.kind = 'grid_intensity'
        AND coalesce(c.share, 0) < 1
) AS t

-- Carbon intensity of the grid that held in an hour or a quarter of one in which something was metered.
-- with    site_factor
-- with    split_hour
-- with    site_now
-- column  zone      VARCHAR        : of the grid
-- column  source    VARCHAR        : who states it
-- column  at        TIMESTAMP      : when it begins to hold, UTC, without zone
-- column  until     TIMESTAMP      : when it ends to
-- column  amount    DECIMAL(18,9)  : in the unit of the series
SELECT
    t.zone AS zone,
    t.source AS source,
    t.at AS at,
    t.until AS until,
    max(t.amount) AS amount
FROM (
    SELECT
        CASE WHEN f.scope = s.site_id THEN coalesce(n.zone, s.site_id) ELSE f.scope END AS zone,
        f.source AS source,
        s.hour + s.quarter * INTERVAL '15' MINUTE AS at,
        s.hour + CASE WHEN x.hour IS NULL THEN 60 ELSE s.quarter * 15 + 15 END * INTERVAL '1' MINUTE AS until,
        s.amount
    FROM site_factor AS s
    INNER JOIN factor AS f ON s.factor_id = f.id
    INNER JOIN site_now AS n ON s.site_id = n.site_id
    LEFT JOIN split_hour AS x ON s.site_id = x.site_id AND s.hour = x.hour
    WHERE
        s.kind = 'grid_intensity'
        AND s.site_id NOT LIKE 'hosted:%'  -- places of one run each, of which a live page knows nothing
        AND s.site_id NOT LIKE 'past:%'
) AS t
GROUP BY
    t.zone,
    t.source,
    t.at,
    t.until
ORDER BY
    t.zone,
    t.source,
    t.at

-- A scope whose factors hold at a site: its own, that of the site it lies within, its zone, the world.
-- with    site_now
-- column  site_id    VARCHAR  : of the site
-- column  scope      VARCHAR  : of factors
-- column  near       INTEGER  : 1 goes before all evidence but bundled facts: stated of a place within a site alone
-- column  elsewhere  BOOLEAN  : whether only PUE, tariff and GPU-hour rate hold
SELECT
    s.site_id AS site_id,
    s.site_id AS scope,
    CASE WHEN s.within IS NULL THEN 0 ELSE 1 END AS near,
    FALSE AS elsewhere
FROM site_now AS s
UNION
SELECT
    s.site_id AS site_id,
    s.within AS scope,
    0 AS near,
    s.elsewhere AS elsewhere
FROM site_now AS s
WHERE s.within IS NOT NULL
UNION
SELECT
    s.site_id AS site_id,
    s.zone AS scope,
    0 AS near,
    FALSE AS elsewhere
FROM site_now AS s
WHERE s.zone IS NOT NULL
UNION
SELECT
    s.site_id AS site_id,
    'world' AS scope,
    0 AS near,
    FALSE AS elsewhere
FROM site_now AS s

-- A site as it was last described.
-- param   as_of    TIMESTAMP  : what was known then
-- column  site_id  VARCHAR    : of the site
-- column  name     VARCHAR    : for people
-- column  zone     VARCHAR    : of the grid, null if unknown
SELECT
    s.id AS site_id,
    s.name AS name,
    s.zone AS zone
FROM (
    SELECT
        id,
        name,
        zone,
        row_number() OVER (PARTITION BY id ORDER BY recorded_at DESC) AS version
    FROM site
    WHERE recorded_at <= $as_of
) AS s
WHERE s.version = 1

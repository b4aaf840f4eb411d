-- A site as it was last described.
-- param   as_of      TIMESTAMP  : what was known then
-- column  site_id    VARCHAR    : of the site
-- column  name       VARCHAR    : for people
-- column  zone       VARCHAR    : of the grid, null if unknown
-- column  within     VARCHAR    : the site whose books hold here too, null if none do
-- column  elsewhere  BOOLEAN    : whether only its PUE, tariff and GPU-hour rate do
SELECT
    s.id AS site_id,
    s.name AS name,
    s.zone AS zone,
    s.within AS within,
    coalesce(s.elsewhere, FALSE) AS elsewhere
FROM (
    SELECT
        id,
        name,
        zone,
        within,
        elsewhere,
        row_number() OVER (PARTITION BY id ORDER BY recorded_at DESC) AS version
    FROM site
    WHERE recorded_at <= $as_of
) AS s
WHERE s.version = 1

-- Adds a site's description, unless the newest one says the same.
-- param   id           VARCHAR    : of the site
-- param   name         VARCHAR    : for people
-- param   zone         VARCHAR    : of the grid, null if unknown
-- param   within       VARCHAR    : the site whose books hold here too, null if none do
-- param   elsewhere    BOOLEAN    : whether only its PUE, tariff and GPU-hour rate do
-- param   recorded_at  TIMESTAMP  : UTC, without zone
-- param   seq          BIGINT     : number of the commit
INSERT INTO site (id, name, zone, recorded_at, seq, within, elsewhere)
SELECT
    $id AS id,
    $name AS name,
    $zone AS zone,
    $recorded_at AS recorded_at,
    $seq AS seq,
    $within AS within,
    $elsewhere AS elsewhere
WHERE
    NOT EXISTS (
        SELECT 1 AS same
        FROM site AS s
        WHERE
            s.id = $id
            AND s.recorded_at = (
                SELECT max(t.recorded_at) AS newest FROM site AS t
                WHERE t.id = $id
            )
            AND s.name = $name
            AND s.zone IS NOT DISTINCT FROM $zone
            AND s.within IS NOT DISTINCT FROM $within
            AND s.elsewhere IS NOT DISTINCT FROM $elsewhere
    )
ON CONFLICT DO NOTHING

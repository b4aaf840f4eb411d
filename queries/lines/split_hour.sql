-- A UTC hour at a site in which some factor holds for some of its quarters only.
-- param   as_of    TIMESTAMP  : what was known then
-- param   from     TIMESTAMP  : first hour
-- param   to       TIMESTAMP  : hour after the last
-- with    site_now
-- column  site_id  VARCHAR    : of the site
-- column  hour     TIMESTAMP  : UTC, without zone
SELECT DISTINCT
    s.site_id AS site_id,
    h.hour AS hour
FROM factor_hour AS h
INNER JOIN factor AS f ON h.factor_id = f.id
INNER JOIN site_now AS s
    ON f.scope = s.site_id OR f.scope = s.zone OR f.scope = 'world'
WHERE
    h.quarter IS NOT NULL
    AND f.recorded_at <= $as_of
    AND h.hour >= $from
    AND h.hour < $to

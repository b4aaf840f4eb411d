-- A UTC hour at a site in which some factor holds for some of its quarters only.
-- param   as_of    TIMESTAMP  : what was known then
-- param   from     TIMESTAMP  : first hour
-- param   to       TIMESTAMP  : hour after the last
-- with    site_scope
-- column  site_id  VARCHAR    : of the site
-- column  hour     TIMESTAMP  : UTC, without zone
SELECT DISTINCT
    s.site_id AS site_id,
    h.hour AS hour
FROM factor_hour AS h
INNER JOIN factor AS f ON h.factor_id = f.id
INNER JOIN site_scope AS s ON f.scope = s.scope
WHERE
    h.quarter IS NOT NULL
    AND f.recorded_at <= $as_of
    AND (NOT s.elsewhere OR f.kind IN ('electricity_price', 'pue', 'gpu_hour_rate'))
    AND h.hour >= $from
    AND h.hour < $to

-- An instrument of the site of a run that fails a criterion of quality, so that it does not count.
-- param   run_id     VARCHAR    : of the run
-- param   as_of      TIMESTAMP  : what was known then
-- param   from       TIMESTAMP  : first hour
-- param   to         TIMESTAMP  : hour after the last
-- with    known_factor
-- column  factor_id  VARCHAR    : of the instrument
-- column  source     VARCHAR    : who says so
-- column  detail     VARCHAR    : why it does not count
SELECT DISTINCT
    f.id AS factor_id,
    f.source AS source,
    f.detail AS detail
FROM known_factor AS k
INNER JOIN run AS r ON k.site_id = r.site_id
INNER JOIN factor AS f ON k.factor_id = f.id
WHERE
    k.kind = 'market_excluded'
    AND r.id = $run_id
ORDER BY f.id

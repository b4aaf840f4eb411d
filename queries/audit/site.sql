-- A description of a site, as commits brought it; what the audit chain hashes.
-- param   after        BIGINT     : the commit before the first
-- param   until        BIGINT     : the last commit
-- column  id           VARCHAR    : of the site
-- column  name         VARCHAR    : for people
-- column  zone         VARCHAR    : of the grid, null if unknown
-- column  recorded_at  TIMESTAMP  : when the ledger learned it; UTC, without zone
-- column  seq          BIGINT     : number of the commit
-- column  within       VARCHAR    : the site whose books hold here too, null if none do
-- column  elsewhere    BOOLEAN    : whether only its PUE, tariff and GPU-hour rate do
SELECT
    id,
    name,
    zone,
    recorded_at,
    seq,
    within,
    elsewhere
FROM site
WHERE
    seq > $after
    AND seq <= $until

-- A run as registered, as commits brought it; what the audit chain hashes.
-- param   after            BIGINT     : the commit before the first
-- param   until            BIGINT     : the last commit
-- column  id               VARCHAR    : of the run
-- column  name             VARCHAR    : for people
-- column  project          VARCHAR    : that pays
-- column  started_at       TIMESTAMP  : UTC, without zone
-- column  started_boot_ns  BIGINT     : CLOCK_BOOTTIME
-- column  node_id          VARCHAR    : where it began
-- column  site_id          VARCHAR    : where
-- column  tags             VARCHAR    : JSON object
-- column  origin           VARCHAR    : where the id came from
-- column  command          VARCHAR    : base name of the program, null if unknown
-- column  simulated        BOOLEAN    : on simulated devices
-- column  recorded_at      TIMESTAMP  : when the ledger learned it; UTC, without zone
-- column  seq              BIGINT     : number of the commit
SELECT
    id,
    name,
    project,
    started_at,
    started_boot_ns,
    node_id,
    site_id,
    tags,
    origin,
    command,
    simulated,
    recorded_at,
    seq
FROM run
WHERE
    seq > $after
    AND seq <= $until

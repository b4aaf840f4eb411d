-- A boot of a node, as commits brought it; what the audit chain hashes.
-- param   after           BIGINT     : the commit before the first
-- param   until           BIGINT     : the last commit
-- column  id              VARCHAR    : of the node
-- column  boot_id         VARCHAR    : changes with each boot
-- column  hostname        VARCHAR    : for people
-- column  driver_version  VARCHAR    : of the GPUs, null if none
-- column  recorded_at     TIMESTAMP  : when the ledger learned it; UTC, without zone
-- column  seq             BIGINT     : number of the commit
SELECT
    id,
    boot_id,
    hostname,
    driver_version,
    recorded_at,
    seq
FROM node
WHERE
    seq > $after
    AND seq <= $until

-- Adds a node's boot, once.
-- param   id              VARCHAR    : of the node
-- param   boot_id         VARCHAR    : changes with each boot
-- param   hostname        VARCHAR    : for people
-- param   driver_version  VARCHAR    : of the GPUs, null if none
-- param   recorded_at     TIMESTAMP  : UTC, without zone
-- param   seq             BIGINT     : number of the commit
INSERT INTO node (id, boot_id, hostname, driver_version, recorded_at, seq)
VALUES ($id, $boot_id, $hostname, $driver_version, $recorded_at, $seq)
ON CONFLICT DO NOTHING

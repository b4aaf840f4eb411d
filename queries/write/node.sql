-- Adds a node's boot, once.
-- param   id              VARCHAR    : of the node
-- param   boot_id         VARCHAR    : changes with each boot
-- param   hostname        VARCHAR    : for people
-- param   driver_version  VARCHAR    : of the GPUs, null if none
-- param   recorded_at     TIMESTAMP  : UTC, without zone
INSERT INTO node (id, boot_id, hostname, driver_version, recorded_at)
VALUES ($id, $boot_id, $hostname, $driver_version, $recorded_at)
ON CONFLICT DO NOTHING

-- A boot of a node, the newest last.
-- column  id              VARCHAR    : of the node
-- column  boot_id         VARCHAR    : changes with each boot
-- column  hostname        VARCHAR    : for people
-- column  driver_version  VARCHAR    : null if none
-- column  recorded_at     TIMESTAMP  : UTC, without zone
SELECT
    id,
    boot_id,
    hostname,
    driver_version,
    recorded_at
FROM node
ORDER BY
    recorded_at,
    id

-- Adds a run, once; a second registration changes nothing.
-- param   id               VARCHAR    : of the run
-- param   name             VARCHAR    : for people
-- param   project          VARCHAR    : that pays
-- param   started_at       TIMESTAMP  : UTC, without zone
-- param   started_boot_ns  BIGINT     : CLOCK_BOOTTIME
-- param   node_id          VARCHAR    : where it began
-- param   site_id          VARCHAR    : where that is
-- param   tags             VARCHAR    : JSON object
-- param   origin           VARCHAR    : where the id came from
-- param   command          VARCHAR    : base name of the program, null if unknown
-- param   simulated        BOOLEAN    : on simulated devices
-- param   recorded_at      TIMESTAMP  : UTC, without zone
-- param   seq              BIGINT     : number of the commit
INSERT INTO run (
    id, name, project, started_at, started_boot_ns, node_id, site_id, tags, origin, command,
    simulated, recorded_at, seq
)
VALUES (
    $id, $name, $project, $started_at, $started_boot_ns, $node_id, $site_id, $tags, $origin,
    $command, $simulated, $recorded_at, $seq
)
ON CONFLICT DO NOTHING

-- A run of a node that has not ended.
-- param   node_id          VARCHAR    : where it began
-- column  id               VARCHAR    : of the run
-- column  name             VARCHAR    : for people
-- column  project          VARCHAR    : that pays
-- column  started_at       TIMESTAMP  : UTC, without zone
-- column  started_boot_ns  BIGINT     : CLOCK_BOOTTIME
-- column  node_id          VARCHAR    : where it began
-- column  site_id          VARCHAR    : where that is
-- column  tags             VARCHAR    : JSON object
-- column  origin           VARCHAR    : where the id came from
-- column  command          VARCHAR    : base name of the program
-- column  simulated        BOOLEAN    : on simulated devices
SELECT
    r.id AS id,
    r.name AS name,
    r.project AS project,
    r.started_at AS started_at,
    r.started_boot_ns AS started_boot_ns,
    r.node_id AS node_id,
    r.site_id AS site_id,
    r.tags AS tags,
    r.origin AS origin,
    r.command AS command,
    r.simulated AS simulated
FROM run AS r
LEFT JOIN (
    SELECT
        run_id,
        status,
        row_number() OVER (PARTITION BY run_id ORDER BY seq DESC, happened_at DESC) AS place
    FROM run_state
) AS s ON r.id = s.run_id AND s.place = 1
WHERE
    r.node_id = $node_id
    AND coalesce(s.status, 'running') = 'running'
ORDER BY
    r.started_at,
    r.id

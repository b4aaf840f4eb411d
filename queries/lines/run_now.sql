-- A run as registered, with its newest state.
-- param   as_of       TIMESTAMP  : what was known then
-- column  run_id      VARCHAR    : of the run
-- column  name        VARCHAR    : for people
-- column  project     VARCHAR    : that pays
-- column  tags        VARCHAR    : JSON object
-- column  node_id     VARCHAR    : where it began
-- column  site_id     VARCHAR    : where that is
-- column  origin      VARCHAR    : where the id came from
-- column  command     VARCHAR    : base name of the program
-- column  simulated   BOOLEAN    : on simulated devices
-- column  started_at  TIMESTAMP  : UTC, without zone
-- column  status      VARCHAR    : running, completed, failed, cancelled or abandoned
-- column  ended_at    TIMESTAMP  : null while it runs
-- column  exit_code   INTEGER    : null while it runs, or if unknown
SELECT
    r.id AS run_id,
    r.name AS name,
    r.project AS project,
    r.tags AS tags,
    r.node_id AS node_id,
    r.site_id AS site_id,
    r.origin AS origin,
    r.command AS command,
    r.simulated AS simulated,
    r.started_at AS started_at,
    CASE
        WHEN s.status = 'failed' AND j.status = 'cancelled' THEN 'cancelled'
        ELSE coalesce(s.status, 'running')
    END AS status,
    CASE WHEN s.status <> 'running' THEN s.happened_at END AS ended_at,
    CASE WHEN s.status <> 'running' THEN s.exit_code END AS exit_code
FROM run AS r
LEFT JOIN (
    SELECT
        run_id,
        status,
        happened_at,
        exit_code,
        row_number() OVER (PARTITION BY run_id ORDER BY seq DESC, happened_at DESC) AS version
    FROM run_state
    WHERE recorded_at <= $as_of
) AS s ON r.id = s.run_id AND s.version = 1
-- that a job was cancelled its provider tells; the state of its run knows only that it failed.
-- Only jobs that were ever cancelled are sorted: of all of them it would take memory without end
LEFT JOIN (
    SELECT
        h.run_id AS run_id,
        h.status AS status,
        row_number() OVER (PARTITION BY h.run_id ORDER BY h.seq DESC) AS version
    FROM hosted_job AS h
    WHERE
        h.recorded_at <= $as_of
        AND h.run_id IN (
            SELECT c.run_id
            FROM hosted_job AS c
            WHERE c.status = 'cancelled'
        )
) AS j ON r.id = j.run_id AND j.version = 1
WHERE r.recorded_at <= $as_of

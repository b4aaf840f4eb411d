-- The run asked for, with its newest state and the hours that its energy lies in.
-- param   run_id      VARCHAR    : of the run
-- param   as_of       TIMESTAMP  : what was known then
-- with    run_now
-- column  run_id      VARCHAR    : of the run
-- column  name        VARCHAR    : for people
-- column  project     VARCHAR    : that pays
-- column  tags        VARCHAR    : JSON object
-- column  node_id     VARCHAR    : where it began
-- column  site_id     VARCHAR    : where that is
-- column  zone        VARCHAR    : of that site's grid, null if unknown
-- column  simulated   BOOLEAN    : on simulated devices
-- column  started_at  TIMESTAMP  : UTC, without zone
-- column  status      VARCHAR    : running, completed, failed, cancelled or abandoned
-- column  ended_at    TIMESTAMP  : null while it runs
-- column  exit_code   INTEGER    : null while it runs, or if unknown
-- column  first_hour  TIMESTAMP  : null if it has no energy and no usage yet
-- column  last_hour   TIMESTAMP  : null if it has no energy and no usage yet
-- column  last_end    TIMESTAMP  : end of its newest interval
-- column  usage_rows  BIGINT     : of events of usage
-- with    site_now
SELECT
    r.run_id AS run_id,
    r.name AS name,
    r.project AS project,
    r.tags AS tags,
    r.node_id AS node_id,
    r.site_id AS site_id,
    s.zone AS zone,
    r.simulated AS simulated,
    r.started_at AS started_at,
    r.status AS status,
    r.ended_at AS ended_at,
    r.exit_code AS exit_code,
    min(i.hour) AS first_hour,
    max(i.hour) AS last_hour,
    max(i.end_at) AS last_end,
    cast(coalesce(sum(i.usage_row), 0) AS BIGINT) AS usage_rows
FROM run_now AS r
LEFT JOIN site_now AS s ON r.site_id = s.site_id
LEFT JOIN (
    SELECT
        run_id,
        hour,
        end_at,
        0 AS usage_row
    FROM interval
    WHERE
        run_id = $run_id
        AND recorded_at <= $as_of
    UNION ALL
    SELECT
        run_id,
        hour,
        cast(NULL AS TIMESTAMP) AS end_at,
        1 AS usage_row
    FROM usage_event
    WHERE
        run_id = $run_id
        AND recorded_at <= $as_of
) AS i ON r.run_id = i.run_id
WHERE r.run_id = $run_id
GROUP BY
    r.run_id,
    r.name,
    r.project,
    r.tags,
    r.node_id,
    r.site_id,
    s.zone,
    r.simulated,
    r.started_at,
    r.status,
    r.ended_at,
    r.exit_code

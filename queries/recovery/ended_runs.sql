-- A run of a node that has ended lately, with a budget of it where it has any.
-- param   node_id          VARCHAR        : where it began
-- param   since            TIMESTAMP      : when the oldest end may have been recorded
-- column  id               VARCHAR        : of the run
-- column  name             VARCHAR        : for people
-- column  project          VARCHAR        : that pays
-- column  started_at       TIMESTAMP      : UTC, without zone
-- column  started_boot_ns  BIGINT         : CLOCK_BOOTTIME
-- column  node_id          VARCHAR        : where it began
-- column  site_id          VARCHAR        : where that is
-- column  tags             VARCHAR        : JSON object
-- column  origin           VARCHAR        : where the id came from
-- column  command          VARCHAR        : base name of the program
-- column  simulated        BOOLEAN        : on simulated devices
-- column  status           VARCHAR        : completed, failed or abandoned
-- column  ended_at         TIMESTAMP      : UTC, without zone
-- column  exit_code        INTEGER        : null if none is known
-- column  amount           DECIMAL(18,9)  : of the budget, in its unit; null: there is none
-- column  unit             VARCHAR        : kWh, kgCO2e or a currency
-- column  stop             BOOLEAN        : whether the job is asked to end when it is used up
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
    r.simulated AS simulated,
    s.status AS status,
    s.happened_at AS ended_at,
    s.exit_code AS exit_code,
    b.amount AS amount,
    b.unit AS unit,
    b.stop AS stop
FROM run AS r
INNER JOIN (
    SELECT
        run_id,
        status,
        happened_at,
        exit_code,
        recorded_at,
        row_number() OVER (PARTITION BY run_id ORDER BY seq DESC, happened_at DESC) AS place
    FROM run_state
) AS s ON r.id = s.run_id AND s.place = 1
LEFT JOIN (
    SELECT
        run_id,
        amount,
        unit,
        stop,
        row_number() OVER (PARTITION BY run_id, unit ORDER BY seq, amount) AS place
    FROM run_budget
) AS b ON r.id = b.run_id AND b.place = 1
WHERE
    r.node_id = $node_id
    AND s.status <> 'running'
    AND s.recorded_at >= $since
ORDER BY
    s.happened_at,
    r.id,
    b.unit

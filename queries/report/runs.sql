-- A run with its IT energy, the newest first.
-- param   project    VARCHAR        : null is any
-- param   only_run   VARCHAR        : this one; null is any
-- param   from       TIMESTAMP      : that started then or later
-- param   to         TIMESTAMP      : that started before
-- param   as_of      TIMESTAMP      : what was known then
-- param   limit      BIGINT         : at most so many
-- with    run_now
-- column  run_id      VARCHAR        : of the run
-- column  name        VARCHAR        : for people
-- column  project     VARCHAR        : that pays
-- column  status      VARCHAR        : running, completed, failed, cancelled or abandoned
-- column  started_at  TIMESTAMP      : UTC, without zone
-- column  ended_at    TIMESTAMP      : null while it runs
-- column  exit_code   INTEGER        : null while it runs, or if unknown
-- column  simulated   BOOLEAN        : on simulated devices
-- column  energy_j    DECIMAL(24,3)  : IT energy; null while it runs and none is written, or if no estimate is known
-- column  low_j       DECIMAL(24,3)  : lower bound
-- column  high_j      DECIMAL(24,3)  : upper bound
-- column  method      VARCHAR        : the weakest
SELECT
    r.run_id AS run_id,
    r.name AS name,
    r.project AS project,
    r.status AS status,
    r.started_at AS started_at,
    r.ended_at AS ended_at,
    r.exit_code AS exit_code,
    r.simulated AS simulated,
    cast(
        CASE
            WHEN r.origin <> 'hosted' THEN coalesce(sum(i.energy_mj), CASE WHEN r.status <> 'running' THEN 0 END)
            WHEN sum(i.high_mj) <> 0 THEN sum(i.energy_mj)
        END
        * cast(0.001 AS DECIMAL(4, 3)) AS DECIMAL(24, 3)
    ) AS energy_j,
    cast(
        CASE
            WHEN r.origin <> 'hosted' THEN coalesce(sum(i.low_mj), CASE WHEN r.status <> 'running' THEN 0 END)
            WHEN sum(i.high_mj) <> 0 THEN sum(i.low_mj)
        END
        * cast(0.001 AS DECIMAL(4, 3)) AS DECIMAL(24, 3)
    ) AS low_j,
    cast(
        CASE
            WHEN r.origin <> 'hosted' THEN coalesce(sum(i.high_mj), CASE WHEN r.status <> 'running' THEN 0 END)
            WHEN sum(i.high_mj) <> 0 THEN sum(i.high_mj)
        END
        * cast(0.001 AS DECIMAL(4, 3)) AS DECIMAL(24, 3)
    ) AS high_j,
    CASE
    max(
        CASE i.method
            WHEN 'measured' THEN 0
            WHEN 'sourced' THEN 1
            WHEN 'modelled' THEN 2
            ELSE 3
        END
    )
        WHEN 1 THEN 'sourced'
        WHEN 2 THEN 'modelled'
        WHEN 3 THEN 'assumed'
        ELSE 'measured'
    END AS method
FROM (
    SELECT *
    FROM run_now
    WHERE
        ($project IS NULL OR project = $project)
        AND ($only_run IS NULL OR run_id = $only_run)
        AND started_at >= $from
        AND started_at < $to
    ORDER BY
        started_at DESC,
        run_id DESC
    LIMIT $limit
) AS r
LEFT JOIN interval AS i ON r.run_id = i.run_id AND i.recorded_at <= $as_of
GROUP BY
    r.run_id,
    r.name,
    r.project,
    r.status,
    r.started_at,
    r.ended_at,
    r.exit_code,
    r.simulated,
    r.origin
ORDER BY
    r.started_at DESC,
    r.run_id DESC

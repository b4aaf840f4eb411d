-- How far the energy of a run is known: its start and end, and what it is in all.
-- param   run_id     VARCHAR    : of the run
-- param   as_of      TIMESTAMP  : what was known then
-- param   from       TIMESTAMP  : first hour
-- param   to         TIMESTAMP  : hour after the last
-- with    run_now
-- column  start_at   TIMESTAMP  : UTC, without zone
-- column  end_at     TIMESTAMP  : of the run, or of its newest interval
-- column  energy_mj  BIGINT     : corrections included
-- column  low_mj     BIGINT     : lower bound
-- column  high_mj    BIGINT     : upper bound
SELECT
    r.started_at AS start_at,
    coalesce(r.ended_at, i.last_end, r.started_at) AS end_at,
    i.energy_mj AS energy_mj,
    i.low_mj AS low_mj,
    i.high_mj AS high_mj
FROM run_now AS r
CROSS JOIN (
    SELECT
        max(end_at) AS last_end,
        cast(greatest(coalesce(sum(energy_mj), 0), 0) AS BIGINT) AS energy_mj,
        cast(greatest(coalesce(sum(low_mj), 0), 0) AS BIGINT) AS low_mj,
        cast(greatest(coalesce(sum(high_mj), 0), 0) AS BIGINT) AS high_mj
    FROM interval
    WHERE
        run_id = $run_id
        AND recorded_at <= $as_of
        AND hour >= $from
        AND hour < $to
) AS i
WHERE r.run_id = $run_id

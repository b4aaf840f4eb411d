-- One row: energy of a run's devices while it ran, and the part that could be given to no run.
-- param   run_id           VARCHAR        : of the run
-- param   as_of            TIMESTAMP      : what was known then
-- param   start            TIMESTAMP      : of the run
-- param   end              TIMESTAMP      : of the run, or now
-- column  total_mj         DECIMAL(38,0)  : all but idle energy
-- column  unattributed_mj  DECIMAL(38,0)  : of it, nobody's
SELECT
    cast(coalesce(sum(i.energy_mj), 0) AS DECIMAL(38, 0)) AS total_mj,
    cast(
        coalesce(sum(CASE WHEN i.kind = 'unattributed' THEN i.energy_mj ELSE 0 END), 0)
        AS DECIMAL(38, 0)
    ) AS unattributed_mj
FROM interval AS i
INNER JOIN (
    SELECT DISTINCT device_id
    FROM interval
    WHERE
        run_id = $run_id
        AND recorded_at <= $as_of
        AND hour >= date_trunc('hour', $start)
        AND hour <= $end
) AS d ON i.device_id = d.device_id
WHERE
    i.recorded_at <= $as_of
    AND i.hour >= date_trunc('hour', $start)
    AND i.start_at < $end
    AND i.end_at > $start
    AND i.kind <> 'idle'

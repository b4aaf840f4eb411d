-- One of the newest estimates of a hosted run's energy, and what its run has of it.
-- column  run_id      VARCHAR  : of the run
-- column  tier        INTEGER  : of evidence; 1 is the best
-- column  low_mj      BIGINT   : lower bound
-- column  mid_mj      BIGINT   : null if it is a bound alone
-- column  high_mj     BIGINT   : upper bound
-- column  booked      BOOLEAN  : the run's energy stands on it
-- column  run_mj      DECIMAL(38,0)  : energy of the run; null if it has none
-- column  run_low_mj  DECIMAL(38,0)  : its lower bound
-- column  run_high_mj DECIMAL(38,0)  : its upper bound
SELECT
    e.run_id AS run_id,
    e.tier AS tier,
    e.low_mj AS low_mj,
    e.mid_mj AS mid_mj,
    e.high_mj AS high_mj,
    e.booked AS booked,
    s.energy_mj AS run_mj,
    s.low_mj AS run_low_mj,
    s.high_mj AS run_high_mj
FROM (
    SELECT
        h.*,
        max(h.seq) OVER (PARTITION BY h.run_id) AS newest
    FROM hosted_energy AS h
) AS e
LEFT JOIN (
    SELECT
        i.run_id,
        cast(sum(i.energy_mj) AS DECIMAL(38, 0)) AS energy_mj,
        cast(sum(i.low_mj) AS DECIMAL(38, 0)) AS low_mj,
        cast(sum(i.high_mj) AS DECIMAL(38, 0)) AS high_mj
    FROM interval AS i
    WHERE i.device_id = 'hosted:' || i.run_id
    GROUP BY i.run_id
) AS s ON e.run_id = s.run_id
WHERE e.seq = e.newest
ORDER BY
    e.run_id,
    e.tier

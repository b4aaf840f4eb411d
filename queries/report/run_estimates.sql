-- An estimate of a hosted run's energy by one tier of evidence; facility included.
-- param   run_id      VARCHAR    : of the run
-- param   as_of       TIMESTAMP  : what was known then
-- column  tier        INTEGER    : of evidence; 1 is the best
-- column  low_mj      BIGINT     : lower bound
-- column  mid_mj      BIGINT     : null if it is a bound alone
-- column  high_mj     BIGINT     : upper bound
-- column  booked      BOOLEAN    : the run's energy stands on it
-- column  reason      VARCHAR    : what it stands on
-- column  inputs      VARCHAR    : JSON object: each number of it
-- column  factor_ids  VARCHAR    : JSON list: facts behind it
SELECT
    e.tier AS tier,
    e.low_mj AS low_mj,
    e.mid_mj AS mid_mj,
    e.high_mj AS high_mj,
    e.booked AS booked,
    e.reason AS reason,
    e.inputs AS inputs,
    e.factor_ids AS factor_ids
FROM (
    SELECT
        h.*,
        max(h.seq) OVER () AS newest
    FROM hosted_energy AS h
    WHERE
        h.run_id = $run_id
        AND h.recorded_at <= $as_of
) AS e
WHERE e.seq = e.newest
ORDER BY e.tier

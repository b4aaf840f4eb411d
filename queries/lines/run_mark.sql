-- A mark of a run, with no more energy than is known of the run.
-- param   run_id     VARCHAR        : of the run
-- param   as_of      TIMESTAMP      : what was known then
-- with    run_span
-- column  marked_at  TIMESTAMP      : UTC, without zone
-- column  source     VARCHAR        : the process that told it, null if not told
-- column  number     BIGINT         : in the order of its source, 0 if not told
-- column  step       BIGINT         : null if not told
-- column  epoch      DECIMAL(18,9)  : null if not told
-- column  phase      VARCHAR        : null if not told
-- column  tokens     BIGINT         : null if not told
-- column  energy_mj  BIGINT         : of the run until then
-- column  low_mj     BIGINT         : lower bound, null if not kept
-- column  high_mj    BIGINT         : upper bound, null if not kept
-- column  below_mj   BIGINT         : how much less it may be by where between ticks the mark lies
-- column  above_mj   BIGINT         : how much more
SELECT
    m.marked_at AS marked_at,
    m.source AS source,
    coalesce(m.number, 0) AS number,
    m.step AS step,
    m.epoch AS epoch,
    m.phase AS phase,
    m.tokens AS tokens,
    least(m.energy_mj, s.energy_mj) AS energy_mj,
    m.low_mj AS low_mj,
    m.high_mj AS high_mj,
    coalesce(m.below_mj, 0) AS below_mj,
    coalesce(m.above_mj, 0) AS above_mj
FROM mark AS m
CROSS JOIN run_span AS s
WHERE
    m.run_id = $run_id
    AND m.recorded_at <= $as_of

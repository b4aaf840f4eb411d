-- An instant inside a run, as commits brought it; what the audit chain hashes.
-- param   after        BIGINT         : the commit before the first
-- param   until        BIGINT         : the last commit
-- column  run_id       VARCHAR        : of the run, null if of none
-- column  marked_at    TIMESTAMP      : UTC, without zone
-- column  energy_mj    BIGINT         : of the run until then
-- column  step         BIGINT         : null if not told
-- column  epoch        DECIMAL(18,9)  : null if not told
-- column  phase        VARCHAR        : null if not told
-- column  tokens       BIGINT         : null if not told
-- column  recorded_at  TIMESTAMP      : when the ledger learned it; UTC, without zone
-- column  fraction     DECIMAL(18,9)  : of the run that is done, null if not told
-- column  seq          BIGINT         : number of the commit
-- column  low_mj       BIGINT         : lower bound of the energy, null if not kept
-- column  high_mj      BIGINT         : upper bound
-- column  below_mj     BIGINT         : how much less it may be by where between ticks the mark lies
-- column  above_mj     BIGINT         : how much more
-- column  source       VARCHAR        : who told it, null if not told
-- column  number       BIGINT         : which of its marks it is
SELECT
    run_id,
    marked_at,
    energy_mj,
    step,
    epoch,
    phase,
    tokens,
    recorded_at,
    fraction,
    seq,
    low_mj,
    high_mj,
    below_mj,
    above_mj,
    source,
    number
FROM mark
WHERE
    seq > $after
    AND seq <= $until

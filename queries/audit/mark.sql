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
    seq
FROM mark
WHERE
    seq > $after
    AND seq <= $until

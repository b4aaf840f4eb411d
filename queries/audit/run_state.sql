-- A change of a run's status, as commits brought it; what the audit chain hashes.
-- param   after        BIGINT     : the commit before the first
-- param   until        BIGINT     : the last commit
-- column  run_id       VARCHAR    : of the run, null if of none
-- column  status       VARCHAR    : running, completed, failed or abandoned
-- column  happened_at  TIMESTAMP  : UTC, without zone
-- column  exit_code    INTEGER    : null if unknown
-- column  seq          BIGINT     : number of the commit
-- column  recorded_at  TIMESTAMP  : when the ledger learned it; UTC, without zone
SELECT
    run_id,
    status,
    happened_at,
    exit_code,
    seq,
    recorded_at
FROM run_state
WHERE
    seq > $after
    AND seq <= $until

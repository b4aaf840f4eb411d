-- A budget of a run, as commits brought it; what the audit chain hashes.
-- param   after        BIGINT         : the commit before the first
-- param   until        BIGINT         : the last commit
-- column  run_id       VARCHAR        : of the run
-- column  amount       DECIMAL(18,9)  : what the run may use
-- column  unit         VARCHAR        : of amount
-- column  stop         BOOLEAN        : whether the job is asked to end then
-- column  seq          BIGINT         : number of the commit
-- column  recorded_at  TIMESTAMP      : when the ledger learned it; UTC, without zone
SELECT
    run_id,
    amount,
    unit,
    stop,
    seq,
    recorded_at
FROM run_budget
WHERE
    seq > $after
    AND seq <= $until

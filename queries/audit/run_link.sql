-- An id that others gave a run, as commits brought it; what the audit chain hashes.
-- param   after        BIGINT     : the commit before the first
-- param   until        BIGINT     : the last commit
-- column  run_id       VARCHAR    : of the run
-- column  source       VARCHAR    : who gave the id
-- column  foreign_id   VARCHAR    : as given
-- column  seq          BIGINT     : number of the commit
-- column  recorded_at  TIMESTAMP  : when the ledger learned it; UTC, without zone
SELECT
    run_id,
    source,
    foreign_id,
    seq,
    recorded_at
FROM run_link
WHERE
    seq > $after
    AND seq <= $until

-- Changes the one row of last_commit, inside the commit that it names.
-- param   seq          BIGINT     : number of the commit
-- param   recorded_at  TIMESTAMP  : UTC, without zone
UPDATE last_commit
SET
    seq = $seq,
    recorded_at = $recorded_at

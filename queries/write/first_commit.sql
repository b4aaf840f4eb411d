-- Adds the one row of last_commit, in a new ledger.
-- param   recorded_at  TIMESTAMP  : UTC, without zone
INSERT INTO last_commit (seq, recorded_at)
VALUES (0, $recorded_at)

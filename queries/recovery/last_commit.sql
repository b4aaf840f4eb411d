-- One row: the newest commit.
-- column  seq          BIGINT     : number of the commit
-- column  recorded_at  TIMESTAMP  : when; no fact is newer
SELECT
    seq,
    recorded_at
FROM last_commit

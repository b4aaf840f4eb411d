-- A set of query texts, as commits brought it; what the audit chain hashes.
-- param   after        BIGINT     : the commit before the first
-- param   until        BIGINT     : the last commit
-- column  sha256       VARCHAR    : of the texts
-- column  texts        VARCHAR    : JSON object of the texts by their names
-- column  seq          BIGINT     : number of the commit
-- column  recorded_at  TIMESTAMP  : when the ledger learned it; UTC, without zone
SELECT
    sha256,
    texts,
    seq,
    recorded_at
FROM query_set
WHERE
    seq > $after
    AND seq <= $until

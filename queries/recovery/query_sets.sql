-- A set of query texts that is kept.
-- column  sha256  VARCHAR  : of the texts
SELECT sha256
FROM query_set

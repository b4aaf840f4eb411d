-- One row, or none: the set of query texts that has a hash.
-- param   sha256  VARCHAR  : of the texts
-- column  texts   VARCHAR  : JSON object of the texts by their names
SELECT texts
FROM query_set
WHERE sha256 = $sha256

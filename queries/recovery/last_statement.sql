-- One row, or none: the newest statement.
-- column  number  BIGINT   : 1, 2, 3 and so on
-- column  sha256  VARCHAR  : of the statement
SELECT
    number,
    sha256
FROM statement
ORDER BY number DESC
LIMIT 1

-- One row, or none: the newest link of the audit chain up to a commit.
-- param   until   BIGINT   : the commit
-- column  seq     BIGINT   : of its commit
-- column  sha256  VARCHAR  : of the link
SELECT
    seq,
    sha256
FROM batch
WHERE seq <= $until
ORDER BY
    seq DESC,
    sha256 DESC
LIMIT 1

-- One row, or none: the newest link of the audit chain.
-- column  seq     BIGINT     : of its commit
-- column  sha256  VARCHAR    : of the link
SELECT
    seq,
    sha256
FROM batch
ORDER BY seq DESC
LIMIT 1

-- A link of the audit chain after a commit, the oldest first.
-- param   after            BIGINT     : a commit
-- param   limit            BIGINT     : at most so many
-- column  seq              BIGINT     : of its commit
-- column  node_id          VARCHAR    : where it was written
-- column  row_count        BIGINT     : facts that it covers
-- column  content_sha256   VARCHAR    : over their canonical text
-- column  previous_sha256  VARCHAR    : of the link before
-- column  sha256           VARCHAR    : of this link
-- column  recorded_at      TIMESTAMP  : UTC, without zone
SELECT
    seq,
    node_id,
    row_count,
    content_sha256,
    previous_sha256,
    sha256,
    recorded_at
FROM batch
WHERE seq > $after
ORDER BY
    seq,
    sha256
LIMIT $limit

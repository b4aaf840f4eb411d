-- One row: how far the audit chain goes.
-- column  batches      BIGINT         : links
-- column  row_count    DECIMAL(38,0)  : facts that they say they cover
-- column  newest       BIGINT         : commit of the newest link, null if there is none
-- column  last_commit  BIGINT         : number of the newest commit
SELECT
    count(*) AS batches,
    cast(coalesce(sum(b.row_count), 0) AS DECIMAL(38, 0)) AS row_count,
    max(b.seq) AS newest,
    (SELECT max(c.seq) FROM last_commit AS c) AS last_commit
FROM batch AS b

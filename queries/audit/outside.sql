-- How many facts of a table lie outside every batch: newer than the chain, or of no commit.
-- column  table_name  VARCHAR  : the table
-- column  row_count   BIGINT   : facts
SELECT
    f.table_name AS table_name,
    count(*) AS row_count
FROM (
    SELECT
        'charge' AS table_name,
        seq
    FROM charge
    UNION ALL
    SELECT
        'device' AS table_name,
        seq
    FROM device
    UNION ALL
    SELECT
        'factor' AS table_name,
        seq
    FROM factor
    UNION ALL
    SELECT
        'hold' AS table_name,
        seq
    FROM hold
    UNION ALL
    SELECT
        'hosted_energy' AS table_name,
        seq
    FROM hosted_energy
    UNION ALL
    SELECT
        'hosted_job' AS table_name,
        seq
    FROM hosted_job
    UNION ALL
    SELECT
        'interval' AS table_name,
        seq
    FROM interval
    UNION ALL
    SELECT
        'mark' AS table_name,
        seq
    FROM mark
    UNION ALL
    SELECT
        'node' AS table_name,
        seq
    FROM node
    UNION ALL
    SELECT
        'notice' AS table_name,
        seq
    FROM notice
    UNION ALL
    SELECT
        'price' AS table_name,
        seq
    FROM price
    UNION ALL
    SELECT
        'query_set' AS table_name,
        seq
    FROM query_set
    UNION ALL
    SELECT
        'run' AS table_name,
        seq
    FROM run
    UNION ALL
    SELECT
        'run_budget' AS table_name,
        seq
    FROM run_budget
    UNION ALL
    SELECT
        'run_link' AS table_name,
        seq
    FROM run_link
    UNION ALL
    SELECT
        'run_state' AS table_name,
        seq
    FROM run_state
    UNION ALL
    SELECT
        'site' AS table_name,
        seq
    FROM site
    UNION ALL
    SELECT
        'statement' AS table_name,
        seq
    FROM statement
    UNION ALL
    SELECT
        'usage_event' AS table_name,
        seq
    FROM usage_event
) AS f
CROSS JOIN (SELECT coalesce(max(seq), -1) AS newest FROM batch) AS b
WHERE
    f.seq IS NULL
    OR f.seq < 0
    OR f.seq > b.newest
GROUP BY f.table_name
ORDER BY f.table_name

-- How many facts a commit brought that no batch covers yet; of before the chain began, 0 holds all without a number.
-- column  seq        BIGINT  : number of the commit
-- column  row_count  BIGINT  : facts
SELECT
    f.seq AS seq,
    count(*) AS row_count
FROM (
    SELECT seq FROM device
    UNION ALL
    SELECT seq FROM factor
    UNION ALL
    SELECT seq FROM hold
    UNION ALL
    SELECT seq FROM interval
    UNION ALL
    SELECT seq FROM mark
    UNION ALL
    SELECT seq FROM node
    UNION ALL
    SELECT seq FROM notice
    UNION ALL
    SELECT seq FROM price
    UNION ALL
    SELECT seq FROM query_set
    UNION ALL
    SELECT seq FROM run
    UNION ALL
    SELECT seq FROM run_budget
    UNION ALL
    SELECT seq FROM run_link
    UNION ALL
    SELECT seq FROM run_state
    UNION ALL
    SELECT seq FROM site
    UNION ALL
    SELECT seq FROM statement
) AS f
GROUP BY f.seq
ORDER BY f.seq

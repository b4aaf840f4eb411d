-- How many events of a run's usage have no price, so that its money lacks them.
-- param   as_of        TIMESTAMP      : what was known then
-- param   from         TIMESTAMP      : first hour
-- param   to           TIMESTAMP      : hour after the last
-- with    usage_cost
-- column  run_id       VARCHAR        : of the run
-- column  event_count  DECIMAL(38,0)  : events
SELECT
    u.run_id AS run_id,
    cast(sum(u.event_count) AS DECIMAL(38, 0)) AS event_count
FROM usage_cost AS u
WHERE
    u.amount IS NULL
    AND u.quantity IS NOT NULL
    AND u.run_id IS NOT NULL
GROUP BY u.run_id
ORDER BY u.run_id

-- Flags of events of usage of a run, and how many have just these.
-- param   run_id       VARCHAR    : of the run
-- param   as_of        TIMESTAMP  : what was known then
-- with    usage_now
-- column  flags        VARCHAR    : JSON list
-- column  event_count  BIGINT     : events
SELECT
    u.flags AS flags,
    count(DISTINCT u.event_key) AS event_count
FROM usage_now AS u
WHERE
    u.flags IS NOT NULL
    AND u.run_id = $run_id
GROUP BY u.flags
ORDER BY u.flags

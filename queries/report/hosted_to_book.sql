-- A hosted run whose energy became known with commits after one, for live counters.
-- param   since_seq   BIGINT     : that came with a commit after this; null is all
-- param   as_of       TIMESTAMP  : what was known then
-- column  run_id      VARCHAR    : of the run
-- column  project     VARCHAR    : that pays
-- column  method      VARCHAR    : modelled, or assumed where only an upper bound is known
-- column  first_hour  TIMESTAMP  : UTC, without zone
-- column  last_hour   TIMESTAMP  : UTC, without zone
SELECT
    i.run_id AS run_id,
    r.project AS project,
    max(i.method) AS method,
    min(i.hour) AS first_hour,
    max(i.hour) AS last_hour
FROM interval AS i
INNER JOIN run AS r ON i.run_id = r.id
WHERE
    ($since_seq IS NULL OR i.seq > $since_seq)
    AND i.recorded_at <= $as_of
    AND NOT i.correction
    AND i.device_id = 'hosted:' || i.run_id
GROUP BY
    i.run_id,
    r.project
ORDER BY i.run_id

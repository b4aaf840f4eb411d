-- A run of which something lies in a span of time, and when its series begin and end.
-- param   first       TIMESTAMP  : where the span begins
-- param   last        TIMESTAMP  : and where it ends
-- param   step        INTEGER    : minutes, of which an hour is a multiple
-- param   linger      INTEGER    : minutes that its series go on after its end
-- with    run_now
-- column  run_id      VARCHAR    : of the run
-- column  name        VARCHAR    : for people
-- column  project     VARCHAR    : that pays
-- column  simulated   BOOLEAN    : on simulated devices
-- column  started_at  TIMESTAMP  : UTC, without zone
-- column  ended_at    TIMESTAMP  : null while it runs
-- column  since       TIMESTAMP  : start of the step in which it began
-- column  until       TIMESTAMP  : end of the step in which it ended, and some minutes; null while it runs
SELECT
    r.run_id AS run_id,
    r.name AS name,
    r.project AS project,
    r.simulated AS simulated,
    r.started_at AS started_at,
    r.ended_at AS ended_at,
    date_trunc('hour', r.started_at)
    + (extract(MINUTE FROM r.started_at) - mod(extract(MINUTE FROM r.started_at), $step))
    * INTERVAL '1' MINUTE AS since,
    date_trunc('hour', r.ended_at)
    + (extract(MINUTE FROM r.ended_at) - mod(extract(MINUTE FROM r.ended_at), $step) + $step + $linger)
    * INTERVAL '1' MINUTE AS until
FROM run_now AS r
WHERE
    r.started_at < $last
    AND (r.ended_at IS NULL OR r.ended_at >= $first)

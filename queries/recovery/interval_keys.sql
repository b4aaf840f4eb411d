-- The key of an interval that starts inside a span; corrections have none.
-- param   from       TIMESTAMP  : UTC, without zone
-- param   to         TIMESTAMP  : inclusive
-- column  device_id  VARCHAR    : whose energy
-- column  kind       VARCHAR    : run, idle or unattributed
-- column  run_id     VARCHAR    : null unless kind is run
-- column  start_at   TIMESTAMP  : UTC, without zone
SELECT
    device_id,
    kind,
    run_id,
    start_at
FROM interval
WHERE
    start_at >= $from
    AND start_at <= $to
    AND NOT correction

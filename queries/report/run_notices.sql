-- A notice about a run, or about one of its devices while it ran; once each.
-- param   run_id     VARCHAR    : of the run
-- param   as_of      TIMESTAMP  : what was known then
-- param   start      TIMESTAMP  : of the run
-- param   end        TIMESTAMP  : of the run, or now
-- column  code       VARCHAR    : stable
-- column  message    VARCHAR    : one sentence
-- column  severity   VARCHAR    : info or warning
-- column  device_id  VARCHAR    : null if of no device
-- column  first_at   TIMESTAMP  : when first
-- column  times      BIGINT     : how often
SELECT
    n.code AS code,
    n.message AS message,
    n.severity AS severity,
    n.device_id AS device_id,
    min(n.noticed_at) AS first_at,
    count(*) AS times
FROM notice AS n
WHERE
    n.recorded_at <= $as_of
    AND (
        n.run_id = $run_id
        OR (
            n.run_id IS NULL
            AND (n.noticed_at IS NULL OR (n.noticed_at >= $start AND n.noticed_at <= $end))
            AND n.device_id IN (
                SELECT h.device_id FROM hold AS h
                WHERE h.run_id = $run_id
            )
        )
    )
GROUP BY
    n.code,
    n.message,
    n.severity,
    n.device_id
ORDER BY
    min(n.noticed_at),
    n.code,
    n.message

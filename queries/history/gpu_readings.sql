-- What a GPU showed last in a step, of which readings are kept.
-- param   from                 TIMESTAMP  : first hour
-- param   to                   TIMESTAMP  : hour after the last
-- param   step                 INTEGER    : minutes, of which an hour is a multiple
-- with    device_shown
-- column  gpu                  VARCHAR    : as NVML numbers it
-- column  uuid                 VARCHAR    : of the GPU
-- column  at                   TIMESTAMP  : end of the step, UTC, without zone
-- column  utilization_ratio    DOUBLE     : 0 to 1, null if not given
-- column  memory_used_bytes    BIGINT     : null if not given
-- column  temperature_celsius  DOUBLE     : null if not given
SELECT
    d.gpu AS gpu,
    d.device_id AS uuid,
    r.at AS at,
    r.utilization_ratio AS utilization_ratio,
    r.memory_used_bytes AS memory_used_bytes,
    r.temperature_celsius AS temperature_celsius
FROM (
    SELECT
        s.*,
        row_number() OVER (PARTITION BY s.device_id, s.at ORDER BY s.read_at DESC, s.seq DESC) AS place
    FROM (
        SELECT
            *,
            date_trunc('hour', read_at)
            + (extract(MINUTE FROM read_at) - mod(extract(MINUTE FROM read_at), $step) + $step) * INTERVAL '1' MINUTE
                AS at
        FROM reading
        WHERE
            read_at >= $from
            AND read_at < $to
    ) AS s
) AS r
INNER JOIN device_shown AS d ON r.device_id = d.device_id
WHERE
    r.place = 1
    AND d.component = 'gpu'
ORDER BY
    d.gpu,
    d.device_id,
    r.at

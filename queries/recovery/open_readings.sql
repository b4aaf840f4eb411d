-- A raw reading that is not in any interval yet, or the last one before; in order of time.
-- param   since_seq            BIGINT     : commits after this one only; older readings are left alone
-- column  device_id            VARCHAR    : UUID of a GPU
-- column  read_at              TIMESTAMP  : UTC, without zone
-- column  boot_ns              BIGINT     : CLOCK_BOOTTIME
-- column  curve_mj             BIGINT     : our cumulative curve
-- column  settled_boot_ns      BIGINT     : instant that curve_mj holds for
-- column  counter_mj           BIGINT     : the device's own, null if none
-- column  power_mw             BIGINT     : null if unknown
-- column  utilization_ratio    DOUBLE     : null if unknown
-- column  memory_used_bytes    BIGINT     : null if unknown
-- column  temperature_celsius  DOUBLE     : null if unknown
WITH w AS (
    SELECT
        device_id,
        max(seq) AS seq,
        max(end_at) AS end_at
    FROM interval
    WHERE NOT correction
    GROUP BY device_id
),

b AS (
    SELECT
        k.device_id,
        max(k.boot_ns) AS boot_ns,
        max(k.seq) AS seq
    FROM reading AS k
    INNER JOIN w ON k.device_id = w.device_id
    WHERE
        k.read_at <= w.end_at
        AND k.seq > $since_seq
    GROUP BY k.device_id
)

SELECT
    r.device_id AS device_id,
    r.read_at AS read_at,
    r.boot_ns AS boot_ns,
    r.curve_mj AS curve_mj,
    r.settled_boot_ns AS settled_boot_ns,
    r.counter_mj AS counter_mj,
    r.power_mw AS power_mw,
    r.utilization_ratio AS utilization_ratio,
    r.memory_used_bytes AS memory_used_bytes,
    r.temperature_celsius AS temperature_celsius
FROM reading AS r
LEFT JOIN b ON r.device_id = b.device_id
WHERE
    r.seq > $since_seq
    AND (b.device_id IS NULL OR r.boot_ns >= b.boot_ns)
ORDER BY
    r.device_id,
    r.seq,
    r.boot_ns

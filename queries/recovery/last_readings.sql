-- The newest raw reading of a device, among those of recent commits.
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
FROM (
    SELECT
        k.*,
        row_number() OVER (PARTITION BY k.device_id ORDER BY k.boot_ns DESC) AS place
    FROM reading AS k
    INNER JOIN (
        SELECT
            device_id,
            max(seq) AS seq
        FROM reading
        WHERE seq > $since_seq
        GROUP BY device_id
    ) AS n ON k.device_id = n.device_id AND k.seq = n.seq
    WHERE k.seq > $since_seq
) AS r
WHERE r.place = 1
ORDER BY r.device_id

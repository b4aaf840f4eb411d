-- A look at who used a shared device that may tell of what no interval holds yet; in order of time.
-- param   since_seq     BIGINT     : commits after this one only; older looks are left alone
-- column  device_id     VARCHAR    : UUID of a GPU
-- column  read_at       TIMESTAMP  : UTC, without zone
-- column  from_boot_ns  BIGINT     : CLOCK_BOOTTIME of the look before
-- column  boot_ns       BIGINT     : CLOCK_BOOTTIME
-- column  runs          VARCHAR    : JSON object, use by run
-- column  others        BIGINT     : use of processes that belong to no run, null if there were none
-- column  idle_mw       BIGINT     : what the device draws unused
-- column  idle_seen     BOOLEAN    : whether that was seen, else it is assumed
WITH w AS (
    SELECT
        device_id,
        max(end_at) AS end_at
    FROM interval
    WHERE NOT correction
    GROUP BY device_id
)

SELECT
    u.device_id AS device_id,
    u.read_at AS read_at,
    u.from_boot_ns AS from_boot_ns,
    u.boot_ns AS boot_ns,
    u.runs AS runs,
    u.others AS others,
    u.idle_mw AS idle_mw,
    u.idle_seen AS idle_seen
FROM device_use AS u
LEFT JOIN w ON u.device_id = w.device_id
WHERE
    u.seq > $since_seq
    AND (w.device_id IS NULL OR u.read_at >= w.end_at - INTERVAL '1' MINUTE)
ORDER BY
    u.device_id,
    u.seq,
    u.boot_ns

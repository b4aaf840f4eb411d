-- A claim of a run on a device, or its end, as commits brought it; what the audit chain hashes.
-- param   after              BIGINT     : the commit before the first
-- param   until              BIGINT     : the last commit
-- column  run_id             VARCHAR    : of the run, null if of none
-- column  device_id          VARCHAR    : of the device, null if of none
-- column  start_boot_ns      BIGINT     : CLOCK_BOOTTIME
-- column  end_boot_ns        BIGINT     : CLOCK_BOOTTIME, null while held
-- column  share_numerator    BIGINT     : of the device
-- column  share_denominator  BIGINT     : of the device
-- column  seq                BIGINT     : number of the commit
-- column  recorded_at        TIMESTAMP  : when the ledger learned it; UTC, without zone
SELECT
    run_id,
    device_id,
    start_boot_ns,
    end_boot_ns,
    share_numerator,
    share_denominator,
    seq,
    recorded_at
FROM hold
WHERE
    seq > $after
    AND seq <= $until

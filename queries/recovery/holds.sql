-- A hold of a run, with its end where it has one.
-- param   run_id             VARCHAR  : of the run
-- column  run_id             VARCHAR  : of the run
-- column  device_id          VARCHAR  : UUID of a GPU
-- column  start_boot_ns      BIGINT   : CLOCK_BOOTTIME
-- column  end_boot_ns        BIGINT   : null: still held
-- column  share_numerator    BIGINT   : of the device
-- column  share_denominator  BIGINT   : of the device
SELECT
    h.run_id AS run_id,
    h.device_id AS device_id,
    h.start_boot_ns AS start_boot_ns,
    h.end_boot_ns AS end_boot_ns,
    h.share_numerator AS share_numerator,
    h.share_denominator AS share_denominator
FROM (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY device_id, start_boot_ns
            ORDER BY seq DESC, end_boot_ns DESC
        ) AS place
    FROM hold
    WHERE run_id = $run_id
) AS h
WHERE h.place = 1
ORDER BY
    h.device_id,
    h.start_boot_ns

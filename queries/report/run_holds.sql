-- A device that a run held, and for how long in all.
-- param   run_id     VARCHAR        : of the run
-- param   as_of      TIMESTAMP      : what was known then
-- column  device_id  VARCHAR        : UUID of a GPU
-- column  held_ns    DECIMAL(38,0)  : of the holds that have ended
-- column  open       BIGINT         : holds that have not
SELECT
    h.device_id AS device_id,
    cast(coalesce(sum(h.end_boot_ns - h.start_boot_ns), 0) AS DECIMAL(38, 0)) AS held_ns,
    count(*) - count(h.end_boot_ns) AS open
FROM (
    SELECT
        device_id,
        start_boot_ns,
        max(end_boot_ns) AS end_boot_ns
    FROM hold
    WHERE
        run_id = $run_id
        AND recorded_at <= $as_of
    GROUP BY
        device_id,
        start_boot_ns
) AS h
GROUP BY h.device_id
ORDER BY h.device_id

-- A point of a run's power on a device, from its intervals: one a minute, at the interval's end.
-- param   run_id     VARCHAR    : of the run
-- param   as_of      TIMESTAMP  : what was known then
-- param   from       TIMESTAMP  : first hour
-- param   to         TIMESTAMP  : hour after the last
-- column  device_id  VARCHAR    : UUID of a GPU
-- column  read_at    TIMESTAMP  : UTC, without zone
-- column  power_w    DOUBLE     : mean of the interval
-- column  energy_j   DOUBLE     : the run's on this device since its start
SELECT
    m.device_id AS device_id,
    m.end_at AS read_at,
    cast(m.energy_mj AS DOUBLE) * 1000.0 / nullif(cast(m.duration_us AS DOUBLE), 0) AS power_w,
    cast(
        sum(m.energy_mj) OVER (
            PARTITION BY m.device_id
            ORDER BY m.end_at
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS DOUBLE
    ) / 1000.0 AS energy_j
FROM (
    SELECT
        i.device_id,
        max(i.end_at) AS end_at,
        cast(sum(i.energy_mj) AS BIGINT) AS energy_mj,
        sum(i.duration_us) AS duration_us
    FROM interval AS i
    WHERE
        i.run_id = $run_id
        AND i.recorded_at <= $as_of
        AND i.hour >= $from
        AND i.hour < $to
    GROUP BY
        i.device_id,
        date_trunc('minute', i.start_at)
) AS m
ORDER BY
    m.device_id,
    m.end_at

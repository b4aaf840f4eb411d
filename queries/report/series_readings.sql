-- A point of the power of a device that a run held, from raw readings; energy counts from the first point.
-- param   run_id     VARCHAR    : of the run
-- param   start      TIMESTAMP  : of the run
-- param   end        TIMESTAMP  : of the last reading: some seconds after the run's end, since it lags
-- column  device_id  VARCHAR    : UUID of a GPU
-- column  read_at    TIMESTAMP  : UTC, without zone
-- column  lag_ns     BIGINT     : by how much earlier the point is, because the curve settles later
-- column  power_w    DOUBLE     : mean since the point before; null if unknown
-- column  energy_j   DOUBLE     : of the whole device since the first point
SELECT
    p.device_id AS device_id,
    p.read_at AS read_at,
    p.boot_ns - p.settled_boot_ns AS lag_ns,
    coalesce(
        cast(p.curve_mj - p.curve_before_mj AS DOUBLE) * 1000000.0
        / nullif(p.settled_boot_ns - p.settled_before_ns, 0),
        cast(p.power_mw AS DOUBLE) / 1000.0
    ) AS power_w,
    cast(p.curve_mj - p.first_curve_mj AS DOUBLE) / 1000.0 AS energy_j
FROM (
    SELECT
        r.device_id,
        r.read_at,
        r.boot_ns,
        r.curve_mj,
        r.settled_boot_ns,
        r.power_mw,
        lag(r.curve_mj) OVER (PARTITION BY r.device_id ORDER BY r.read_at, r.boot_ns) AS curve_before_mj,
        lag(r.settled_boot_ns) OVER (
            PARTITION BY r.device_id ORDER BY r.read_at, r.boot_ns
        ) AS settled_before_ns,
        first_value(r.curve_mj) OVER (
            PARTITION BY r.device_id ORDER BY r.read_at, r.boot_ns
        ) AS first_curve_mj
    FROM reading AS r
    WHERE
        r.read_at >= $start
        AND r.read_at <= $end
        AND r.device_id IN (
            SELECT h.device_id FROM hold AS h
            WHERE h.run_id = $run_id
        )
) AS p
ORDER BY
    p.device_id,
    p.read_at

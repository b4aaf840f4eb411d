-- A step's energy or GPU time times one of its rates, exact: nano-units of money or grams, as live counters have them.
-- with    step_line
-- with    device_now
-- with    rate
-- once    site_factor
-- once    rate
-- column  run_id     VARCHAR         : null if no run's
-- column  owner      VARCHAR         : run, idle or unattributed
-- column  at         TIMESTAMP       : end of the step
-- column  kind       VARCHAR         : electricity, gpu_time, of jobs of providers hosted; and with _overhead
-- column  basis      VARCHAR         : location or market; null if money
-- column  currency   VARCHAR         : null if carbon
-- column  amount     DECIMAL(38,15)  : never rounded
SELECT
    e.run_id AS run_id,
    e.owner AS owner,
    e.at AS at,
    CASE
        WHEN e.device_id = 'hosted:' || e.run_id AND r.kind = 'location' THEN 'hosted'
        WHEN e.device_id = 'hosted:' || e.run_id AND r.kind = 'location_overhead' THEN 'hosted_overhead'
        WHEN r.kind IN ('electricity', 'electricity_overhead', 'gpu_time') THEN r.kind
        WHEN r.kind IN ('location', 'market', 'market_default') THEN 'electricity'
        ELSE 'electricity_overhead'
    END AS kind,
    CASE
        WHEN r.kind IN ('location', 'location_overhead') THEN 'location'
        WHEN r.currency IS NULL THEN 'market'
    END AS basis,
    r.currency AS currency,
    cast(CASE WHEN r.kind = 'gpu_time' THEN e.held_us ELSE e.energy_mj END * r.rate AS DECIMAL(38, 15)) AS amount
FROM step_line AS e
LEFT JOIN device_now AS d ON e.device_id = d.device_id
INNER JOIN rate AS r ON e.site_id = r.site_id AND e.hour = r.hour AND e.quarter = r.quarter
WHERE
    r.kind IN (
        'electricity', 'electricity_overhead', 'location', 'location_overhead', 'market', 'market_overhead',
        'market_default', 'market_default_overhead'
    )
    OR (r.kind = 'gpu_time' AND d.component = 'gpu' AND e.owner = 'run')

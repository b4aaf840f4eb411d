-- An energy line times one of its rates, exact: nano-units of money, grams or litres, or mJ of overhead.
-- with    energy_line
-- with    device_now
-- with    rate
-- with    model_rate
-- column  run_id            VARCHAR         : null if no run's
-- column  owner             VARCHAR         : run, idle or unattributed
-- column  device_id         VARCHAR         : whose energy
-- column  component         VARCHAR         : of the device
-- column  site_id           VARCHAR         : where
-- column  hour              TIMESTAMP       : UTC, without zone
-- column  quarter           INTEGER         : of the hour; 0 is all of an hour that no border cuts
-- column  kind              VARCHAR         : of the line
-- column  currency          VARCHAR         : null if no money
-- column  amount            DECIMAL(38,15)  : never rounded
-- column  low               DECIMAL(38,15)  : lower bound
-- column  high              DECIMAL(38,15)  : upper bound
-- column  weakness          INTEGER         : of the weakest method behind it
-- column  factor_id         VARCHAR         : the fact it stands on
-- column  second_factor_id  VARCHAR         : and another, if any
-- column  third_factor_id   VARCHAR         : and a third, if any
SELECT
    q.run_id AS run_id,
    q.owner AS owner,
    q.device_id AS device_id,
    q.component AS component,
    q.site_id AS site_id,
    q.hour AS hour,
    q.quarter AS quarter,
    q.kind AS kind,
    q.currency AS currency,
    cast(q.quantity * q.rate AS DECIMAL(38, 15)) AS amount,
    cast(
        CASE
            WHEN q.low >= 0 AND q.rate_low >= 0 THEN q.low * q.rate_low
            ELSE least(
                q.low * q.rate_low, q.low * q.rate_high, q.high * q.rate_low, q.high * q.rate_high
            )
        END AS DECIMAL(38, 15)
    ) AS low,
    cast(
        CASE
            WHEN q.low >= 0 AND q.rate_low >= 0 THEN q.high * q.rate_high
            ELSE greatest(
                q.low * q.rate_low, q.low * q.rate_high, q.high * q.rate_low, q.high * q.rate_high
            )
        END AS DECIMAL(38, 15)
    ) AS high,
    q.weakness AS weakness,
    q.factor_id AS factor_id,
    q.second_factor_id AS second_factor_id,
    q.third_factor_id AS third_factor_id
FROM (
    SELECT
        e.run_id,
        e.owner,
        e.device_id,
        d.component,
        e.site_id,
        e.hour,
        e.quarter,
        r.kind,
        r.currency,
        r.rate,
        r.rate_low,
        r.rate_high,
        r.factor_id,
        r.second_factor_id,
        r.third_factor_id,
        CASE WHEN r.kind = 'gpu_time' THEN e.held_us ELSE e.energy_mj END AS quantity,
        CASE WHEN r.kind = 'gpu_time' THEN e.held_us ELSE e.low_mj END AS low,
        CASE WHEN r.kind = 'gpu_time' THEN e.held_us ELSE e.high_mj END AS high,
        CASE
            WHEN r.kind = 'gpu_time' THEN r.weakness
            ELSE greatest(e.weakness, r.weakness)
        END AS weakness
    FROM energy_line AS e
    LEFT JOIN device_now AS d ON e.device_id = d.device_id
    INNER JOIN rate AS r
        ON e.site_id = r.site_id AND e.hour = r.hour AND e.quarter = r.quarter
    WHERE
        r.kind <> 'gpu_time'
        OR (d.component = 'gpu' AND e.owner = 'run')
    UNION ALL
    SELECT
        e.run_id,
        e.owner,
        e.device_id,
        d.component,
        e.site_id,
        e.hour,
        e.quarter,
        r.kind,
        cast(NULL AS VARCHAR) AS currency,
        r.rate,
        r.rate_low,
        r.rate_high,
        r.factor_id,
        cast(NULL AS VARCHAR) AS second_factor_id,
        cast(NULL AS VARCHAR) AS third_factor_id,
        e.held_us AS quantity,
        e.held_us AS low,
        e.held_us AS high,
        r.weakness
    FROM energy_line AS e
    INNER JOIN device_now AS d ON e.device_id = d.device_id
    INNER JOIN model_rate AS r
        ON
            e.site_id = r.site_id
            AND d.name = r.name
            AND e.hour = r.hour
            AND e.quarter = r.quarter
    WHERE
        d.component = 'gpu'
        AND e.owner = 'run'
) AS q

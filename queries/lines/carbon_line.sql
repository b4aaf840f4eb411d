-- CO2e for one owner, device, site, UTC hour and kind, in nanograms; of each basis apart, never to be added up.
-- with    rated_line
-- column  run_id            VARCHAR         : null if no run's
-- column  owner             VARCHAR         : run, idle or unattributed
-- column  device_id         VARCHAR         : whose energy
-- column  site_id           VARCHAR         : where
-- column  hour              TIMESTAMP       : UTC, without zone
-- column  kind              VARCHAR         : a basis, market_default, an _overhead of these, embodied_board or _server
-- column  basis             VARCHAR         : location, market, tnd or embodied
-- column  amount            DECIMAL(38,15)  : never rounded
-- column  low               DECIMAL(38,15)  : lower bound
-- column  high              DECIMAL(38,15)  : upper bound
-- column  weakness          INTEGER         : of the weakest method behind it
-- column  factor_id         VARCHAR         : the fact it stands on
-- column  second_factor_id  VARCHAR         : and another, if any
-- column  third_factor_id   VARCHAR         : and a third, if any
SELECT
    l.run_id AS run_id,
    l.owner AS owner,
    l.device_id AS device_id,
    l.site_id AS site_id,
    l.hour AS hour,
    l.kind AS kind,
    CASE
        WHEN l.kind IN ('location', 'location_overhead') THEN 'location'
        WHEN l.kind IN ('tnd', 'tnd_overhead') THEN 'tnd'
        WHEN l.kind IN ('embodied_board', 'embodied_server') THEN 'embodied'
        ELSE 'market'
    END AS basis,
    l.amount AS amount,
    l.low AS low,
    l.high AS high,
    l.weakness AS weakness,
    l.factor_id AS factor_id,
    l.second_factor_id AS second_factor_id,
    l.third_factor_id AS third_factor_id
FROM rated_line AS l
WHERE l.kind NOT IN ('electricity', 'electricity_overhead', 'gpu_time', 'water', 'energy_overhead')

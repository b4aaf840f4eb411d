-- Money for one owner, device, site, UTC hour and kind, in nano-units of its currency.
-- with    rated_line
-- column  run_id            VARCHAR         : null if no run's
-- column  owner             VARCHAR         : run, idle or unattributed
-- column  device_id         VARCHAR         : whose energy
-- column  site_id           VARCHAR         : where
-- column  hour              TIMESTAMP       : UTC, without zone
-- column  quarter           INTEGER         : of the hour; 0 is all of an hour that no border cuts
-- column  kind              VARCHAR         : electricity, electricity_overhead or gpu_time
-- column  currency          VARCHAR         : null if no money
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
    l.quarter AS quarter,
    l.kind AS kind,
    l.currency AS currency,
    l.amount AS amount,
    l.low AS low,
    l.high AS high,
    l.weakness AS weakness,
    l.factor_id AS factor_id,
    l.second_factor_id AS second_factor_id,
    l.third_factor_id AS third_factor_id
FROM rated_line AS l
WHERE l.kind IN ('electricity', 'electricity_overhead', 'gpu_time')

-- Any line: energy in mJ as one kind, every rated line, and usage that has a price.
-- with    energy_line
-- with    rated_line
-- with    usage_cost
-- param   only_kind    VARCHAR         : of this kind; null is every kind
-- column  run_id       VARCHAR         : null if no run's
-- column  project      VARCHAR         : that pays for usage of no run
-- column  device_id    VARCHAR         : whose energy, null if no device's
-- column  hour         TIMESTAMP       : UTC, without zone
-- column  kind         VARCHAR         : energy, or a kind of rated line
-- column  currency     VARCHAR         : null if no money
-- column  amount       DECIMAL(38,15)  : mJ, or nano-units
-- column  low          DECIMAL(38,15)  : lower bound
-- column  high         DECIMAL(38,15)  : upper bound
-- column  weakness     INTEGER         : of the weakest method behind it
SELECT
    e.run_id AS run_id,
    cast(NULL AS VARCHAR) AS project,
    e.device_id AS device_id,
    e.hour AS hour,
    'energy' AS kind,
    cast(NULL AS VARCHAR) AS currency,
    cast(e.energy_mj AS DECIMAL(38, 15)) AS amount,
    cast(e.low_mj AS DECIMAL(38, 15)) AS low,
    cast(e.high_mj AS DECIMAL(38, 15)) AS high,
    e.weakness AS weakness
FROM energy_line AS e
WHERE
    $only_kind IS NULL
    OR $only_kind = 'energy'
UNION ALL
SELECT
    l.run_id AS run_id,
    cast(NULL AS VARCHAR) AS project,
    l.device_id AS device_id,
    l.hour AS hour,
    l.kind AS kind,
    l.currency AS currency,
    l.amount AS amount,
    l.low AS low,
    l.high AS high,
    l.weakness AS weakness
FROM rated_line AS l
WHERE
    $only_kind IS NULL
    OR l.kind = $only_kind
UNION ALL
SELECT
    u.run_id AS run_id,
    u.project AS project,
    cast(NULL AS VARCHAR) AS device_id,
    u.hour AS hour,
    u.kind AS kind,
    u.currency AS currency,
    u.amount AS amount,
    u.low AS low,
    u.high AS high,
    1 AS weakness
FROM usage_cost AS u
WHERE
    u.amount IS NOT NULL
    AND ($only_kind IS NULL OR u.kind = $only_kind)

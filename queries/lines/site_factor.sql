-- The factor of a kind that holds at a site in a quarter of a UTC hour: of the highest rank, of these the newest.
-- with    known_factor
-- column  site_id    VARCHAR        : of the site
-- column  kind       VARCHAR        : what the factor tells
-- column  hour       TIMESTAMP      : UTC, without zone
-- column  quarter    INTEGER        : of the hour; 0 is all of an hour that no border cuts
-- column  factor_id  VARCHAR        : of the factor
-- column  amount     DECIMAL(18,9)  : in the factor's unit
-- column  low        DECIMAL(18,9)  : lower bound
-- column  high       DECIMAL(18,9)  : upper bound
-- column  rate       DECIMAL(20,15) : per megajoule or kilosecond, where the unit is per kWh or h
-- column  rate_low   DECIMAL(20,15) : lower bound
-- column  rate_high  DECIMAL(20,15) : upper bound
-- column  currency   VARCHAR        : null if no money
-- column  weakness   INTEGER        : of the method: 0 measured, 1 sourced, 2 modelled, 3 assumed
SELECT
    best.site_id AS site_id,
    best.kind AS kind,
    best.hour AS hour,
    best.quarter AS quarter,
    best.factor_id AS factor_id,
    best.amount AS amount,
    best.low AS low,
    best.high AS high,
    best.rate AS rate,
    best.rate_low AS rate_low,
    best.rate_high AS rate_high,
    best.currency AS currency,
    best.weakness AS weakness
FROM (
    SELECT
        k.site_id,
        k.kind,
        k.hour,
        k.quarter,
        k.factor_id,
        k.amount,
        k.low,
        k.high,
        k.rate,
        k.rate_low,
        k.rate_high,
        k.currency,
        k.weakness,
        row_number() OVER (
            PARTITION BY k.site_id, k.kind, k.hour, k.quarter
            ORDER BY k.near DESC, k.evidence_rank DESC, k.recorded_at DESC, k.factor_id ASC
        ) AS place
    FROM known_factor AS k
    WHERE k.kind IN ('electricity_price', 'gpu_hour_rate', 'grid_intensity', 'pue', 'wue', 'tnd_uplift')
) AS best
WHERE best.place = 1

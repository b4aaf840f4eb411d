-- The factor of a kind that holds at a site in a metered UTC hour: of the highest rank, of these the newest.
-- param   as_of      TIMESTAMP      : what was known then
-- param   from       TIMESTAMP      : first hour
-- param   to         TIMESTAMP      : hour after the last
-- with    site_now
-- column  site_id    VARCHAR        : of the site
-- column  kind       VARCHAR        : what the factor tells
-- column  hour       TIMESTAMP      : UTC, without zone
-- column  factor_id  VARCHAR        : of the factor
-- column  amount     DECIMAL(18,9)  : in the factor's unit
-- column  low        DECIMAL(18,9)  : lower bound
-- column  high       DECIMAL(18,9)  : upper bound
-- column  currency   VARCHAR        : null if no money
-- column  weakness   INTEGER        : of the method: 0 measured, 1 sourced, 2 modelled, 3 assumed
SELECT
    best.site_id AS site_id,
    best.kind AS kind,
    best.hour AS hour,
    best.factor_id AS factor_id,
    best.amount AS amount,
    best.low AS low,
    best.high AS high,
    best.currency AS currency,
    best.weakness AS weakness
FROM (
    SELECT
        v.site_id,
        v.kind,
        v.hour,
        v.factor_id,
        v.amount,
        v.low,
        v.high,
        v.currency,
        v.weakness,
        row_number() OVER (
            PARTITION BY v.site_id, v.kind, v.hour
            ORDER BY v.evidence_rank DESC, v.recorded_at DESC, v.factor_id ASC
        ) AS place
    FROM (
        SELECT
            s.site_id,
            f.kind,
            h.hour,
            f.id AS factor_id,
            f.amount,
            f.low,
            f.high,
            f.currency,
            f.evidence_rank,
            f.recorded_at,
            CASE f.method
                WHEN 'measured' THEN 0
                WHEN 'sourced' THEN 1
                WHEN 'modelled' THEN 2
                ELSE 3
            END AS weakness,
            row_number() OVER (
                PARTITION BY s.site_id, f.kind, f.scope, f.evidence_rank, h.hour
                ORDER BY f.recorded_at DESC, f.id ASC
            ) AS version
        FROM factor AS f
        INNER JOIN site_now AS s
            ON f.scope = s.site_id OR f.scope = s.zone OR f.scope = 'world'
        INNER JOIN factor_hour AS h ON f.id = h.factor_id
        WHERE
            f.recorded_at <= $as_of
            AND h.hour >= $from
            AND h.hour < $to
    ) AS v
    WHERE
        v.version = 1
        AND v.amount IS NOT NULL
) AS best
WHERE best.place = 1

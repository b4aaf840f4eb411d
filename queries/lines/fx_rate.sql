-- What an amount of one currency is multiplied by to have it in another, at a site in a quarter of a UTC hour.
-- with    known_factor
-- column  site_id        VARCHAR        : of the site
-- column  hour           TIMESTAMP      : UTC, without zone
-- column  quarter        INTEGER        : of the hour; 0 is all of an hour that no border cuts
-- column  from_currency  VARCHAR        : that is given
-- column  to_currency    VARCHAR        : that is wanted
-- column  rate           DECIMAL(18,9)  : of the one in the other
-- column  rate_low       DECIMAL(18,9)  : lower bound
-- column  rate_high      DECIMAL(18,9)  : upper bound
-- column  weakness       INTEGER        : of the method
-- column  factor_id      VARCHAR        : the fact it stands on
SELECT
    b.site_id AS site_id,
    b.hour AS hour,
    b.quarter AS quarter,
    b.item AS from_currency,
    b.currency AS to_currency,
    b.amount AS rate,
    b.low AS rate_low,
    b.high AS rate_high,
    b.weakness AS weakness,
    b.factor_id AS factor_id
FROM (
    SELECT
        k.site_id,
        k.hour,
        k.quarter,
        k.item,
        k.currency,
        k.amount,
        k.low,
        k.high,
        k.weakness,
        k.factor_id,
        row_number() OVER (
            PARTITION BY k.site_id, k.item, k.currency, k.hour, k.quarter
            ORDER BY k.evidence_rank DESC, k.recorded_at DESC, k.factor_id ASC
        ) AS place
    FROM known_factor AS k
    WHERE k.kind = 'fx_rate'
) AS b
WHERE b.place = 1

-- A price that stands, as nano-units of its currency for one unit of its meter.
-- param   as_of              TIMESTAMP      : what was known then
-- column  price_id           VARCHAR        : of the price
-- column  provider           VARCHAR        : who sells
-- column  model              VARCHAR        : what is sold; * is every model of the provider, ft:* every tuned one
-- column  meter              VARCHAR        : what is counted
-- column  region             VARCHAR        : null is any
-- column  service_tier       VARCHAR        : null is any
-- column  training           VARCHAR        : null is any
-- column  adapter            VARCHAR        : null is any
-- column  parameters_over_b  DECIMAL(18,9)  : null is any
-- column  parameters_to_b    DECIMAL(18,9)  : null is any
-- column  context_over       BIGINT         : null is any
-- column  context_to         BIGINT         : null is any
-- column  valid_from         TIMESTAMP      : null is always
-- column  valid_to           TIMESTAMP      : null is always
-- column  currency           VARCHAR        : never added to another
-- column  rate               DECIMAL(20,6)  : nano-units of the currency for one unit
-- column  rate_low           DECIMAL(20,6)  : lower bound
-- column  rate_high          DECIMAL(20,6)  : upper bound
-- column  evidence_rank      BIGINT         : highest first
-- column  place              BIGINT         : the more is said of what it is for, the higher; then the newest
SELECT
    p.id AS price_id,
    p.provider AS provider,
    p.model AS model,
    p.meter AS meter,
    p.region AS region,
    p.service_tier AS service_tier,
    p.training AS training,
    p.adapter AS adapter,
    p.parameters_over_b AS parameters_over_b,
    p.parameters_to_b AS parameters_to_b,
    p.context_over AS context_over,
    p.context_to AS context_to,
    p.valid_from AS valid_from,
    p.valid_to AS valid_to,
    p.currency AS currency,
    -- wider than 18 digits, else the product would have no more than 18
    cast(cast(p.amount AS DECIMAL(20, 9)) * p.nano AS DECIMAL(20, 6)) AS rate,
    cast(cast(p.low AS DECIMAL(20, 9)) * p.nano AS DECIMAL(20, 6)) AS rate_low,
    cast(cast(p.high AS DECIMAL(20, 9)) * p.nano AS DECIMAL(20, 6)) AS rate_high,
    cast(p.evidence_rank AS BIGINT) AS evidence_rank,
    row_number() OVER (
        ORDER BY
            CASE p.model WHEN '*' THEN 0 WHEN 'ft:*' THEN 1 ELSE 2 END ASC,
            CASE WHEN p.region IS NULL THEN 0 ELSE 1 END
            + CASE WHEN p.service_tier IS NULL THEN 0 ELSE 1 END
            + CASE WHEN p.training IS NULL THEN 0 ELSE 1 END
            + CASE WHEN p.adapter IS NULL THEN 0 ELSE 1 END
            + CASE WHEN p.parameters_over_b IS NULL AND p.parameters_to_b IS NULL THEN 0 ELSE 1 END
            + CASE WHEN p.context_over IS NULL AND p.context_to IS NULL THEN 0 ELSE 1 END ASC,
            p.valid_from ASC NULLS FIRST,
            p.recorded_at ASC,
            p.id ASC
    ) AS place
FROM (
    SELECT
        f.*,
        -- 10^9 by the units that the price is of, which are a power of ten
        CASE f.per
            WHEN 1 THEN cast(1000000000 AS DECIMAL(13, 3))
            WHEN 10 THEN cast(100000000 AS DECIMAL(13, 3))
            WHEN 100 THEN cast(10000000 AS DECIMAL(13, 3))
            WHEN 1000 THEN cast(1000000 AS DECIMAL(13, 3))
            WHEN 10000 THEN cast(100000 AS DECIMAL(13, 3))
            WHEN 100000 THEN cast(10000 AS DECIMAL(13, 3))
            WHEN 1000000 THEN cast(1000 AS DECIMAL(13, 3))
            WHEN 10000000 THEN cast(100 AS DECIMAL(13, 3))
            WHEN 100000000 THEN cast(10 AS DECIMAL(13, 3))
            WHEN 1000000000 THEN cast(1 AS DECIMAL(13, 3))
            WHEN 10000000000 THEN cast(0.1 AS DECIMAL(13, 3))
            WHEN 100000000000 THEN cast(0.01 AS DECIMAL(13, 3))
            WHEN 1000000000000 THEN cast(0.001 AS DECIMAL(13, 3))
        END AS nano,
        row_number() OVER (
            PARTITION BY
                f.provider,
                f.model,
                f.meter,
                f.region,
                f.service_tier,
                f.training,
                f.adapter,
                f.parameters_over_b,
                f.parameters_to_b,
                f.context_over,
                f.context_to,
                f.currency,
                f.evidence_rank,
                f.book,
                f.valid_from,
                f.valid_to
            ORDER BY f.recorded_at DESC, f.id DESC
        ) AS version
    FROM price AS f
    WHERE f.recorded_at <= $as_of
) AS p
WHERE
    p.version = 1
    AND p.amount IS NOT NULL
    AND p.nano IS NOT NULL

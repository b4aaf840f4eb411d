-- A row of the price book, by what was known then; the newest of those about the same thing stands.
-- param   provider           VARCHAR        : who sells; null is all
-- param   model              VARCHAR        : what is sold; null is all
-- param   everything         BOOLEAN        : superseded and withdrawn rows too
-- param   as_of              TIMESTAMP      : what was known then
-- param   limit              BIGINT         : at most so many
-- column  id                 VARCHAR        : of the price
-- column  provider           VARCHAR        : who sells
-- column  model              VARCHAR        : what is sold
-- column  meter              VARCHAR        : what is counted
-- column  per                BIGINT         : units that the price is of
-- column  currency           VARCHAR        : never added to another
-- column  amount             DECIMAL(18,9)  : null withdraws
-- column  low                DECIMAL(18,9)  : lower bound
-- column  high               DECIMAL(18,9)  : upper bound
-- column  region             VARCHAR        : null is any
-- column  service_tier       VARCHAR        : null is any
-- column  source             VARCHAR        : who says so
-- column  source_date        VARCHAR        : and when
-- column  licence            VARCHAR        : of the source
-- column  evidence_rank      INTEGER        : highest first
-- column  valid_from         TIMESTAMP      : null is always
-- column  valid_to           TIMESTAMP      : null is always
-- column  detail             VARCHAR        : anything else
-- column  book               VARCHAR        : who states it
-- column  recorded_at        TIMESTAMP      : when the ledger learned it
-- column  training           VARCHAR        : sft, dpo or rft; null is any
-- column  adapter            VARCHAR        : lora or full; null is any
-- column  parameters_over_b  DECIMAL(18,9)  : of models with more than so many billion; null is any
-- column  parameters_to_b    DECIMAL(18,9)  : and at most so many
-- column  context_over       BIGINT         : of requests with more than so many tokens of input; null is any
-- column  context_to         BIGINT         : and at most so many
-- column  status             VARCHAR        : standing, withdrawn or superseded
SELECT
    f.id AS id,
    f.provider AS provider,
    f.model AS model,
    f.meter AS meter,
    f.per AS per,
    f.currency AS currency,
    f.amount AS amount,
    f.low AS low,
    f.high AS high,
    f.region AS region,
    f.service_tier AS service_tier,
    f.source AS source,
    f.source_date AS source_date,
    f.licence AS licence,
    f.evidence_rank AS evidence_rank,
    f.valid_from AS valid_from,
    f.valid_to AS valid_to,
    f.detail AS detail,
    f.book AS book,
    f.recorded_at AS recorded_at,
    f.training AS training,
    f.adapter AS adapter,
    f.parameters_over_b AS parameters_over_b,
    f.parameters_to_b AS parameters_to_b,
    f.context_over AS context_over,
    f.context_to AS context_to,
    f.status AS status
FROM (
    SELECT
        f.id,
        f.provider,
        f.model,
        f.meter,
        f.per,
        f.currency,
        f.amount,
        f.low,
        f.high,
        f.region,
        f.service_tier,
        f.source,
        f.source_date,
        f.licence,
        f.evidence_rank,
        f.valid_from,
        f.valid_to,
        f.detail,
        f.book,
        f.recorded_at,
        f.training,
        f.adapter,
        f.parameters_over_b,
        f.parameters_to_b,
        f.context_over,
        f.context_to,
        CASE
            WHEN f.recorded_at < max(f.recorded_at) OVER (
                PARTITION BY
                    f.provider,
                    f.model,
                    f.meter,
                    f.region,
                    f.service_tier,
                    f.currency,
                    f.evidence_rank,
                    f.book,
                    f.valid_from,
                    f.valid_to,
                    f.training,
                    f.adapter,
                    f.parameters_over_b,
                    f.parameters_to_b,
                    f.context_over,
                    f.context_to
            ) THEN 'superseded'
            WHEN f.amount IS NULL THEN 'withdrawn'
            ELSE 'standing'
        END AS status
    FROM price AS f
    WHERE
        f.recorded_at <= $as_of
        AND ($provider IS NULL OR f.provider = $provider)
        AND ($model IS NULL OR f.model = $model)
) AS f
WHERE
    $everything
    OR f.status = 'standing'
ORDER BY
    f.provider ASC,
    f.model ASC,
    f.meter ASC,
    f.region ASC,
    f.service_tier ASC,
    f.evidence_rank DESC,
    f.valid_from ASC,
    f.recorded_at DESC,
    f.id ASC
LIMIT $limit

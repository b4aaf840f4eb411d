-- A price that commits after one of them brought (all: after -1), in the order it was learned.
-- param   since_seq          BIGINT         : commits after this one
-- column  id                 VARCHAR        : of the price
-- column  provider           VARCHAR        : who sells
-- column  model              VARCHAR        : what is sold
-- column  meter              VARCHAR        : what is counted
-- column  region             VARCHAR        : null is any
-- column  service_tier       VARCHAR        : null is any
-- column  per                BIGINT         : units that the price is of
-- column  currency           VARCHAR        : never added to another
-- column  amount             DECIMAL(18,9)  : null withdraws
-- column  low                DECIMAL(18,9)  : lower bound
-- column  high               DECIMAL(18,9)  : upper bound
-- column  source             VARCHAR        : who says so
-- column  source_date        VARCHAR        : and when
-- column  licence            VARCHAR        : of the source
-- column  book               VARCHAR        : who states it
-- column  evidence_rank      INTEGER        : highest first
-- column  valid_from         TIMESTAMP      : null is always
-- column  valid_to           TIMESTAMP      : null is always
-- column  detail             VARCHAR        : anything else
-- column  recorded_at        TIMESTAMP      : UTC, without zone
-- column  training           VARCHAR        : sft, dpo or rft; null is any
-- column  adapter            VARCHAR        : lora or full; null is any
-- column  parameters_over_b  DECIMAL(18,9)  : of models with more than so many billion; null is any
-- column  parameters_to_b    DECIMAL(18,9)  : and at most so many
-- column  context_over       BIGINT         : of requests with more than so many tokens of input; null is any
-- column  context_to         BIGINT         : and at most so many
SELECT
    id,
    provider,
    model,
    meter,
    region,
    service_tier,
    per,
    currency,
    amount,
    low,
    high,
    source,
    source_date,
    licence,
    book,
    evidence_rank,
    valid_from,
    valid_to,
    detail,
    recorded_at,
    training,
    adapter,
    parameters_over_b,
    parameters_to_b,
    context_over,
    context_to
FROM price
WHERE seq > $since_seq
ORDER BY recorded_at, id

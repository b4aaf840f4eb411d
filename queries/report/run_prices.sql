-- A price that usage of a run was priced by.
-- param   run_id        VARCHAR        : of the run
-- param   as_of         TIMESTAMP      : what was known then
-- param   from          TIMESTAMP      : first hour
-- param   to            TIMESTAMP      : hour after the last
-- with    usage_cost
-- column  id            VARCHAR        : of the price
-- column  provider      VARCHAR        : who sells
-- column  model         VARCHAR        : what is sold
-- column  meter         VARCHAR        : what is counted
-- column  per           BIGINT         : units that the price is of
-- column  currency      VARCHAR        : never added to another
-- column  amount        DECIMAL(18,9)  : of so many units
-- column  low           DECIMAL(18,9)  : lower bound
-- column  high          DECIMAL(18,9)  : upper bound
-- column  region        VARCHAR        : null is any
-- column  service_tier  VARCHAR        : null is any
-- column  source        VARCHAR        : who says so
-- column  source_date   VARCHAR        : and when
-- column  licence       VARCHAR        : of the source
-- column  valid_from    TIMESTAMP      : null is always
-- column  valid_to      TIMESTAMP      : null is always
-- column  detail        VARCHAR        : anything else
-- column  book          VARCHAR        : who states it
-- column  recorded_at   TIMESTAMP      : when the ledger learned it
SELECT
    p.id AS id,
    p.provider AS provider,
    p.model AS model,
    p.meter AS meter,
    p.per AS per,
    p.currency AS currency,
    p.amount AS amount,
    p.low AS low,
    p.high AS high,
    p.region AS region,
    p.service_tier AS service_tier,
    p.source AS source,
    p.source_date AS source_date,
    p.licence AS licence,
    p.valid_from AS valid_from,
    p.valid_to AS valid_to,
    p.detail AS detail,
    p.book AS book,
    p.recorded_at AS recorded_at
FROM price AS p
INNER JOIN (
    SELECT DISTINCT price_id
    FROM usage_cost
    WHERE run_id = $run_id
) AS u ON p.id = u.price_id
ORDER BY p.id

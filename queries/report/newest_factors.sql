-- The newest factor of a kind in each scope, whatever the hour; for yardsticks.
-- param   kind         VARCHAR        : what it tells
-- param   as_of        TIMESTAMP      : what was known then
-- column  id           VARCHAR        : of the factor
-- column  kind         VARCHAR        : what it tells
-- column  scope        VARCHAR        : zone, site id or world
-- column  amount       DECIMAL(18,9)  : in its unit
-- column  low          DECIMAL(18,9)  : lower bound
-- column  high         DECIMAL(18,9)  : upper bound
-- column  unit         VARCHAR        : of amount
-- column  currency     VARCHAR        : null if no money
-- column  source       VARCHAR        : who says so
-- column  source_date  VARCHAR        : and when
-- column  licence      VARCHAR        : of the source
-- column  method       VARCHAR        : sourced or assumed
-- column  valid_from   TIMESTAMP      : null is always
-- column  valid_to     TIMESTAMP      : null is always
-- column  recorded_at  TIMESTAMP      : when the ledger learned it
-- column  basis        VARCHAR        : average or marginal, production or consumption, life-cycle or direct
-- column  book         VARCHAR        : who states it
-- column  item         VARCHAR        : what it is about in its scope
-- column  share        DECIMAL(9,6)   : of the consumption that an instrument covers
SELECT
    f.id AS id,
    f.kind AS kind,
    f.scope AS scope,
    f.amount AS amount,
    f.low AS low,
    f.high AS high,
    f.unit AS unit,
    f.currency AS currency,
    f.source AS source,
    f.source_date AS source_date,
    f.licence AS licence,
    f.method AS method,
    f.valid_from AS valid_from,
    f.valid_to AS valid_to,
    f.recorded_at AS recorded_at,
    f.basis AS basis,
    f.book AS book,
    f.item AS item,
    f.share AS share
FROM (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY scope
            ORDER BY evidence_rank DESC, recorded_at DESC, id ASC
        ) AS version
    FROM factor
    WHERE
        kind = $kind
        AND recorded_at <= $as_of
) AS f
WHERE
    f.version = 1
    AND f.amount IS NOT NULL
ORDER BY f.scope

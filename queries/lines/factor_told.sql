-- A row of the factor book, and whether a newer one about the same thing was known by then.
-- param   as_of          TIMESTAMP      : what was known then
-- column  id             VARCHAR        : of the factor
-- column  kind           VARCHAR        : what it tells
-- column  scope          VARCHAR        : zone, site id, cloud region or world
-- column  item           VARCHAR        : what it is about in its scope
-- column  amount         DECIMAL(18,9)  : null withdraws
-- column  low            DECIMAL(18,9)  : lower bound
-- column  high           DECIMAL(18,9)  : upper bound
-- column  unit           VARCHAR        : of amount
-- column  currency       VARCHAR        : null if no money
-- column  source         VARCHAR        : who says so
-- column  source_date    VARCHAR        : and when
-- column  licence        VARCHAR        : of the source
-- column  method         VARCHAR        : measured, sourced, modelled or assumed
-- column  basis          VARCHAR        : average or marginal, production or consumption, life-cycle or direct
-- column  evidence_rank  INTEGER        : highest first
-- column  share          DECIMAL(9,6)   : of the consumption that an instrument covers
-- column  valid_from     TIMESTAMP      : null is always
-- column  valid_to       TIMESTAMP      : null is always
-- column  windows        VARCHAR        : JSON, the local times it holds in
-- column  detail         VARCHAR        : anything else
-- column  book           VARCHAR        : who states it
-- column  recorded_at    TIMESTAMP      : when the ledger learned it
-- column  status         VARCHAR        : standing, withdrawn or superseded
SELECT
    f.id AS id,
    f.kind AS kind,
    f.scope AS scope,
    f.item AS item,
    f.amount AS amount,
    f.low AS low,
    f.high AS high,
    f.unit AS unit,
    f.currency AS currency,
    f.source AS source,
    f.source_date AS source_date,
    f.licence AS licence,
    f.method AS method,
    f.basis AS basis,
    f.evidence_rank AS evidence_rank,
    f.share AS share,
    f.valid_from AS valid_from,
    f.valid_to AS valid_to,
    f.windows AS windows,
    f.detail AS detail,
    f.book AS book,
    f.recorded_at AS recorded_at,
    CASE
        WHEN f.recorded_at < max(f.recorded_at) OVER (
            PARTITION BY
                f.kind,
                f.scope,
                f.item,
                CASE WHEN f.kind = 'fx_rate' THEN f.currency END,
                f.evidence_rank,
                f.book,
                CASE WHEN f.book IN ('configuration', 'bundled') THEN NULL ELSE f.valid_from END,
                CASE WHEN f.book IN ('configuration', 'bundled') THEN NULL ELSE f.valid_to END,
                CASE WHEN f.book IN ('configuration', 'bundled') THEN NULL ELSE f.windows END
        ) THEN 'superseded'
        WHEN f.amount IS NULL THEN 'withdrawn'
        ELSE 'standing'
    END AS status
FROM factor AS f
WHERE f.recorded_at <= $as_of

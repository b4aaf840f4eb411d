-- A row of the factor book, by what was known then; the newest of those about the same thing stands.
-- param   kind           VARCHAR        : what it tells; null is all
-- param   scope          VARCHAR        : where it holds; null is all
-- param   book           VARCHAR        : who states it; null is all
-- param   everything     BOOLEAN        : superseded and withdrawn rows too
-- param   limit          BIGINT         : at most so many
-- with    factor_told
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
    f.status AS status
FROM factor_told AS f
WHERE
    ($everything OR f.status = 'standing')
    AND ($kind IS NULL OR f.kind = $kind)
    AND ($scope IS NULL OR f.scope = $scope)
    AND ($book IS NULL OR f.book = $book)
ORDER BY
    f.kind ASC,
    f.scope ASC,
    f.item ASC,
    f.evidence_rank DESC,
    f.valid_from ASC,
    f.recorded_at DESC,
    f.id ASC
LIMIT $limit

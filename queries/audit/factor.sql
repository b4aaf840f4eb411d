-- A factor, as commits brought it; what the audit chain hashes.
-- param   after          BIGINT         : the commit before the first
-- param   until          BIGINT         : the last commit
-- column  id             VARCHAR        : of the factor
-- column  kind           VARCHAR        : what it tells
-- column  scope          VARCHAR        : zone, site id or world
-- column  amount         DECIMAL(18,9)  : null withdraws
-- column  low            DECIMAL(18,9)  : lower bound
-- column  high           DECIMAL(18,9)  : upper bound
-- column  unit           VARCHAR        : of amount
-- column  currency       VARCHAR        : never added to another
-- column  source         VARCHAR        : who says so
-- column  source_date    VARCHAR        : and when
-- column  licence        VARCHAR        : of the source
-- column  method         VARCHAR        : measured, sourced, modelled or assumed
-- column  evidence_rank  INTEGER        : highest first
-- column  valid_from     TIMESTAMP      : null is always
-- column  valid_to       TIMESTAMP      : null is always
-- column  windows        VARCHAR        : JSON, the local hours it holds in
-- column  detail         VARCHAR        : anything else
-- column  recorded_at    TIMESTAMP      : when the ledger learned it; UTC, without zone
-- column  book           VARCHAR        : who states it
-- column  item           VARCHAR        : what it is about in its scope
-- column  share          DECIMAL(9,6)   : of the consumption that an instrument covers
-- column  basis          VARCHAR        : average or marginal, production or consumption, life-cycle or direct
-- column  seq            BIGINT         : number of the commit
SELECT
    id,
    kind,
    scope,
    amount,
    low,
    high,
    unit,
    currency,
    source,
    source_date,
    licence,
    method,
    evidence_rank,
    valid_from,
    valid_to,
    windows,
    detail,
    recorded_at,
    book,
    item,
    share,
    basis,
    seq
FROM factor
WHERE
    seq > $after
    AND seq <= $until

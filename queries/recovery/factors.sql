-- A factor that commits after one of them brought (all: after -1), in the order it was learned.
-- param   since_seq      BIGINT         : commits after this one
-- column  id             VARCHAR        : of the factor
-- column  kind           VARCHAR        : what it tells
-- column  scope          VARCHAR        : zone, site id or world
-- column  amount         DECIMAL(18,9)  : null withdraws
-- column  low            DECIMAL(18,9)  : lower bound
-- column  high           DECIMAL(18,9)  : upper bound
-- column  unit           VARCHAR        : of amount
-- column  currency       VARCHAR        : null if no money
-- column  source         VARCHAR        : who says so
-- column  source_date    VARCHAR        : and when
-- column  licence        VARCHAR        : of the source
-- column  method         VARCHAR        : sourced or assumed
-- column  evidence_rank  INTEGER        : highest first
-- column  valid_from     TIMESTAMP      : null is always
-- column  valid_to       TIMESTAMP      : null is always
-- column  windows        VARCHAR        : JSON, the local hours it holds in
-- column  detail         VARCHAR        : anything else
-- column  recorded_at    TIMESTAMP      : UTC, without zone
-- column  book           VARCHAR        : who states it
-- column  item           VARCHAR        : what it is about in its scope
-- column  share          DECIMAL(9,6)   : of the consumption that an instrument covers
-- column  basis          VARCHAR        : average or marginal, production or consumption, life-cycle or direct
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
    basis
FROM factor
WHERE seq > $since_seq
ORDER BY recorded_at, id

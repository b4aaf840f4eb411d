-- A factor that a run's figures stand on.
-- param   run_id    VARCHAR         : of the run
-- param   as_of     TIMESTAMP       : what was known then
-- param   from      TIMESTAMP       : first hour
-- param   to        TIMESTAMP       : hour after the last
-- with    rated_line
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
FROM factor AS f
INNER JOIN (
    SELECT l.factor_id AS id
    FROM rated_line AS l
    WHERE l.run_id = $run_id
    UNION
    SELECT l.second_factor_id AS id
    FROM rated_line AS l
    WHERE l.run_id = $run_id
    UNION
    SELECT l.third_factor_id AS id
    FROM rated_line AS l
    WHERE l.run_id = $run_id
) AS used ON f.id = used.id
ORDER BY
    f.kind,
    f.scope,
    f.id

-- Adds a factor, once.
-- param   id             VARCHAR        : of the factor
-- param   kind           VARCHAR        : what it tells
-- param   scope          VARCHAR        : zone, site id or world
-- param   amount         DECIMAL(18,9)  : null withdraws
-- param   low            DECIMAL(18,9)  : lower bound
-- param   high           DECIMAL(18,9)  : upper bound
-- param   unit           VARCHAR        : of amount
-- param   currency       VARCHAR        : null if no money
-- param   source         VARCHAR        : who says so
-- param   source_date    VARCHAR        : and when
-- param   licence        VARCHAR        : of the source
-- param   method         VARCHAR        : sourced or assumed
-- param   evidence_rank  INTEGER        : highest first
-- param   valid_from     TIMESTAMP      : null is always
-- param   valid_to       TIMESTAMP      : null is always
-- param   windows        VARCHAR        : JSON, the local hours it holds in
-- param   detail         VARCHAR        : anything else
-- param   recorded_at    TIMESTAMP      : UTC, without zone
INSERT INTO factor (
    id, kind, scope, amount, low, high, unit, currency, source, source_date, licence, method,
    evidence_rank, valid_from, valid_to, windows, detail, recorded_at
)
VALUES (
    $id, $kind, $scope, $amount, $low, $high, $unit, $currency, $source, $source_date, $licence,
    $method, $evidence_rank, $valid_from, $valid_to, $windows, $detail, $recorded_at
)
ON CONFLICT DO NOTHING

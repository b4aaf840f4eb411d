-- One row, or none: the statement of a number.
-- param   number           BIGINT     : which
-- column  number           BIGINT     : 1, 2, 3 and so on
-- column  id               VARCHAR    : of the statement
-- column  subject          VARCHAR    : the run that it is about
-- column  as_of            TIMESTAMP  : what was known then
-- column  issued_at        TIMESTAMP  : UTC, without zone
-- column  made_by          VARCHAR    : program and version
-- column  method_version   VARCHAR    : how the rows of the queries make the document
-- column  queries_sha256   VARCHAR    : of the set of query texts
-- column  document         VARCHAR    : canonical JSON
-- column  document_sha256  VARCHAR    : of the document
-- column  facts            VARCHAR    : canonical JSON of the factors and prices that it stands on
-- column  facts_sha256     VARCHAR    : of the facts
-- column  replaces         BIGINT     : number of the statement that it corrects, null if none
-- column  reason           VARCHAR    : why, null if it corrects none
-- column  batch_sha256     VARCHAR    : newest link of the audit chain then
-- column  previous_sha256  VARCHAR    : of the statement before
-- column  sha256           VARCHAR    : of this statement
-- column  seq              BIGINT     : number of the commit
-- column  recorded_at      TIMESTAMP  : when the ledger learned it; UTC, without zone
SELECT
    number,
    id,
    subject,
    as_of,
    issued_at,
    made_by,
    method_version,
    queries_sha256,
    document,
    document_sha256,
    facts,
    facts_sha256,
    replaces,
    reason,
    batch_sha256,
    previous_sha256,
    sha256,
    seq,
    recorded_at
FROM statement
WHERE number = $number

-- An issued statement, in the order of issue, without what it says.
-- column  number           BIGINT     : 1, 2, 3 and so on
-- column  subject          VARCHAR    : the run that it is about
-- column  as_of            TIMESTAMP  : what was known then
-- column  issued_at        TIMESTAMP  : UTC, without zone
-- column  method_version   VARCHAR    : how the rows of the queries make the document
-- column  replaces         BIGINT     : number of the statement that it corrects, null if none
-- column  reason           VARCHAR    : why, null if it corrects none
-- column  sha256           VARCHAR    : of the statement
-- column  previous_sha256  VARCHAR    : of the statement before
SELECT
    number,
    subject,
    as_of,
    issued_at,
    method_version,
    replaces,
    reason,
    sha256,
    previous_sha256
FROM statement
ORDER BY number

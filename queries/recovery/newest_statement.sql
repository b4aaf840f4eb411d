-- One row, or none: the newest statement of a subject.
-- param   subject  VARCHAR  : a run
-- column  number   BIGINT   : 1, 2, 3 and so on
SELECT number
FROM statement
WHERE subject = $subject
ORDER BY number DESC
LIMIT 1

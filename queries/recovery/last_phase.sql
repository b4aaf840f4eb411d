-- The phase of a run that began last.
-- param   run_id  VARCHAR  : of the run
-- column  phase   VARCHAR  : empty where the one before has ended
SELECT m.phase AS phase
FROM mark AS m
WHERE
    m.run_id = $run_id
    AND m.phase IS NOT NULL
ORDER BY
    m.marked_at DESC,
    m.number DESC
LIMIT 1

-- Who told marks of a run, and the last that is stored of each.
-- param   run_id  VARCHAR  : of the run
-- column  source  VARCHAR  : as it named itself
-- column  number  BIGINT   : of its last mark
SELECT
    m.source AS source,
    max(m.number) AS number
FROM mark AS m
WHERE
    m.run_id = $run_id
    AND m.source IS NOT NULL
    AND m.number IS NOT NULL
GROUP BY
    m.source
ORDER BY
    m.source

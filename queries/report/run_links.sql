-- An id that others gave a run, as it was first learned.
-- param   run_id       VARCHAR    : of the run
-- param   as_of        TIMESTAMP  : what was known then
-- column  source       VARCHAR    : who gave the id
-- column  foreign_id   VARCHAR    : as given
-- column  recorded_at  TIMESTAMP  : when the ledger learned it; UTC, without zone
SELECT
    source AS source,
    foreign_id AS foreign_id,
    min(recorded_at) AS recorded_at
FROM run_link
WHERE
    run_id = $run_id
    AND recorded_at <= $as_of
GROUP BY
    source,
    foreign_id
ORDER BY
    min(recorded_at),
    source,
    foreign_id

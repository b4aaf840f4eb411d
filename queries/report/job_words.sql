-- All that the provider of a hosted job told of it last, of each run that is one.
-- param   as_of   TIMESTAMP  : what was known then
-- column  run_id  VARCHAR    : of the run
-- column  detail  VARCHAR    : JSON: all that was told
SELECT
    j.run_id AS run_id,
    j.detail AS detail
FROM (
    SELECT
        run_id,
        detail,
        row_number() OVER (PARTITION BY run_id ORDER BY seq DESC) AS version
    FROM hosted_job
    WHERE recorded_at <= $as_of
) AS j
WHERE j.version = 1
ORDER BY j.run_id

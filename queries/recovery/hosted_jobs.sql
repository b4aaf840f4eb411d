-- The newest word on a hosted job.
-- column  provider        VARCHAR  : where it ran
-- column  job_id          VARCHAR  : of the job there
-- column  content_sha256  VARCHAR  : hash over what the provider says
-- column  run_id          VARCHAR  : the run that it is
-- column  status          VARCHAR  : where it stands
-- column  has_energy      BOOLEAN  : whether an estimate was booked
SELECT
    j.provider AS provider,
    j.job_id AS job_id,
    j.content_sha256 AS content_sha256,
    j.run_id AS run_id,
    j.status AS status,
    coalesce(h.run_id IS NOT NULL, FALSE) AS has_energy
FROM (
    SELECT
        provider,
        job_id,
        content_sha256,
        run_id,
        status,
        row_number() OVER (PARTITION BY provider, job_id ORDER BY seq DESC) AS version
    FROM hosted_job
) AS j
LEFT JOIN (
    SELECT DISTINCT run_id
    FROM hosted_energy
) AS h ON j.run_id = h.run_id
WHERE j.version = 1

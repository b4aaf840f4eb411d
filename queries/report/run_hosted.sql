-- A hosted job as its provider told it last, of the run that it is.
-- param   run_id       VARCHAR    : of the run
-- param   as_of        TIMESTAMP  : what was known then
-- column  provider     VARCHAR    : where it ran
-- column  job_id       VARCHAR    : of the job there
-- column  status       VARCHAR    : where it stands
-- column  base_model   VARCHAR    : that was tuned
-- column  tuned_model  VARCHAR    : that it made, null if none
-- column  training     VARCHAR    : sft, dpo or rft, null if not told
-- column  adapter      VARCHAR    : lora or full, null if not told
-- column  region       VARCHAR    : null if not told
-- column  created_at   TIMESTAMP  : UTC, without zone
-- column  started_at   TIMESTAMP  : null if not told
-- column  ended_at     TIMESTAMP  : null if not told
-- column  detail       VARCHAR    : JSON: all that was told
-- column  recorded_at  TIMESTAMP  : when the ledger learned it
SELECT
    j.provider AS provider,
    j.job_id AS job_id,
    j.status AS status,
    j.base_model AS base_model,
    j.tuned_model AS tuned_model,
    j.training AS training,
    j.adapter AS adapter,
    j.region AS region,
    j.created_at AS created_at,
    j.started_at AS started_at,
    j.ended_at AS ended_at,
    j.detail AS detail,
    j.recorded_at AS recorded_at
FROM (
    SELECT
        h.*,
        row_number() OVER (PARTITION BY h.provider, h.job_id ORDER BY h.seq DESC) AS version
    FROM hosted_job AS h
    WHERE
        h.run_id = $run_id
        AND h.recorded_at <= $as_of
) AS j
WHERE j.version = 1
ORDER BY j.provider, j.job_id

-- A hosted job as told, as commits brought it; what the audit chain hashes.
-- param   after           BIGINT     : the commit before the first
-- param   until           BIGINT     : the last commit
-- column  run_id          VARCHAR    : as told, see the schema
-- column  provider        VARCHAR    : as told, see the schema
-- column  job_id          VARCHAR    : as told, see the schema
-- column  status          VARCHAR    : as told, see the schema
-- column  created_at      TIMESTAMP  : as told, see the schema
-- column  started_at      TIMESTAMP  : as told, see the schema
-- column  ended_at        TIMESTAMP  : as told, see the schema
-- column  base_model      VARCHAR    : as told, see the schema
-- column  tuned_model     VARCHAR    : as told, see the schema
-- column  training        VARCHAR    : as told, see the schema
-- column  adapter         VARCHAR    : as told, see the schema
-- column  region          VARCHAR    : as told, see the schema
-- column  detail          VARCHAR    : as told, see the schema
-- column  content_sha256  VARCHAR    : hash over what it says
-- column  seq             BIGINT     : number of the commit
-- column  recorded_at     TIMESTAMP  : when the ledger learned it; UTC, without zone
SELECT
    run_id,
    provider,
    job_id,
    status,
    created_at,
    started_at,
    ended_at,
    base_model,
    tuned_model,
    training,
    adapter,
    region,
    detail,
    content_sha256,
    seq,
    recorded_at
FROM hosted_job
WHERE
    seq > $after
    AND seq <= $until

-- What a provider says it billed, as commits brought it; what the audit chain hashes.
-- param   after           BIGINT         : the commit before the first
-- param   until           BIGINT         : the last commit
-- column  source          VARCHAR        : as told, see the schema
-- column  charge_id       VARCHAR        : as told, see the schema
-- column  provider        VARCHAR        : as told, see the schema
-- column  start_at        TIMESTAMP      : as told, see the schema
-- column  end_at          TIMESTAMP      : as told, see the schema
-- column  amount          DECIMAL(18,9)  : as told, see the schema
-- column  currency        VARCHAR        : as told, see the schema
-- column  line_item       VARCHAR        : as told, see the schema
-- column  project         VARCHAR        : as told, see the schema
-- column  model           VARCHAR        : as told, see the schema
-- column  job_id          VARCHAR        : as told, see the schema
-- column  quantity        DECIMAL(18,6)  : as told, see the schema
-- column  unit            VARCHAR        : as told, see the schema
-- column  flags           VARCHAR        : as told, see the schema
-- column  content_sha256  VARCHAR        : hash over what it says
-- column  seq             BIGINT         : number of the commit
-- column  recorded_at     TIMESTAMP      : when the ledger learned it; UTC, without zone
SELECT
    source,
    charge_id,
    provider,
    start_at,
    end_at,
    amount,
    currency,
    line_item,
    project,
    model,
    job_id,
    quantity,
    unit,
    flags,
    content_sha256,
    seq,
    recorded_at
FROM charge
WHERE
    seq > $after
    AND seq <= $until

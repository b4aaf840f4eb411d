-- A meter of an event of usage, as commits brought it; what the audit chain hashes.
-- param   after           BIGINT         : the commit before the first
-- param   until           BIGINT         : the last commit
-- column  event_key       DECIMAL(38,0)  : as told, see the schema
-- column  source          VARCHAR        : as told, see the schema
-- column  event_id        VARCHAR        : as told, see the schema
-- column  used_at         TIMESTAMP      : as told, see the schema
-- column  hour            TIMESTAMP      : as told, see the schema
-- column  provider        VARCHAR        : as told, see the schema
-- column  model           VARCHAR        : as told, see the schema
-- column  base_model      VARCHAR        : as told, see the schema
-- column  meter           VARCHAR        : as told, see the schema
-- column  quantity        DECIMAL(18,6)  : as told, see the schema
-- column  region          VARCHAR        : as told, see the schema
-- column  service_tier    VARCHAR        : as told, see the schema
-- column  training        VARCHAR        : as told, see the schema
-- column  adapter         VARCHAR        : as told, see the schema
-- column  parameters_b    DECIMAL(18,9)  : as told, see the schema
-- column  context_tokens  BIGINT         : as told, see the schema
-- column  project         VARCHAR        : as told, see the schema
-- column  run_id          VARCHAR        : as told, see the schema
-- column  flags           VARCHAR        : as told, see the schema
-- column  told            VARCHAR        : as told, see the schema
-- column  content_sha256  VARCHAR        : hash over what it says
-- column  seq             BIGINT         : number of the commit
-- column  recorded_at     TIMESTAMP      : when the ledger learned it; UTC, without zone
SELECT
    event_key,
    source,
    event_id,
    used_at,
    hour,
    provider,
    model,
    base_model,
    meter,
    quantity,
    region,
    service_tier,
    training,
    adapter,
    parameters_b,
    context_tokens,
    project,
    run_id,
    flags,
    told,
    content_sha256,
    seq,
    recorded_at
FROM usage_event
WHERE
    seq > $after
    AND seq <= $until

-- A meter of an event of usage that counts: not one told without amounts, if these were told since.
-- param   as_of           TIMESTAMP      : what was known then
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
    u.event_key AS event_key,
    u.source AS source,
    u.event_id AS event_id,
    u.used_at AS used_at,
    u.hour AS hour,
    u.provider AS provider,
    u.model AS model,
    u.base_model AS base_model,
    u.meter AS meter,
    u.quantity AS quantity,
    u.region AS region,
    u.service_tier AS service_tier,
    u.training AS training,
    u.adapter AS adapter,
    u.parameters_b AS parameters_b,
    u.context_tokens AS context_tokens,
    u.project AS project,
    u.run_id AS run_id,
    u.flags AS flags,
    u.told AS told,
    u.content_sha256 AS content_sha256,
    u.seq AS seq,
    u.recorded_at AS recorded_at
FROM usage_event AS u
LEFT JOIN (
    SELECT DISTINCT event_key
    FROM usage_event
    WHERE
        flags LIKE '%"after_unknown"%'
        AND recorded_at <= $as_of
) AS f ON u.event_key = f.event_key
WHERE
    u.recorded_at <= $as_of
    AND (f.event_key IS NULL OR u.flags LIKE '%"after_unknown"%')

-- How many tokens a run was trained on: as its provider bills them, else as its marks say.
-- param   as_of        TIMESTAMP      : what was known then
-- column  run_id       VARCHAR        : of the run
-- column  provider     VARCHAR        : that trained, null for own GPUs
-- column  base_model   VARCHAR        : that a provider tuned, null for own GPUs
-- column  tuned_model  VARCHAR        : that came of it, null if none
-- column  tokens       DECIMAL(38,6)  : null if nobody told
SELECT
    r.id AS run_id,
    j.provider AS provider,
    j.base_model AS base_model,
    j.tuned_model AS tuned_model,
    coalesce(u.tokens, cast(m.tokens AS DECIMAL(38, 6))) AS tokens
FROM run AS r
LEFT JOIN (
    SELECT
        run_id,
        sum(quantity) AS tokens
    FROM usage_event
    WHERE
        meter = 'train_token'
        AND recorded_at <= $as_of
    GROUP BY run_id
) AS u ON r.id = u.run_id
LEFT JOIN (
    SELECT
        run_id,
        max(tokens) AS tokens
    FROM mark
    WHERE recorded_at <= $as_of
    GROUP BY run_id
) AS m ON r.id = m.run_id
LEFT JOIN (
    SELECT
        run_id,
        max(provider) AS provider,
        max(base_model) AS base_model,
        max(tuned_model) AS tuned_model
    FROM hosted_job
    WHERE recorded_at <= $as_of
    GROUP BY run_id
) AS j ON r.id = j.run_id
WHERE r.recorded_at <= $as_of
ORDER BY r.id

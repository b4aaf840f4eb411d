-- Tokens of a project until the end of a step in which some were told.
-- with    usage_step_cost
-- with    run_tokens
-- column  project     VARCHAR        : that pays
-- column  provider    VARCHAR        : of a hosted API; own is what jobs tell
-- column  model       VARCHAR        : as the provider calls it
-- column  token_type  VARCHAR        : train, or what a provider counts
-- column  at          TIMESTAMP      : end of the step, UTC, without zone
-- column  amount      DECIMAL(38,6)  : all until then; never less than before, at the end what the lines add up to
SELECT
    t.project AS project,
    t.provider AS provider,
    t.model AS model,
    t.token_type AS token_type,
    t.at AS at,
    cast(
        min(t.total) OVER (
            PARTITION BY t.project, t.provider, t.model, t.token_type
            ORDER BY t.at
            ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
        ) AS DECIMAL(38, 6)
    ) AS amount
FROM (
    SELECT
        u.project,
        u.provider,
        u.model,
        u.token_type,
        u.at,
        sum(sum(u.amount)) OVER (
            PARTITION BY u.project, u.provider, u.model, u.token_type
            ORDER BY u.at
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS total
    FROM (
        SELECT
            r.project,
            'own' AS provider,
            '' AS model,
            'train' AS token_type,
            m.at,
            cast(m.more AS DECIMAL(38, 6)) AS amount
        FROM run_tokens AS m
        INNER JOIN run AS r ON m.run_id = r.id
        WHERE
            m.at > $from
            AND m.at <= $to
        UNION ALL
        SELECT
            coalesce(r.project, c.project) AS project,
            c.provider,
            c.model,
            CASE c.meter WHEN 'train_token' THEN 'train' ELSE c.meter END AS token_type,
            c.at,
            c.quantity AS amount
        FROM usage_step_cost AS c
        LEFT JOIN run AS r ON c.run_id = r.id
        WHERE
            c.quantity IS NOT NULL
            AND c.meter NOT IN ('train_hour', 'gpu_second', 'request', 'host_hour', 'storage_gb_month', 'unknown')
    ) AS u
    GROUP BY
        u.project,
        u.provider,
        u.model,
        u.token_type,
        u.at
) AS t
ORDER BY
    t.project,
    t.provider,
    t.model,
    t.token_type,
    t.at

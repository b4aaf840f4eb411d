-- Tokens of a run until the end of a step in which some were told.
-- with    usage_step_cost
-- with    run_tokens
-- with    lived_run
-- column  run         VARCHAR        : of the run
-- column  token_type  VARCHAR        : train, or what a provider counts
-- column  since       TIMESTAMP      : start of the step in which the run began
-- column  until       TIMESTAMP      : when its series end; null while it runs
-- column  at          TIMESTAMP      : end of the step, UTC, without zone
-- column  amount      DECIMAL(38,6)  : all until then; never less than before, at the end what the lines add up to
SELECT
    t.run AS run,
    t.token_type AS token_type,
    t.since AS since,
    t.until AS until,
    t.at AS at,
    cast(
        min(t.total) OVER (
            PARTITION BY t.run, t.token_type
            ORDER BY t.at
            ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
        ) AS DECIMAL(38, 6)
    ) AS amount
FROM (
    SELECT
        u.run,
        u.token_type,
        u.since,
        u.until,
        u.at,
        sum(sum(u.amount)) OVER (
            PARTITION BY u.run, u.token_type
            ORDER BY u.at
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS total
    FROM (
        SELECT
            l.run_id AS run,
            'train' AS token_type,
            l.since,
            l.until,
            m.at,
            cast(m.more AS DECIMAL(38, 6)) AS amount
        FROM run_tokens AS m
        INNER JOIN lived_run AS l ON m.run_id = l.run_id
        UNION ALL
        SELECT
            l.run_id AS run,
            CASE c.meter WHEN 'train_token' THEN 'train' ELSE c.meter END AS token_type,
            l.since,
            l.until,
            c.at,
            c.quantity AS amount
        FROM usage_step_cost AS c
        INNER JOIN lived_run AS l ON c.run_id = l.run_id
        WHERE
            c.quantity IS NOT NULL
            AND c.meter NOT IN ('train_hour', 'gpu_second', 'request', 'host_hour', 'storage_gb_month', 'unknown')
    ) AS u
    GROUP BY
        u.run,
        u.token_type,
        u.since,
        u.until,
        u.at
) AS t
ORDER BY
    t.run,
    t.token_type,
    t.at

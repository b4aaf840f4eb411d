-- Seconds for which a provider hosted a model until the end of a step in which some were told.
-- with    usage_step_cost
-- column  project     VARCHAR        : that pays
-- column  provider    VARCHAR        : who hosts
-- column  model       VARCHAR        : as the provider calls it
-- column  at          TIMESTAMP      : end of the step, UTC, without zone
-- column  amount      DECIMAL(38,6)  : all until then; never less than before, at the end what the lines add up to
SELECT
    t.project AS project,
    t.provider AS provider,
    t.model AS model,
    t.at AS at,
    cast(
        min(t.total) OVER (
            PARTITION BY t.project, t.provider, t.model
            ORDER BY t.at
            ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
        ) AS DECIMAL(38, 6)
    ) AS amount
FROM (
    SELECT
        u.project,
        u.provider,
        u.model,
        u.at,
        sum(sum(u.amount)) OVER (
            PARTITION BY u.project, u.provider, u.model
            ORDER BY u.at
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS total
    FROM (
        SELECT
            coalesce(r.project, c.project) AS project,
            c.provider,
            c.model,
            c.at,
            c.quantity * 3600 AS amount
        FROM usage_step_cost AS c
        LEFT JOIN run AS r ON c.run_id = r.id
        WHERE
            c.quantity IS NOT NULL
            AND c.meter = 'host_hour'
    ) AS u
    GROUP BY
        u.project,
        u.provider,
        u.model,
        u.at
) AS t
ORDER BY
    t.project,
    t.provider,
    t.model,
    t.at

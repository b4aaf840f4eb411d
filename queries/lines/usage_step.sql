-- Usage of one meter of a model in one step of time that has one price: like usage_line, but finer.
-- param   as_of           TIMESTAMP      : what was known then
-- param   from            TIMESTAMP      : first hour
-- param   to              TIMESTAMP      : hour after the last
-- param   step            INTEGER        : minutes, of which an hour is a multiple
-- with    usage_now
-- with    price_now
-- with    price_cut
-- column  run_id          VARCHAR        : null if no run's
-- column  project         VARCHAR        : that pays, if no run's
-- column  provider        VARCHAR        : who sold
-- column  model           VARCHAR        : as the provider calls it
-- column  priced_as       VARCHAR        : another name that prices may have for it
-- column  meter           VARCHAR        : what was counted
-- column  region          VARCHAR        : null if not told
-- column  service_tier    VARCHAR        : null if not told
-- column  training        VARCHAR        : null if not told
-- column  adapter         VARCHAR        : null if not told
-- column  parameters_b    DECIMAL(18,9)  : of the base model, null if not known
-- column  context_tokens  BIGINT         : of the request, where prices depend on it
-- column  hour            TIMESTAMP      : UTC, without zone
-- column  priced_at       TIMESTAMP      : instant that its price is asked for
-- column  at              TIMESTAMP      : end of the step
-- column  quantity        DECIMAL(38,6)  : null where the provider does not say
-- column  billed          DECIMAL(38,6)  : the quantity as the provider bills it
-- column  event_count     BIGINT         : events
SELECT
    u.run_id AS run_id,
    u.project AS project,
    u.provider AS provider,
    u.model AS model,
    u.priced_as AS priced_as,
    u.meter AS meter,
    u.region AS region,
    u.service_tier AS service_tier,
    u.training AS training,
    u.adapter AS adapter,
    u.parameters_b AS parameters_b,
    u.context_tokens AS context_tokens,
    u.hour AS hour,
    u.priced_at AS priced_at,
    u.at AS at,
    sum(u.quantity) AS quantity,
    sum(u.billed) AS billed,
    count(*) AS event_count
FROM (
    SELECT
        e.run_id,
        e.project,
        e.provider,
        e.model,
        CASE
            WHEN e.base_model IS NULL THEN e.model
            WHEN e.meter IN ('train_token', 'train_hour', 'gpu_second') THEN e.base_model
            ELSE 'ft:' || e.base_model
        END AS priced_as,
        e.meter,
        e.region,
        e.service_tier,
        e.training,
        e.adapter,
        e.parameters_b,
        CASE WHEN x.provider IS NOT NULL THEN e.context_tokens END AS context_tokens,
        e.hour,
        CASE WHEN c.hour IS NULL THEN e.hour ELSE e.used_at END AS priced_at,
        e.hour + (e.minute_of - mod(e.minute_of, $step) + $step) * INTERVAL '1' MINUTE AS at,
        e.quantity,
        CASE
            -- each job's hours of reinforcement fine-tuning are billed to the hundredth
            WHEN e.provider = 'openai' AND e.meter = 'train_hour' THEN cast(round(e.quantity, 2) AS DECIMAL(18, 6))
            ELSE e.quantity
        END AS billed
    FROM (
        SELECT
            *,
            extract(MINUTE FROM used_at) AS minute_of
        FROM usage_now
    ) AS e
    LEFT JOIN price_cut AS c ON e.provider = c.provider AND e.hour = c.hour
    LEFT JOIN (
        SELECT DISTINCT provider
        FROM price_now
        WHERE
            context_over IS NOT NULL
            OR context_to IS NOT NULL
    ) AS x ON e.provider = x.provider
    WHERE
        e.hour >= $from
        AND e.hour < $to
) AS u
GROUP BY
    u.run_id,
    u.project,
    u.provider,
    u.model,
    u.priced_as,
    u.meter,
    u.region,
    u.service_tier,
    u.training,
    u.adapter,
    u.parameters_b,
    u.context_tokens,
    u.hour,
    u.priced_at,
    u.at

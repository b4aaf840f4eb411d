-- Usage times its price, in nano-units of the price's currency; without one where no price is known.
-- with    usage_line
-- with    price_now
-- column  run_id        VARCHAR         : null if no run's
-- column  project       VARCHAR         : that pays, if no run's
-- column  provider      VARCHAR         : who sold
-- column  model         VARCHAR         : as the provider calls it
-- column  priced_as     VARCHAR         : another name that prices may have for it
-- column  meter         VARCHAR         : what was counted
-- column  region        VARCHAR         : null if not told
-- column  service_tier  VARCHAR         : null if not told
-- column  training      VARCHAR         : null if not told
-- column  adapter       VARCHAR         : null if not told
-- column  hour          TIMESTAMP       : UTC, without zone
-- column  priced_at     TIMESTAMP       : instant that its price was asked for
-- column  quantity      DECIMAL(38,6)   : null where the provider does not say
-- column  event_count   BIGINT          : events
-- column  kind          VARCHAR         : api_training, api_tokens, hosting or storage
-- column  currency      VARCHAR         : null if no price is known
-- column  amount        DECIMAL(38,15)  : never rounded
-- column  low           DECIMAL(38,15)  : lower bound
-- column  high          DECIMAL(38,15)  : upper bound
-- column  price_id      VARCHAR         : the price it stands on
SELECT
    b.run_id AS run_id,
    b.project AS project,
    b.provider AS provider,
    b.model AS model,
    b.priced_as AS priced_as,
    b.meter AS meter,
    b.region AS region,
    b.service_tier AS service_tier,
    b.training AS training,
    b.adapter AS adapter,
    b.hour AS hour,
    b.priced_at AS priced_at,
    b.quantity AS quantity,
    b.event_count AS event_count,
    CASE
        WHEN b.meter IN ('train_token', 'train_hour', 'gpu_second') THEN 'api_training'
        WHEN b.meter = 'host_hour' THEN 'hosting'
        WHEN b.meter = 'storage_gb_month' THEN 'storage'
        ELSE 'api_tokens'
    END AS kind,
    r.currency AS currency,
    cast(b.billed * r.rate AS DECIMAL(38, 15)) AS amount,
    cast(b.billed * r.rate_low AS DECIMAL(38, 15)) AS low,
    cast(b.billed * r.rate_high AS DECIMAL(38, 15)) AS high,
    r.price_id AS price_id
FROM (
    SELECT
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
        u.quantity,
        u.billed,
        u.event_count,
        max(
            p.evidence_rank * 1000000000000
            + CASE WHEN u.model = p.model THEN 100000000000 ELSE 0 END
            + p.place
        ) AS best
    FROM usage_line AS u
    LEFT JOIN price_now AS p
        ON
            u.provider = p.provider
            AND u.meter = p.meter
            AND (
                p.model IN (u.model, u.priced_as, '*')
                -- hours of hosting tell no base model: the name of a tuned model does
                OR (p.model = 'ft:*' AND (u.priced_as LIKE 'ft:%' OR u.model LIKE '%.ft-%'))
            )
            AND (p.region IS NULL OR lower(u.region) = lower(p.region))
            AND (p.service_tier IS NULL OR lower(u.service_tier) = lower(p.service_tier))
            AND (p.training IS NULL OR u.training = p.training)
            AND (p.adapter IS NULL OR u.adapter = p.adapter)
            AND (p.parameters_over_b IS NULL OR u.parameters_b > p.parameters_over_b)
            AND (p.parameters_to_b IS NULL OR u.parameters_b <= p.parameters_to_b)
            AND (p.context_over IS NULL OR u.context_tokens > p.context_over)
            AND (p.context_to IS NULL OR u.context_tokens <= p.context_to)
            AND (p.valid_from IS NULL OR u.priced_at >= p.valid_from)
            AND (p.valid_to IS NULL OR u.priced_at < p.valid_to)
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
        u.quantity,
        u.billed,
        u.event_count
) AS b
LEFT JOIN price_now AS r ON mod(b.best, 100000000000) = r.place

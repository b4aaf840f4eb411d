-- What a provider billed for one line item in one span, by the newest word on each charge.
-- param   as_of         TIMESTAMP      : what was known then
-- param   from          TIMESTAMP      : first instant
-- param   to            TIMESTAMP      : instant after the last
-- param   project       VARCHAR        : that pays; null is any
-- column  start_at      TIMESTAMP      : UTC, without zone
-- column  end_at        TIMESTAMP      : instant after the last
-- column  provider      VARCHAR        : who billed
-- column  project       VARCHAR        : that pays
-- column  line_item     VARCHAR        : as the provider calls it
-- column  model         VARCHAR        : null if not told
-- column  currency      VARCHAR        : never added to another
-- column  amount        DECIMAL(38,9)  : in the currency, credits taken off
-- column  charge_count  DECIMAL(38,0)  : charges
-- column  credit_count  DECIMAL(38,0)  : of them with an amount below 0
SELECT
    c.start_at AS start_at,
    c.end_at AS end_at,
    c.provider AS provider,
    coalesce(c.project, 'default') AS project,
    c.line_item AS line_item,
    c.model AS model,
    c.currency AS currency,
    cast(sum(c.amount) AS DECIMAL(38, 9)) AS amount,
    cast(count(*) AS DECIMAL(38, 0)) AS charge_count,
    cast(sum(CASE WHEN c.amount < 0 THEN 1 ELSE 0 END) AS DECIMAL(38, 0)) AS credit_count
FROM (
    SELECT
        source,
        charge_id,
        start_at,
        end_at,
        provider,
        project,
        line_item,
        model,
        currency,
        amount,
        row_number() OVER (PARTITION BY source, charge_id ORDER BY seq DESC) AS version
    FROM charge
    WHERE recorded_at <= $as_of
) AS c
WHERE
    c.version = 1
    AND c.end_at > $from
    AND c.start_at < $to
    AND ($project IS NULL OR coalesce(c.project, 'default') = $project)
GROUP BY
    c.start_at,
    c.end_at,
    c.provider,
    coalesce(c.project, 'default'),
    c.line_item,
    c.model,
    c.currency
ORDER BY
    c.start_at ASC,
    c.end_at ASC,
    c.provider ASC,
    project ASC,
    c.line_item ASC,
    c.model ASC,
    c.currency ASC

-- Money of a run that one exchange rate turns into one currency, rounded once, to nine places.
-- param   run_id         VARCHAR        : of the run
-- param   wanted         VARCHAR        : the currency to have it in
-- param   as_of          TIMESTAMP      : what was known then
-- param   from           TIMESTAMP      : first hour
-- param   to             TIMESTAMP      : hour after the last
-- with    cost_line
-- with    fx_rate
-- column  from_currency  VARCHAR        : that it was in
-- column  amount         DECIMAL(38,9)  : in that currency; null if no rate is known
-- column  low            DECIMAL(38,9)  : lower bound
-- column  high           DECIMAL(38,9)  : upper bound
-- column  method         VARCHAR        : the weakest
-- column  factor_id      VARCHAR        : the rate; null if none is known or needed
SELECT
    c.from_currency AS from_currency,
    cast(cast(round(c.amount * c.rate, 0) AS DECIMAL(29, 0)) * cast(0.000000001 AS DECIMAL(9, 9)) AS DECIMAL(38, 9))
        AS amount,
    cast(
        cast(round(least(c.low * c.rate_low, c.low * c.rate_high), 0) AS DECIMAL(29, 0))
        * cast(0.000000001 AS DECIMAL(9, 9)) AS DECIMAL(38, 9)
    ) AS low,
    cast(
        cast(round(greatest(c.high * c.rate_low, c.high * c.rate_high), 0) AS DECIMAL(29, 0))
        * cast(0.000000001 AS DECIMAL(9, 9)) AS DECIMAL(38, 9)
    ) AS high,
    CASE c.weakness
        WHEN 0 THEN 'measured'
        WHEN 1 THEN 'sourced'
        WHEN 2 THEN 'modelled'
        WHEN 3 THEN 'assumed'
    END AS method,
    c.factor_id AS factor_id
FROM (
    SELECT
        l.currency AS from_currency,
        cast(round(sum(l.amount), 0) AS DECIMAL(20, 0)) AS amount,
        cast(round(sum(l.low), 0) AS DECIMAL(20, 0)) AS low,
        cast(round(sum(l.high), 0) AS DECIMAL(20, 0)) AS high,
        greatest(max(l.weakness), coalesce(max(x.weakness), 0)) AS weakness,
        coalesce(max(x.rate), max(CASE WHEN l.currency = w.currency THEN 1 END)) AS rate,
        coalesce(max(x.rate_low), max(CASE WHEN l.currency = w.currency THEN 1 END)) AS rate_low,
        coalesce(max(x.rate_high), max(CASE WHEN l.currency = w.currency THEN 1 END)) AS rate_high,
        x.factor_id AS factor_id
    FROM cost_line AS l
    CROSS JOIN (SELECT cast($wanted AS VARCHAR) AS currency) AS w
    LEFT JOIN fx_rate AS x
        ON
            l.site_id = x.site_id
            AND l.hour = x.hour
            AND l.quarter = x.quarter
            AND l.currency = x.from_currency
            AND w.currency = x.to_currency
            AND l.currency <> w.currency
    WHERE l.run_id = $run_id
    GROUP BY
        l.currency,
        x.factor_id
) AS c
ORDER BY
    c.from_currency,
    c.factor_id

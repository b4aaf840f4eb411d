-- A provider of which a price is known, and the newest date at which a source told one of its prices.
-- column  provider     VARCHAR  : who sells
-- column  source_date  VARCHAR  : a year, month or day
SELECT
    provider,
    max(source_date) AS source_date
FROM price
WHERE
    amount IS NOT NULL
    AND source_date IS NOT NULL
GROUP BY provider
ORDER BY provider

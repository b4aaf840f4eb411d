-- A UTC hour in which a price begins or ends; usage in it is priced by its instant.
-- with    price_now
-- column  provider   VARCHAR    : who sells
-- column  hour       TIMESTAMP  : UTC, without zone
SELECT DISTINCT
    p.provider AS provider,
    date_trunc('hour', p.cut_at) AS hour
FROM (
    SELECT
        provider,
        valid_from AS cut_at
    FROM price_now
    WHERE valid_from IS NOT NULL
    UNION ALL
    SELECT
        provider,
        valid_to AS cut_at
    FROM price_now
    WHERE valid_to IS NOT NULL
) AS p
WHERE date_trunc('hour', p.cut_at) <> p.cut_at

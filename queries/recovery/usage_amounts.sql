-- A meter of an event with amounts that the ledger has, of those asked for, to be compared.
-- param   keys       VARCHAR        : digits of the events' keys, parted by commas
-- column  event_key  VARCHAR        : of the event, in digits
-- column  source     VARCHAR        : who told it
-- column  meter      VARCHAR        : what was counted
-- column  quantity   DECIMAL(18,6)  : null where the provider does not say
-- column  told       VARCHAR        : JSON: other fields as told
SELECT
    cast(u.event_key AS VARCHAR) AS event_key,
    u.source AS source,
    u.meter AS meter,
    u.quantity AS quantity,
    u.told AS told
FROM usage_event AS u
INNER JOIN (
    SELECT cast(unnest(string_split($keys, ',')) AS DECIMAL(38, 0)) AS event_key
) AS a ON u.event_key = a.event_key
LEFT JOIN (
    SELECT DISTINCT event_key
    FROM usage_event
    WHERE flags LIKE '%"after_unknown"%'
) AS f ON u.event_key = f.event_key
WHERE
    f.event_key IS NULL
    OR u.flags LIKE '%"after_unknown"%'
ORDER BY
    u.event_key,
    u.meter

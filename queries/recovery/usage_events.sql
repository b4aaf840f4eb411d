-- An event of usage that the ledger has, of those asked for.
-- param   keys            VARCHAR  : digits of the events' keys, parted by commas
-- column  event_key       VARCHAR  : of the event, in digits
-- column  content_sha256  VARCHAR  : hash over what it says
-- column  has_amounts     BOOLEAN  : it tells how much of anything
SELECT
    cast(u.event_key AS VARCHAR) AS event_key,
    u.content_sha256 AS content_sha256,
    count(u.quantity) > 0 AS has_amounts
FROM usage_event AS u
INNER JOIN (
    SELECT cast(unnest(string_split($keys, ',')) AS DECIMAL(38, 0)) AS event_key
) AS a ON u.event_key = a.event_key
GROUP BY
    u.event_key,
    u.content_sha256

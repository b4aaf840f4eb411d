-- An event of usage that the ledger has, of those asked for.
-- param   keys            DECIMAL(38,0)[]  : of events
-- column  event_key       DECIMAL(38,0)    : of the event
-- column  content_sha256  VARCHAR          : hash over what it says
SELECT
    u.event_key AS event_key,
    min(u.content_sha256) AS content_sha256
FROM usage_event AS u
INNER JOIN (SELECT unnest($keys) AS event_key) AS a ON u.event_key = a.event_key
GROUP BY u.event_key

-- How much of each meter a counter of telemetry has been told in all: its events share a beginning.
-- param   source     VARCHAR        : who told it
-- param   beginning  VARCHAR        : of the ids of its events
-- column  meter      VARCHAR        : what was counted
-- column  quantity   DECIMAL(38,6)  : told so far
SELECT
    u.meter AS meter,
    sum(u.quantity) AS quantity
FROM usage_event AS u
WHERE
    u.source = $source
    AND substring(u.event_id, 1, char_length($beginning)) = $beginning
GROUP BY u.meter
ORDER BY u.meter

-- A span that was stored under its own id, as long ago, of those of the answers asked for.
-- param   sources     VARCHAR[]  : who gave each answer
-- param   ids         VARCHAR[]  : of the answers there
-- column  source      VARCHAR    : who gave the answer
-- column  answer_id   VARCHAR    : of the answer there
-- column  event_key   VARCHAR    : of the span's event, in digits
SELECT
    a.source AS source,
    a.answer_id AS answer_id,
    cast(min(u.event_key) AS VARCHAR) AS event_key
FROM usage_event AS u
INNER JOIN (
    SELECT DISTINCT
        unnest($sources) AS source,
        unnest($ids) AS answer_id
) AS a ON u.provider = a.source AND json_extract_string(u.told, '$.response_id') = a.answer_id
WHERE u.source = 'otlp' AND u.quantity IS NOT NULL
GROUP BY
    a.source,
    a.answer_id

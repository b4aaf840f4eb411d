-- How many rows of usage are of spans that were stored under their own id though they name an answer.
-- param   characters  INTEGER  : that an answer's id has at least
-- column  row_count   BIGINT   : of rows
SELECT count(*) AS row_count
FROM usage_event AS u
WHERE
    u.source = 'otlp'
    AND u.quantity IS NOT NULL
    AND length(json_extract_string(u.told, '$.response_id')) >= $characters

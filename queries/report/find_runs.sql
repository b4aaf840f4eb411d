-- A run that a text may mean, the newest first; `last` means the newest.
-- param   text        VARCHAR    : id, its beginning, name, an id of others (also as source:id), or `last`
-- column  run_id      VARCHAR    : of the run
-- column  name        VARCHAR    : for people
-- column  started_at  TIMESTAMP  : UTC, without zone
-- column  meant_by    VARCHAR    : last, id, name, link or prefix
SELECT
    r.id AS run_id,
    r.name AS name,
    r.started_at AS started_at,
    CASE
        WHEN r.id = $text THEN 'id'
        WHEN $text = 'last' THEN 'last'
        WHEN r.name = $text THEN 'name'
        WHEN r.linked THEN 'link'
        ELSE 'prefix'
    END AS meant_by
FROM (
    SELECT
        id,
        name,
        started_at,
        id IN (
            SELECT run_id
            FROM run_link
            WHERE
                foreign_id = $text
                OR concat(source, ':', foreign_id) = $text
        ) AS linked
    FROM run
) AS r
WHERE
    $text = 'last'
    OR r.name = $text
    OR r.linked
    OR upper(substring(r.id, 1, char_length($text))) = upper($text)
ORDER BY
    r.started_at DESC,
    r.id DESC

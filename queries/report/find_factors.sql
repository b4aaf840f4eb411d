-- A factor that a text means: its id, or a part of that after a colon.
-- param   text           VARCHAR        : as written
-- column  id             VARCHAR        : of the factor
SELECT f.id AS id
FROM factor AS f
WHERE
    f.id = $text
    OR position(':' || $text IN f.id) > 0
ORDER BY f.id
LIMIT 10

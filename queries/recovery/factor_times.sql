-- A time that a book has stated something of, for a kind and a scope.
-- param   book        VARCHAR    : who states it
-- param   kind        VARCHAR    : what it tells
-- param   scope       VARCHAR    : zone, site id or world
-- column  valid_from  TIMESTAMP  : null is always
-- column  valid_to    TIMESTAMP  : null is always
SELECT DISTINCT
    valid_from,
    valid_to
FROM factor
WHERE
    book = $book
    AND kind = $kind
    AND scope = $scope
ORDER BY valid_from, valid_to

-- A site that the ledger knows.
-- column  id             VARCHAR        : of the site
SELECT DISTINCT s.id AS id
FROM site AS s
ORDER BY s.id

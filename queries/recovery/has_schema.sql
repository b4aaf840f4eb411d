-- One row: how many tables named schema_version there are, 0 or 1.
-- column  tables   BIGINT     : 0 in an empty file
SELECT count(*) AS tables
FROM information_schema.tables
WHERE table_name = 'schema_version'

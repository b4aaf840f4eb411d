-- A version of the schema that the ledger has been brought to.
-- column  version  INTEGER  : number of its file
-- column  sha256   VARCHAR  : of the file's text
SELECT
    version,
    sha256
FROM schema_version
ORDER BY version

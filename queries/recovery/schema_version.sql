-- One row: the newest schema version that the ledger has.
-- column  version  INTEGER    : 0 if none
SELECT coalesce(max(version), 0) AS version
FROM schema_version

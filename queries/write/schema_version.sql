-- Adds one row: a schema version was applied.
-- param   version     INTEGER    : number of the schema file
-- param   applied_at  TIMESTAMP  : UTC, without zone
-- param   sha256      VARCHAR    : of the file's text
INSERT INTO schema_version (version, applied_at, sha256)
VALUES ($version, $applied_at, $sha256)

-- The newest word on a charge, of those asked for.
-- param   sources         VARCHAR[]  : who told each
-- param   ids             VARCHAR[]  : of each there
-- column  source          VARCHAR    : who told it
-- column  charge_id       VARCHAR    : of the charge
-- column  content_sha256  VARCHAR    : hash over what it says
SELECT
    c.source AS source,
    c.charge_id AS charge_id,
    c.content_sha256 AS content_sha256
FROM (
    SELECT
        h.source,
        h.charge_id,
        h.content_sha256,
        row_number() OVER (PARTITION BY h.source, h.charge_id ORDER BY h.seq DESC) AS version
    FROM charge AS h
    INNER JOIN (
        SELECT DISTINCT
            unnest($sources) AS source,
            unnest($ids) AS charge_id
    ) AS a ON h.source = a.source AND h.charge_id = a.charge_id
) AS c
WHERE c.version = 1

-- The newest word on a charge.
-- column  source          VARCHAR  : who told it
-- column  charge_id       VARCHAR  : of the charge
-- column  content_sha256  VARCHAR  : hash over what it says
SELECT
    c.source AS source,
    c.charge_id AS charge_id,
    c.content_sha256 AS content_sha256
FROM (
    SELECT
        source,
        charge_id,
        content_sha256,
        row_number() OVER (PARTITION BY source, charge_id ORDER BY seq DESC) AS version
    FROM charge
) AS c
WHERE c.version = 1

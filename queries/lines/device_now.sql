-- A device as it was last described.
-- param   as_of      TIMESTAMP  : what was known then
-- column  device_id  VARCHAR    : UUID of a GPU
-- column  component  VARCHAR    : gpu, cpu or ram
-- column  name       VARCHAR    : model
-- column  simulated  BOOLEAN    : not real
SELECT
    d.id AS device_id,
    d.component AS component,
    d.name AS name,
    d.simulated AS simulated
FROM (
    SELECT
        id,
        component,
        name,
        simulated,
        row_number() OVER (PARTITION BY id ORDER BY recorded_at DESC) AS version
    FROM device
    WHERE recorded_at <= $as_of
) AS d
WHERE d.version = 1

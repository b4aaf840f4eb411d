-- A device as it was described last.
-- column  id         VARCHAR  : UUID of a GPU
-- column  component  VARCHAR  : gpu, cpu, ram or hosted
-- column  name       VARCHAR  : for people
-- column  method     VARCHAR  : what its readings are at best
SELECT
    d.id AS id,
    d.component AS component,
    d.name AS name,
    d.method AS method
FROM (
    SELECT
        *,
        row_number() OVER (PARTITION BY id ORDER BY recorded_at DESC) AS place
    FROM device
) AS d
WHERE d.place = 1
ORDER BY d.id

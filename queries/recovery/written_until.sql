-- How far a device's intervals have been written.
-- column  device_id  VARCHAR    : UUID of a GPU
-- column  end_at     TIMESTAMP  : end of the newest interval, by commit
WITH newest AS (
    SELECT
        device_id,
        max(seq) AS seq
    FROM interval
    WHERE NOT correction
    GROUP BY device_id
)

SELECT
    i.device_id AS device_id,
    max(i.end_at) AS end_at
FROM interval AS i
INNER JOIN newest ON i.device_id = newest.device_id AND i.seq = newest.seq
WHERE NOT i.correction
GROUP BY i.device_id
ORDER BY i.device_id

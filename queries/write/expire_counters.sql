-- Removes the rows of live counters that have a newer one.
DELETE FROM counter
WHERE
    EXISTS (
        SELECT 1 AS newer
        FROM (
            SELECT
                name,
                labels,
                max(seq) AS seq
            FROM counter
            GROUP BY
                name,
                labels
        ) AS n
        WHERE
            n.name = counter.name
            AND n.labels = counter.labels
            AND n.seq > counter.seq
    )

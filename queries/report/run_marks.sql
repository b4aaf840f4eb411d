-- Energy of a run between its first and last mark that counts something; a single mark counts from the start.
-- param   run_id      VARCHAR        : of the run
-- param   as_of       TIMESTAMP      : what was known then
-- column  counted     VARCHAR        : step or token
-- column  quantity    BIGINT         : how many in between
-- column  energy_j    DECIMAL(24,3)  : spent in between
SELECT
    m.counted AS counted,
    CASE
        WHEN max(m.amount) > min(m.amount) THEN max(m.amount) - min(m.amount)
        ELSE max(m.amount)
    END AS quantity,
    cast(
        CASE
            WHEN max(m.amount) > min(m.amount) THEN max(m.energy_mj) - min(m.energy_mj)
            ELSE max(m.energy_mj)
        END * cast(0.001 AS DECIMAL(4, 3)) AS DECIMAL(24, 3)
    ) AS energy_j
FROM (
    SELECT
        'step' AS counted,
        step AS amount,
        energy_mj
    FROM mark
    WHERE
        run_id = $run_id
        AND step IS NOT NULL
        AND recorded_at <= $as_of
    UNION ALL
    SELECT
        'token' AS counted,
        tokens AS amount,
        energy_mj
    FROM mark
    WHERE
        run_id = $run_id
        AND tokens IS NOT NULL
        AND recorded_at <= $as_of
) AS m
GROUP BY m.counted
ORDER BY m.counted

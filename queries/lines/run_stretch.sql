-- Energy that a run used in one phase until the next one began, or it ended; of runs that mark phases.
-- param   as_of      TIMESTAMP      : what was known then
-- param   from       TIMESTAMP      : first hour
-- param   to         TIMESTAMP      : hour after the last
-- param   step       INTEGER        : minutes, of which an hour is a multiple
-- column  run_id     VARCHAR        : of the run
-- column  phase      VARCHAR        : (none) is the time without one
-- column  at         TIMESTAMP      : end of the step of time in which the stretch ends
-- column  energy_mj  DECIMAL(18,0)  : never negative
SELECT
    g.run_id AS run_id,
    g.phase AS phase,
    date_trunc('hour', g.until)
    + (extract(MINUTE FROM g.until) - mod(extract(MINUTE FROM g.until), $step) + $step) * INTERVAL '1' MINUTE AS at,
    cast(g.end_mj - g.begin_mj AS DECIMAL(18, 0)) AS energy_mj
FROM (
    SELECT
        p.run_id,
        p.phase,
        p.energy_mj AS begin_mj,
        lead(p.energy_mj) OVER (PARTITION BY p.run_id ORDER BY p.part, p.marked_at, p.number) AS end_mj,
        lead(p.marked_at) OVER (PARTITION BY p.run_id ORDER BY p.part, p.marked_at, p.number) AS until
    FROM (
        SELECT
            e.run_id,
            e.part,
            e.marked_at,
            e.number,
            e.phase,
            max(e.energy_mj) OVER (
                PARTITION BY e.run_id
                ORDER BY e.part, e.marked_at, e.number
                ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ) AS energy_mj
        FROM (
            SELECT
                r.id AS run_id,
                0 AS part,
                r.started_at AS marked_at,
                0 AS number,
                '(none)' AS phase,
                cast(0 AS BIGINT) AS energy_mj
            FROM run AS r
            WHERE
                r.id IN (
                    SELECT k.run_id FROM mark AS k
                    WHERE
                        k.phase IS NOT NULL
                        AND k.recorded_at <= $as_of
                )
            UNION ALL
            SELECT
                m.run_id,
                1 AS part,
                m.marked_at,
                coalesce(m.number, 0) AS number,
                CASE WHEN m.phase = '' THEN '(none)' ELSE m.phase END AS phase,
                least(m.energy_mj, t.energy_mj) AS energy_mj
            FROM mark AS m
            INNER JOIN (
                SELECT
                    run_id,
                    cast(sum(energy_mj) AS BIGINT) AS energy_mj
                FROM interval
                WHERE
                    recorded_at <= $as_of
                    AND hour >= $from
                    AND hour < $to
                GROUP BY run_id
            ) AS t ON m.run_id = t.run_id
            WHERE
                m.phase IS NOT NULL
                AND m.recorded_at <= $as_of
            UNION ALL
            SELECT
                i.run_id,
                2 AS part,
                max(i.start_at) AS marked_at,
                0 AS number,
                '' AS phase,
                cast(sum(i.energy_mj) AS BIGINT) AS energy_mj
            FROM interval AS i
            WHERE
                i.run_id IS NOT NULL
                AND i.recorded_at <= $as_of
                AND i.hour >= $from
                AND i.hour < $to
            GROUP BY i.run_id
        ) AS e
    ) AS p
) AS g
WHERE
    g.phase <> ''
    AND g.end_mj > g.begin_mj

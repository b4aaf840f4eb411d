-- A phase of a run: its times, energy and bounds; all of them are the run, also the time without one.
-- param   run_id    VARCHAR        : of the run
-- param   as_of     TIMESTAMP      : what was known then
-- param   from      TIMESTAMP      : first hour
-- param   to        TIMESTAMP      : hour after the last
-- with    run_span
-- with    run_mark
-- column  phase     VARCHAR        : (none) is the time without one; (other) are those beyond 31
-- column  times     BIGINT         : how often it ran
-- column  span_us   BIGINT         : how long together
-- column  energy_j  DECIMAL(24,3)  : spent in it
-- column  low_j     DECIMAL(24,3)  : lower bound, null if not kept
-- column  high_j    DECIMAL(24,3)  : upper bound, null if not kept
SELECT
    CASE WHEN r.place > 31 THEN '(other)' ELSE r.phase END AS phase,
    cast(sum(r.times) AS BIGINT) AS times,
    cast(sum(r.span_us) AS BIGINT) AS span_us,
    cast(sum(r.energy_mj) * cast(0.001 AS DECIMAL(4, 3)) AS DECIMAL(24, 3)) AS energy_j,
    CASE
        WHEN count(r.low_mj) = count(*)
            THEN cast(sum(r.low_mj) * cast(0.001 AS DECIMAL(4, 3)) AS DECIMAL(24, 3))
    END AS low_j,
    CASE
        WHEN count(r.high_mj) = count(*)
            THEN cast(sum(r.high_mj) * cast(0.001 AS DECIMAL(4, 3)) AS DECIMAL(24, 3))
    END AS high_j
FROM (
    SELECT
        q.phase AS phase,
        sum(q.begins) AS times,
        sum(q.span_us) AS span_us,
        sum(q.energy_mj) AS energy_mj,
        CASE WHEN count(q.low_mj) = count(*) THEN sum(q.low_mj) END AS low_mj,
        CASE WHEN count(q.high_mj) = count(*) THEN sum(q.high_mj) END AS high_mj,
        row_number() OVER (ORDER BY sum(q.energy_mj) DESC, q.phase ASC) AS place
    FROM (
        SELECT
            p.phase AS phase,
            CASE WHEN lag(p.phase) OVER w = p.phase THEN 0 ELSE 1 END AS begins,
            cast(
                greatest(extract(EPOCH FROM lead(p.marked_at) OVER w - p.marked_at), 0) * 1000000
                AS BIGINT
            ) AS span_us,
            lead(p.energy_mj) OVER w - p.energy_mj AS energy_mj,
            CASE
                WHEN lead(p.low_mj) OVER w - p.low_mj IS NOT NULL
                    THEN greatest(
                        least(
                            lead(p.low_mj) OVER w - p.low_mj,
                            lead(p.energy_mj) OVER w - p.energy_mj
                        ) - p.above_mj - lead(p.below_mj) OVER w,
                        0
                    )
            END AS low_mj,
            CASE
                WHEN lead(p.high_mj) OVER w - p.high_mj IS NOT NULL
                    THEN greatest(
                        lead(p.high_mj) OVER w - p.high_mj, lead(p.energy_mj) OVER w - p.energy_mj
                    ) + p.below_mj + lead(p.above_mj) OVER w
            END AS high_mj,
            lead(p.part) OVER w AS next_part
        FROM (
            SELECT
                e.part AS part,
                e.marked_at AS marked_at,
                e.number AS number,
                e.phase AS phase,
                max(e.energy_mj) OVER (
                    ORDER BY e.part, e.marked_at, e.number
                    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
                ) AS energy_mj,
                e.low_mj AS low_mj,
                e.high_mj AS high_mj,
                e.below_mj AS below_mj,
                e.above_mj AS above_mj
            FROM (
                SELECT
                    0 AS part,
                    s.start_at AS marked_at,
                    0 AS number,
                    '(none)' AS phase,
                    0 AS energy_mj,
                    0 AS low_mj,
                    0 AS high_mj,
                    0 AS below_mj,
                    0 AS above_mj
                FROM run_span AS s
                UNION ALL
                SELECT
                    1 AS part,
                    m.marked_at AS marked_at,
                    m.number AS number,
                    CASE WHEN m.phase = '' THEN '(none)' ELSE m.phase END AS phase,
                    m.energy_mj AS energy_mj,
                    m.low_mj AS low_mj,
                    m.high_mj AS high_mj,
                    m.below_mj AS below_mj,
                    m.above_mj AS above_mj
                FROM run_mark AS m
                WHERE m.phase IS NOT NULL
                UNION ALL
                SELECT
                    2 AS part,
                    s.end_at AS marked_at,
                    0 AS number,
                    '' AS phase,
                    s.energy_mj AS energy_mj,
                    s.low_mj AS low_mj,
                    s.high_mj AS high_mj,
                    0 AS below_mj,
                    0 AS above_mj
                FROM run_span AS s
            ) AS e
        ) AS p
        WINDOW w AS (ORDER BY p.part, p.marked_at, p.number)
    ) AS q
    WHERE q.next_part IS NOT NULL
    GROUP BY q.phase
) AS r
GROUP BY CASE WHEN r.place > 31 THEN '(other)' ELSE r.phase END
ORDER BY
    sum(r.energy_mj) DESC,
    phase ASC

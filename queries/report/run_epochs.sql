-- An epoch of a run: from the mark that completed the one before to the mark that completed it; the last may be a part.
-- param   run_id      VARCHAR        : of the run
-- param   as_of       TIMESTAMP      : what was known then
-- param   from        TIMESTAMP      : first hour
-- param   to          TIMESTAMP      : hour after the last
-- with    run_span
-- with    run_mark
-- column  epoch       BIGINT         : counted from 1; of several that were told together, the last
-- column  from_epoch  DECIMAL(18,9)  : where the row begins
-- column  to_epoch    DECIMAL(18,9)  : where it ends
-- column  started_at  TIMESTAMP      : UTC, without zone
-- column  ended_at    TIMESTAMP      : UTC, without zone
-- column  energy_j    DECIMAL(24,3)  : spent in it
-- column  low_j       DECIMAL(24,3)  : lower bound, null if not kept
-- column  high_j      DECIMAL(24,3)  : upper bound, null if not kept
SELECT
    p.number_of AS epoch,
    p.from_epoch AS from_epoch,
    p.epoch AS to_epoch,
    p.started_at AS started_at,
    p.marked_at AS ended_at,
    cast(p.energy_mj * cast(0.001 AS DECIMAL(4, 3)) AS DECIMAL(24, 3)) AS energy_j,
    CASE
        WHEN p.low_mj IS NOT NULL
            THEN cast(
                greatest(least(p.low_mj, p.energy_mj) - p.less_mj, 0)
                * cast(0.001 AS DECIMAL(4, 3)) AS DECIMAL(24, 3)
            )
    END AS low_j,
    CASE
        WHEN p.high_mj IS NOT NULL
            THEN cast(
                (greatest(p.high_mj, p.energy_mj) + p.more_mj)
                * cast(0.001 AS DECIMAL(4, 3)) AS DECIMAL(24, 3)
            )
    END AS high_j
FROM (
    SELECT
        c.epoch AS epoch,
        c.marked_at AS marked_at,
        lag(c.epoch) OVER w AS from_epoch,
        lag(c.marked_at) OVER w AS started_at,
        c.energy_mj - lag(c.energy_mj) OVER w AS energy_mj,
        c.low_mj - lag(c.low_mj) OVER w AS low_mj,
        c.high_mj - lag(c.high_mj) OVER w AS high_mj,
        c.below_mj + lag(c.above_mj) OVER w AS less_mj,
        c.above_mj + lag(c.below_mj) OVER w AS more_mj,
        CASE WHEN c.crosses THEN c.done ELSE c.done + 1 END AS number_of
    FROM (
        SELECT
            b.*,
            cast(floor(b.epoch) AS BIGINT) AS done,
            lag(b.epoch) OVER u IS NULL
            OR floor(b.epoch) > floor(lag(b.epoch) OVER u) AS crosses,
            lead(b.epoch) OVER u IS NULL AS is_last
        FROM (
            SELECT
                a.epoch AS epoch,
                a.marked_at AS marked_at,
                a.low_mj AS low_mj,
                a.high_mj AS high_mj,
                a.below_mj AS below_mj,
                a.above_mj AS above_mj,
                max(a.energy_mj) OVER (
                    ORDER BY a.marked_at, a.number, a.epoch
                    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
                ) AS energy_mj,
                max(a.epoch) OVER (
                    ORDER BY a.marked_at, a.number, a.epoch
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                ) AS before
            FROM (
                SELECT
                    s.start_at AS marked_at,
                    -1 AS number,
                    cast(0 AS DECIMAL(18, 9)) AS epoch,
                    0 AS energy_mj,
                    0 AS low_mj,
                    0 AS high_mj,
                    0 AS below_mj,
                    0 AS above_mj
                FROM run_span AS s
                LEFT JOIN run_mark AS z ON z.epoch = 0
                WHERE z.epoch IS NULL
                UNION ALL
                SELECT
                    m.marked_at AS marked_at,
                    m.number AS number,
                    m.epoch AS epoch,
                    m.energy_mj AS energy_mj,
                    m.low_mj AS low_mj,
                    m.high_mj AS high_mj,
                    m.below_mj AS below_mj,
                    m.above_mj AS above_mj
                FROM run_mark AS m
                WHERE m.epoch IS NOT NULL
            ) AS a
        ) AS b
        WHERE
            b.before IS NULL
            OR b.epoch > b.before
        WINDOW u AS (ORDER BY b.epoch)
    ) AS c
    WHERE
        c.crosses
        OR c.is_last
    WINDOW w AS (ORDER BY c.epoch)
) AS p
WHERE p.started_at IS NOT NULL
ORDER BY p.epoch
LIMIT 1000

-- An epoch of a run: from the mark that completed the one before to the mark that completed it; the last may be a part.
-- param   run_id      VARCHAR        : of the run
-- param   as_of       TIMESTAMP      : what was known then
-- param   from        TIMESTAMP      : first hour
-- param   to          TIMESTAMP      : hour after the last
-- with    run_span
-- with    run_amount
-- column  training    BIGINT         : counted from 1
-- column  epoch       BIGINT         : counted from 1; of several that were told together, the last
-- column  from_epoch  DECIMAL(18,9)  : where the row begins
-- column  to_epoch    DECIMAL(18,9)  : where it ends
-- column  started_at  TIMESTAMP      : UTC, without zone
-- column  ended_at    TIMESTAMP      : UTC, without zone
-- column  energy_j    DECIMAL(24,3)  : spent in it
-- column  low_j       DECIMAL(24,3)  : lower bound, null if not kept
-- column  high_j      DECIMAL(24,3)  : upper bound, null if not kept
SELECT
    dense_rank() OVER (ORDER BY p.training) AS training,
    p.number_of AS epoch,
    cast(p.from_epoch AS DECIMAL(18, 9)) AS from_epoch,
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
    -- A training that tells no start begins with the run, or where the one before it came to.
    SELECT
        c.training AS training,
        c.epoch AS epoch,
        c.marked_at AS marked_at,
        c.is_start AS is_start,
        CASE WHEN lag(c.training) OVER w = c.training THEN lag(c.epoch) OVER w ELSE 0 END
            AS from_epoch,
        coalesce(lag(c.marked_at) OVER w, s.start_at) AS started_at,
        c.energy_mj - coalesce(lag(c.energy_mj) OVER w, 0) AS energy_mj,
        c.low_mj - CASE WHEN lag(c.training) OVER w IS NULL THEN 0 ELSE lag(c.low_mj) OVER w END
            AS low_mj,
        c.high_mj - CASE WHEN lag(c.training) OVER w IS NULL THEN 0 ELSE lag(c.high_mj) OVER w END
            AS high_mj,
        c.below_mj + coalesce(lag(c.above_mj) OVER w, 0) AS less_mj,
        c.above_mj + coalesce(lag(c.below_mj) OVER w, 0) AS more_mj,
        CASE WHEN c.crosses THEN c.done ELSE c.done + 1 END AS number_of
    FROM (
        SELECT
            b.*,
            cast(floor(b.epoch) AS BIGINT) AS done,
            floor(b.epoch) > floor(coalesce(b.epoch_before, 0)) AS crosses,
            -- 1 may be the end of the first epoch, or where a checkpoint goes on.
            b.epoch_before IS NULL AND (b.epoch = 0 OR b.epoch > 1 OR b.opens) AS is_start
        FROM (
            SELECT
                n.training AS training,
                n.epoch AS epoch,
                n.marked_at AS marked_at,
                n.opens AS opens,
                lag(n.epoch) OVER u AS epoch_before,
                lead(n.epoch) OVER u IS NULL AS is_last,
                n.energy_mj AS energy_mj,
                n.low_mj AS low_mj,
                n.high_mj AS high_mj,
                n.below_mj AS below_mj,
                n.above_mj AS above_mj
            FROM (
                SELECT
                    a.*,
                    cast(
                        a.amount * cast(0.000000001 AS DECIMAL(10, 9)) AS DECIMAL(18, 9)
                    ) AS epoch
                FROM run_amount AS a
                WHERE
                    a.is_further
                    AND a.counted = 'epoch'
            ) AS n
            WINDOW u AS (
                PARTITION BY n.training
                ORDER BY n.epoch
            )
        ) AS b
    ) AS c
    CROSS JOIN run_span AS s
    WHERE
        c.is_start
        OR c.crosses
        OR c.is_last
    WINDOW w AS (ORDER BY c.training, c.epoch)
) AS p
WHERE NOT p.is_start
ORDER BY
    p.training,
    p.epoch
LIMIT 1000

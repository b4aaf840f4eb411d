-- The steps or the tokens that a run says are done, added up over its trainings, and what one of them took.
-- param   run_id      VARCHAR        : of the run
-- param   as_of       TIMESTAMP      : what was known then
-- param   from        TIMESTAMP      : first hour
-- param   to          TIMESTAMP      : hour after the last
-- with    run_amount
-- column  counted     VARCHAR        : step or token
-- column  first_told  BIGINT         : the least that was told
-- column  last_told   BIGINT         : the greatest
-- column  quantity    DECIMAL(38,0)  : from the first mark of each training to its last that got further
-- column  trainings   BIGINT         : one after the other in a process
-- column  spans       BIGINT         : between marks that got further, of one step or several
-- column  span_us     BIGINT         : from first to last of each training
-- column  energy_j    DECIMAL(24,3)  : spent in between
-- column  low_j       DECIMAL(24,3)  : lower bound, null if not kept
-- column  high_j      DECIMAL(24,3)  : upper bound, null if not kept
-- column  median_j    DECIMAL(24,3)  : of a step; a span of several counts once, as their mean
-- column  p95_j       DECIMAL(24,3)  : that 95 % of the spans do not exceed
SELECT
    p.counted AS counted,
    min(p.amount) AS first_told,
    max(p.amount) AS last_told,
    cast(sum(p.gained) AS DECIMAL(38, 0)) AS quantity,
    count(*) - count(p.gained) AS trainings,
    count(p.gained) AS spans,
    cast(sum(p.span_us) AS BIGINT) AS span_us,
    cast(sum(p.energy_mj) * cast(0.001 AS DECIMAL(4, 3)) AS DECIMAL(24, 3)) AS energy_j,
    CASE
        WHEN count(p.low_mj) = count(p.ended)
            THEN cast(sum(p.low_mj) * cast(0.001 AS DECIMAL(4, 3)) AS DECIMAL(24, 3))
    END AS low_j,
    CASE
        WHEN count(p.high_mj) = count(p.ended)
            THEN cast(sum(p.high_mj) * cast(0.001 AS DECIMAL(4, 3)) AS DECIMAL(24, 3))
    END AS high_j,
    cast(
        percentile_cont(0.5) WITHIN GROUP (ORDER BY p.of_one_mj) * 0.001 AS DECIMAL(24, 3)
    ) AS median_j,
    cast(
        percentile_cont(0.95) WITHIN GROUP (ORDER BY p.of_one_mj) * 0.001 AS DECIMAL(24, 3)
    ) AS p95_j
FROM (
    SELECT
        s.counted AS counted,
        s.amount AS amount,
        s.gained AS gained,
        s.span_us AS span_us,
        s.energy_mj AS energy_mj,
        s.energy_mj / cast(s.gained AS DOUBLE PRECISION) AS of_one_mj,
        CASE WHEN s.is_last AND s.gained IS NOT NULL THEN 1 END AS ended,
        CASE
            WHEN s.is_last AND s.gained IS NOT NULL AND s.low_mj IS NOT NULL
                THEN greatest(least(s.low_mj, s.in_all_mj) - s.less_mj, 0)
        END AS low_mj,
        CASE
            WHEN s.is_last AND s.gained IS NOT NULL AND s.high_mj IS NOT NULL
                THEN greatest(s.high_mj, s.in_all_mj) + s.more_mj
        END AS high_mj
    FROM (
        SELECT
            f.counted AS counted,
            f.amount AS amount,
            f.amount - lag(f.amount) OVER w AS gained,
            cast(
                extract(EPOCH FROM f.marked_at - lag(f.marked_at) OVER w) * 1000000 AS BIGINT
            ) AS span_us,
            f.energy_mj - lag(f.energy_mj) OVER w AS energy_mj,
            lead(f.amount) OVER w IS NULL AS is_last,
            f.energy_mj - first_value(f.energy_mj) OVER w AS in_all_mj,
            f.low_mj - first_value(f.low_mj) OVER w AS low_mj,
            f.high_mj - first_value(f.high_mj) OVER w AS high_mj,
            f.below_mj + first_value(f.above_mj) OVER w AS less_mj,
            f.above_mj + first_value(f.below_mj) OVER w AS more_mj
        FROM run_amount AS f
        WHERE
            f.is_further
            AND f.counted <> 'epoch'
        WINDOW w AS (
            PARTITION BY f.counted, f.training
            ORDER BY f.amount
        )
    ) AS s
) AS p
GROUP BY p.counted
ORDER BY p.counted

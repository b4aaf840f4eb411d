-- One row: the steps that a run says it has completed, and what one of them took.
-- param   run_id      VARCHAR        : of the run
-- param   as_of       TIMESTAMP      : what was known then
-- param   from        TIMESTAMP      : first hour
-- param   to          TIMESTAMP      : hour after the last
-- with    run_mark
-- column  first_step  BIGINT         : that was told, null if none was
-- column  last_step   BIGINT         : the greatest
-- column  spans       BIGINT         : between marks that got further, of one step or several
-- column  span_us     BIGINT         : from the first to the last
-- column  energy_j    DECIMAL(24,3)  : spent in between
-- column  low_j       DECIMAL(24,3)  : lower bound, null if not kept
-- column  high_j      DECIMAL(24,3)  : upper bound, null if not kept
-- column  median_j    DECIMAL(24,3)  : of a step; a span of several counts once, as their mean
-- column  p95_j       DECIMAL(24,3)  : that 95 % of the spans do not exceed
SELECT
    min(p.step) AS first_step,
    max(p.step) AS last_step,
    count(p.gained) AS spans,
    cast(datediff('microsecond', min(p.marked_at), max(p.marked_at)) AS BIGINT) AS span_us,
    cast(sum(p.energy_mj) * cast(0.001 AS DECIMAL(4, 3)) AS DECIMAL(24, 3)) AS energy_j,
    CASE
        WHEN max(p.low_at_end) - max(p.low_at_start) IS NOT NULL
            THEN cast(
                greatest(
                    least(max(p.low_at_end) - max(p.low_at_start), sum(p.energy_mj))
                    - max(p.above_at_start) - max(p.below_at_end),
                    0
                ) * cast(0.001 AS DECIMAL(4, 3)) AS DECIMAL(24, 3)
            )
    END AS low_j,
    CASE
        WHEN max(p.high_at_end) - max(p.high_at_start) IS NOT NULL
            THEN cast(
                (
                    greatest(max(p.high_at_end) - max(p.high_at_start), sum(p.energy_mj))
                    + max(p.below_at_start) + max(p.above_at_end)
                ) * cast(0.001 AS DECIMAL(4, 3)) AS DECIMAL(24, 3)
            )
    END AS high_j,
    cast(
        percentile_cont(0.5) WITHIN GROUP (ORDER BY p.of_one_mj) * 0.001 AS DECIMAL(24, 3)
    ) AS median_j,
    cast(
        percentile_cont(0.95) WITHIN GROUP (ORDER BY p.of_one_mj) * 0.001 AS DECIMAL(24, 3)
    ) AS p95_j
FROM (
    SELECT
        f.step AS step,
        f.marked_at AS marked_at,
        f.step - lag(f.step) OVER w AS gained,
        greatest(f.energy_mj - lag(f.energy_mj) OVER w, 0) AS energy_mj,
        greatest(f.energy_mj - lag(f.energy_mj) OVER w, 0)
        / cast(f.step - lag(f.step) OVER w AS DOUBLE) AS of_one_mj,
        CASE WHEN lag(f.step) OVER w IS NULL THEN f.low_mj END AS low_at_start,
        CASE WHEN lag(f.step) OVER w IS NULL THEN f.high_mj END AS high_at_start,
        CASE WHEN lag(f.step) OVER w IS NULL THEN f.below_mj END AS below_at_start,
        CASE WHEN lag(f.step) OVER w IS NULL THEN f.above_mj END AS above_at_start,
        CASE WHEN lead(f.step) OVER w IS NULL THEN f.low_mj END AS low_at_end,
        CASE WHEN lead(f.step) OVER w IS NULL THEN f.high_mj END AS high_at_end,
        CASE WHEN lead(f.step) OVER w IS NULL THEN f.below_mj END AS below_at_end,
        CASE WHEN lead(f.step) OVER w IS NULL THEN f.above_mj END AS above_at_end
    FROM (
        SELECT
            m.step AS step,
            m.marked_at AS marked_at,
            m.low_mj AS low_mj,
            m.high_mj AS high_mj,
            m.below_mj AS below_mj,
            m.above_mj AS above_mj,
            max(m.energy_mj) OVER v AS energy_mj,
            max(m.step) OVER (
                ORDER BY m.marked_at, m.number, m.step
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS before
        FROM run_mark AS m
        WHERE m.step IS NOT NULL
        WINDOW v AS (
            ORDER BY m.marked_at, m.number, m.step
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        )
    ) AS f
    WHERE
        f.before IS NULL
        OR f.step > f.before
    WINDOW w AS (ORDER BY f.step)
) AS p

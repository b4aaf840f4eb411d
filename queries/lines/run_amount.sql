-- How many steps, tokens or epochs a mark says are done, and whether that is further than any mark before it.
-- param   run_id      VARCHAR    : of the run
-- param   as_of       TIMESTAMP  : what was known then
-- with    run_training
-- column  counted     VARCHAR    : step, token or epoch
-- column  marked_at   TIMESTAMP  : UTC, without zone
-- column  process     BIGINT     : that told it, null if it told no source
-- column  number      BIGINT     : in the order of its process, 0 if not told
-- column  amount      BIGINT     : that are done in the training; of epochs in 1e-9
-- column  training    BIGINT     : of its process, 0 is the first
-- column  opens       BOOLEAN    : a phase begins with the first step that the training tells
-- column  is_further  BOOLEAN    : by training, then by amount, whatever process told those before
-- column  energy_mj   BIGINT     : of the run until then, never less than before
-- column  low_mj      BIGINT     : lower bound, null if not kept
-- column  high_mj     BIGINT     : upper bound, null if not kept
-- column  below_mj    BIGINT     : how much less it may be by where between ticks the mark lies
-- column  above_mj    BIGINT     : how much more
SELECT
    a.counted AS counted,
    a.marked_at AS marked_at,
    a.process AS process,
    a.number AS number,
    a.amount AS amount,
    a.training AS training,
    a.opens AS opens,
    a.place > coalesce(
        max(a.place) OVER (
            PARTITION BY a.counted
            ORDER BY a.marked_at, a.number, a.amount
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ),
        -1
    ) AS is_further,
    max(a.energy_mj) OVER (
        PARTITION BY a.counted
        ORDER BY a.marked_at, a.number, a.amount
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS energy_mj,
    a.low_mj AS low_mj,
    a.high_mj AS high_mj,
    a.below_mj AS below_mj,
    a.above_mj AS above_mj
FROM (
    SELECT
        u.*,
        -- any amount of a later training is further than every one of an earlier
        cast(u.training AS DECIMAL(38, 0)) * 10000000000000000000 + u.amount AS place
    FROM (
        SELECT
            c.counted AS counted,
            CASE c.counted
                WHEN 'step' THEN m.step
                WHEN 'token' THEN m.tokens
                ELSE cast(cast(m.epoch AS DECIMAL(28, 9)) * 1000000000 AS BIGINT)
            END AS amount,
            m.marked_at AS marked_at,
            m.process AS process,
            m.number AS number,
            m.training AS training,
            m.opens AS opens,
            m.energy_mj AS energy_mj,
            m.low_mj AS low_mj,
            m.high_mj AS high_mj,
            m.below_mj AS below_mj,
            m.above_mj AS above_mj
        FROM run_training AS m
        CROSS JOIN (
            SELECT 'step' AS counted
            UNION ALL
            SELECT 'token' AS counted
            UNION ALL
            SELECT 'epoch' AS counted
        ) AS c
    ) AS u
    WHERE u.amount IS NOT NULL
) AS a

-- A mark of a run, and which training of its process it tells of: steps that go back begin another.
-- param   run_id     VARCHAR        : of the run
-- param   as_of      TIMESTAMP      : what was known then
-- with    run_mark
-- column  marked_at  TIMESTAMP      : UTC, without zone
-- column  process    BIGINT         : that told it, null if it told no source
-- column  number     BIGINT         : in the order of its process, 0 if not told
-- column  step       BIGINT         : null if not told
-- column  epoch      DECIMAL(18,9)  : null if not told
-- column  tokens     BIGINT         : null if not told
-- column  training   BIGINT         : of its process, 0 is the first; without a source all is the first
-- column  opens      BOOLEAN        : a phase begins with the first step that the training tells
-- column  energy_mj  BIGINT         : of the run until then
-- column  low_mj     BIGINT         : lower bound, null if not kept
-- column  high_mj    BIGINT         : upper bound, null if not kept
-- column  below_mj   BIGINT         : how much less it may be by where between ticks the mark lies
-- column  above_mj   BIGINT         : how much more
SELECT
    m.marked_at AS marked_at,
    m.process AS process,
    m.number AS number,
    m.step AS step,
    m.epoch AS epoch,
    m.tokens AS tokens,
    cast(
        sum(CASE WHEN m.process IS NOT NULL AND m.done < m.done_before THEN 1 ELSE 0 END) OVER (
            PARTITION BY m.process
            ORDER BY m.marked_at, m.number, m.done
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS BIGINT
    ) AS training,
    coalesce(
        m.phase <> '' AND m.step IS NOT NULL
        AND (m.done_before IS NULL OR m.done < m.done_before),
        FALSE
    ) AS opens,
    m.energy_mj AS energy_mj,
    m.low_mj AS low_mj,
    m.high_mj AS high_mj,
    m.below_mj AS below_mj,
    m.above_mj AS above_mj
FROM (
    SELECT
        d.*,
        lag(d.done) OVER (
            PARTITION BY d.process, CASE WHEN d.done IS NULL THEN 0 ELSE 1 END
            ORDER BY d.marked_at, d.number, d.done
        ) AS done_before
    FROM (
        SELECT
            r.marked_at AS marked_at,
            p.process AS process,
            r.number AS number,
            r.step AS step,
            r.epoch AS epoch,
            r.tokens AS tokens,
            r.phase AS phase,
            -- who tells no steps goes by tokens, else by epochs
            CASE
                WHEN p.steps > 0 OR p.process IS NULL THEN cast(r.step AS DECIMAL(28, 9))
                WHEN p.tokens > 0 THEN cast(r.tokens AS DECIMAL(28, 9))
                ELSE cast(r.epoch AS DECIMAL(28, 9))
            END AS done,
            r.energy_mj AS energy_mj,
            r.low_mj AS low_mj,
            r.high_mj AS high_mj,
            r.below_mj AS below_mj,
            r.above_mj AS above_mj
        FROM run_mark AS r
        LEFT JOIN (
            SELECT
                o.source AS source,
                count(o.step) AS steps,
                count(o.tokens) AS tokens,
                row_number() OVER (ORDER BY o.source) AS process
            FROM run_mark AS o
            WHERE o.source IS NOT NULL
            GROUP BY o.source
        ) AS p ON r.source = p.source
    ) AS d
) AS m

-- How many more tokens a mark tells of than any mark of its run before it, in the step of time that it lies in.
-- param   as_of    TIMESTAMP  : what was known then
-- param   step     INTEGER    : minutes, of which an hour is a multiple
-- column  run_id   VARCHAR    : of the run
-- column  at       TIMESTAMP  : end of the step of time
-- column  more     BIGINT     : than before
SELECT
    m.run_id AS run_id,
    date_trunc('hour', m.marked_at)
    + (extract(MINUTE FROM m.marked_at) - mod(extract(MINUTE FROM m.marked_at), $step) + $step) * INTERVAL '1' MINUTE
        AS at,
    m.done - m.before AS more
FROM (
    SELECT
        k.run_id,
        k.marked_at,
        k.tokens AS done,
        coalesce(
            max(k.tokens) OVER (
                PARTITION BY k.run_id
                ORDER BY k.marked_at, k.number, k.tokens
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ),
            0
        ) AS before
    FROM mark AS k
    WHERE
        k.tokens IS NOT NULL
        AND k.recorded_at <= $as_of
) AS m
WHERE m.done > m.before

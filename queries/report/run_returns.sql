-- One row: how often steps went back to where a run had been, other than by another training of a process.
-- param   run_id      VARCHAR    : of the run
-- param   as_of       TIMESTAMP  : what was known then
-- param   from        TIMESTAMP  : first hour
-- param   to          TIMESTAMP  : hour after the last
-- with    run_mark
-- column  by_another  BIGINT     : processes that began below what another had told
-- column  nameless    BIGINT     : told without a source
SELECT
    count(CASE WHEN b.source IS NOT NULL AND b.own_before IS NULL AND b.step < b.any_before THEN 1 END)
        AS by_another,
    count(CASE WHEN b.source IS NULL AND b.step < b.own_before THEN 1 END) AS nameless
FROM (
    SELECT
        m.source AS source,
        m.step AS step,
        lag(m.step) OVER (
            PARTITION BY m.source
            ORDER BY m.marked_at, m.number, m.step
        ) AS own_before,
        max(m.step) OVER (
            ORDER BY m.marked_at, m.number, m.step
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS any_before
    FROM run_mark AS m
    WHERE m.step IS NOT NULL
) AS b

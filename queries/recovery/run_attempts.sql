-- A run of an id, or another attempt at it (`ID.2`), with how it ended.
-- param   run_id    VARCHAR    : of the first
-- column  id        VARCHAR    : of the run
-- column  origin    VARCHAR    : where the id came from
-- column  status    VARCHAR    : running, completed, failed or abandoned
-- column  ended_at  TIMESTAMP  : UTC, without zone; null while it lives
SELECT
    r.id AS id,
    r.origin AS origin,
    coalesce(s.status, 'running') AS status,
    CASE WHEN s.status <> 'running' THEN s.happened_at END AS ended_at
FROM run AS r
LEFT JOIN (
    SELECT
        run_id,
        status,
        happened_at,
        row_number() OVER (PARTITION BY run_id ORDER BY seq DESC, happened_at DESC) AS version
    FROM run_state
    WHERE substring(run_id, 1, char_length($run_id)) = $run_id
) AS s ON r.id = s.run_id AND s.version = 1
WHERE
    r.id = $run_id
    OR substring(r.id, 1, char_length($run_id) + 1) = concat($run_id, '.')

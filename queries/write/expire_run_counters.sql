-- Removes the live counters of runs that have ended: nobody shows them again.
-- param   before   TIMESTAMP  : UTC, without zone; an end recorded since then may be shown yet
DELETE FROM counter
WHERE
    run_id IN (
        SELECT s.run_id
        FROM run_state AS s
        WHERE
            s.status <> 'running'
            AND s.recorded_at < $before
            AND s.seq = (
                SELECT max(t.seq) AS newest FROM run_state AS t
                WHERE t.run_id = s.run_id
            )
    )

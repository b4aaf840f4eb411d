-- Removes the raw readings of before an instant.
-- param   before   TIMESTAMP  : UTC, without zone
DELETE FROM reading
WHERE read_at < $before

-- Removes the looks at who used a device of before an instant.
-- param   before   TIMESTAMP  : UTC, without zone
DELETE FROM device_use
WHERE read_at < $before

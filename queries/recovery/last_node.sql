-- One row, or none: the node that was booted last.
-- column  id       VARCHAR    : of the node
SELECT id
FROM node
ORDER BY
    recorded_at DESC,
    id ASC
LIMIT 1

-- A notice, as commits brought it; what the audit chain hashes.
-- param   after        BIGINT     : the commit before the first
-- param   until        BIGINT     : the last commit
-- column  code         VARCHAR    : which notice
-- column  message      VARCHAR    : for people
-- column  severity     VARCHAR    : info or warning
-- column  run_id       VARCHAR    : of the run, null if of none
-- column  device_id    VARCHAR    : of the device, null if of none
-- column  noticed_at   TIMESTAMP  : UTC, without zone, null if at no instant
-- column  recorded_at  TIMESTAMP  : when the ledger learned it; UTC, without zone
-- column  seq          BIGINT     : number of the commit
SELECT
    code,
    message,
    severity,
    run_id,
    device_id,
    noticed_at,
    recorded_at,
    seq
FROM notice
WHERE
    seq > $after
    AND seq <= $until

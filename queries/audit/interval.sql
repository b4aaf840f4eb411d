-- An interval of energy, as commits brought it; what the audit chain hashes.
-- param   after        BIGINT     : the commit before the first
-- param   until        BIGINT     : the last commit
-- column  device_id    VARCHAR    : of the device, null if of none
-- column  kind         VARCHAR    : run, idle or unattributed
-- column  run_id       VARCHAR    : of the run, null if of none
-- column  site_id      VARCHAR    : where
-- column  start_at     TIMESTAMP  : UTC, without zone
-- column  end_at       TIMESTAMP  : UTC, without zone
-- column  hour         TIMESTAMP  : UTC hour that it lies in
-- column  energy_mj    BIGINT     : may be negative in a correction
-- column  low_mj       BIGINT     : lower bound
-- column  high_mj      BIGINT     : upper bound
-- column  measured_mj  BIGINT     : the part that was measured
-- column  duration_us  BIGINT     : zero in a correction
-- column  covered_us   BIGINT     : time known
-- column  held_us      BIGINT     : device time of the run
-- column  method       VARCHAR    : measured, sourced, modelled or assumed
-- column  correction   BOOLEAN    : whether it corrects what was written
-- column  seq          BIGINT     : number of the commit
-- column  recorded_at  TIMESTAMP  : when the ledger learned it; UTC, without zone
SELECT
    device_id,
    kind,
    run_id,
    site_id,
    start_at,
    end_at,
    hour,
    energy_mj,
    low_mj,
    high_mj,
    measured_mj,
    duration_us,
    covered_us,
    held_us,
    method,
    correction,
    seq,
    recorded_at
FROM interval
WHERE
    seq > $after
    AND seq <= $until

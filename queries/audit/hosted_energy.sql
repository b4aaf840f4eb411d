-- An estimate of a hosted run's energy, as commits brought it; what the audit chain hashes.
-- param   after        BIGINT     : the commit before the first
-- param   until        BIGINT     : the last commit
-- column  run_id       VARCHAR    : as told, see the schema
-- column  tier         INTEGER    : as told, see the schema
-- column  low_mj       BIGINT     : lower bound
-- column  mid_mj       BIGINT     : null: a bound alone
-- column  high_mj      BIGINT     : upper bound
-- column  booked       BOOLEAN    : as told, see the schema
-- column  reason       VARCHAR    : as told, see the schema
-- column  inputs       VARCHAR    : as told, see the schema
-- column  factor_ids   VARCHAR    : as told, see the schema
-- column  seq          BIGINT     : number of the commit
-- column  recorded_at  TIMESTAMP  : when the ledger learned it; UTC, without zone
SELECT
    run_id,
    tier,
    low_mj,
    mid_mj,
    high_mj,
    booked,
    reason,
    inputs,
    factor_ids,
    seq,
    recorded_at
FROM hosted_energy
WHERE
    seq > $after
    AND seq <= $until

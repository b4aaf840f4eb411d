-- A description of a device, as commits brought it; what the audit chain hashes.
-- param   after           BIGINT     : the commit before the first
-- param   until           BIGINT     : the last commit
-- column  id              VARCHAR    : UUID of a GPU
-- column  component       VARCHAR    : gpu, cpu or ram
-- column  name            VARCHAR    : model
-- column  method          VARCHAR    : measured, sourced, modelled or assumed
-- column  nvml_index      INTEGER    : for people, null if none
-- column  pci_bus_id      VARCHAR    : null if none
-- column  power_limit_mw  BIGINT     : null if unknown
-- column  instances       VARCHAR    : JSON list of MIG instances
-- column  simulated       BOOLEAN    : not real
-- column  recorded_at     TIMESTAMP  : when the ledger learned it; UTC, without zone
-- column  seq             BIGINT     : number of the commit
SELECT
    id,
    component,
    name,
    method,
    nvml_index,
    pci_bus_id,
    power_limit_mw,
    instances,
    simulated,
    recorded_at,
    seq
FROM device
WHERE
    seq > $after
    AND seq <= $until

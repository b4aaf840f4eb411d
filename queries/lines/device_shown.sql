-- A device as it was last described, with the words that live series have for it.
-- param   as_of        TIMESTAMP  : what was known then
-- column  device_id    VARCHAR    : UUID of a GPU
-- column  gpu          VARCHAR    : as NVML numbers it; empty where it has no number
-- column  component    VARCHAR    : gpu, cpu or ram
-- column  name         VARCHAR    : model
-- column  pci_bus_id   VARCHAR    : empty if unknown
-- column  method       VARCHAR    : what its energy is at best
-- column  simulated    BOOLEAN    : not real
SELECT
    d.id AS device_id,
    coalesce(cast(d.nvml_index AS VARCHAR), '') AS gpu,
    d.component AS component,
    d.name AS name,
    coalesce(d.pci_bus_id, '') AS pci_bus_id,
    d.method AS method,
    d.simulated AS simulated
FROM (
    SELECT
        *,
        row_number() OVER (PARTITION BY id ORDER BY recorded_at DESC) AS version
    FROM device
    WHERE recorded_at <= $as_of
) AS d
WHERE d.version = 1

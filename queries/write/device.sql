-- Adds a device's description, unless the newest one says the same.
-- param   id              VARCHAR    : UUID of a GPU
-- param   component       VARCHAR    : gpu, cpu or ram
-- param   name            VARCHAR    : model
-- param   method          VARCHAR    : what its readings are at best
-- param   nvml_index      INTEGER    : for people, null if none
-- param   pci_bus_id      VARCHAR    : null if none
-- param   power_limit_mw  BIGINT     : null if unknown
-- param   instances       VARCHAR    : JSON list of MIG instances
-- param   simulated       BOOLEAN    : not real
-- param   recorded_at     TIMESTAMP  : UTC, without zone
-- param   seq             BIGINT     : number of the commit
INSERT INTO device (
    id, component, name, method, nvml_index, pci_bus_id, power_limit_mw, instances, simulated,
    recorded_at, seq
)
SELECT
    $id AS id,
    $component AS component,
    $name AS name,
    $method AS method,
    $nvml_index AS nvml_index,
    $pci_bus_id AS pci_bus_id,
    $power_limit_mw AS power_limit_mw,
    $instances AS instances,
    $simulated AS simulated,
    $recorded_at AS recorded_at,
    $seq AS seq
WHERE
    NOT EXISTS (
        SELECT 1 AS same
        FROM device AS d
        WHERE
            d.id = $id
            AND d.recorded_at = (
                SELECT max(e.recorded_at) AS newest FROM device AS e
                WHERE e.id = $id
            )
            AND d.component = $component
            AND d.name = $name
            AND d.method = $method
            AND d.nvml_index IS NOT DISTINCT FROM $nvml_index
            AND d.pci_bus_id IS NOT DISTINCT FROM $pci_bus_id
            AND d.power_limit_mw IS NOT DISTINCT FROM $power_limit_mw
            AND d.instances = $instances
            AND d.simulated = $simulated
    )
ON CONFLICT DO NOTHING

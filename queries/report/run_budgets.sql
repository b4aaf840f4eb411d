-- A budget of a run: the first one that was stated in its unit.
-- param   run_id  VARCHAR        : of the run
-- param   as_of   TIMESTAMP      : what was known then
-- column  amount  DECIMAL(18,9)  : in the unit
-- column  unit    VARCHAR        : kWh, kgCO2e or a currency
-- column  stop    BOOLEAN        : whether the job is asked to end when it is used up
SELECT
    b.amount AS amount,
    b.unit AS unit,
    b.stop AS stop
FROM (
    SELECT
        amount,
        unit,
        stop,
        row_number() OVER (PARTITION BY unit ORDER BY seq, amount) AS place
    FROM run_budget
    WHERE
        run_id = $run_id
        AND recorded_at <= $as_of
) AS b
WHERE b.place = 1
ORDER BY b.unit

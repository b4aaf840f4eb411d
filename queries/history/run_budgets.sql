-- A budget of a run that lived in a span of time: the first one that was stated in its unit.
-- with    lived_run
-- column  run     VARCHAR        : of the run
-- column  unit    VARCHAR        : kWh, kgCO2e or a currency
-- column  at      TIMESTAMP      : start of the step in which the run began, UTC, without zone
-- column  until   TIMESTAMP      : when its series end; null while it runs
-- column  amount  DECIMAL(18,9)  : in the unit
SELECT
    l.run_id AS run,
    b.unit AS unit,
    l.since AS at,
    l.until AS until,
    b.amount AS amount
FROM lived_run AS l
INNER JOIN (
    SELECT
        run_id,
        amount,
        unit,
        row_number() OVER (PARTITION BY run_id, unit ORDER BY seq, amount) AS place
    FROM run_budget
    WHERE recorded_at <= $as_of
) AS b ON l.run_id = b.run_id
WHERE b.place = 1
ORDER BY
    l.run_id,
    b.unit

-- A mark that tells how much of its run is done; of very many about five hundred, the last one among them.
-- param   run_id     VARCHAR        : of the run
-- param   as_of      TIMESTAMP      : what was known then
-- column  marked_at  TIMESTAMP      : UTC, without zone
-- column  fraction   DECIMAL(18,9)  : done by then, 0 to 1
-- column  energy_mj  BIGINT         : of the run until then
SELECT
    m.marked_at AS marked_at,
    m.fraction AS fraction,
    m.energy_mj AS energy_mj
FROM (
    SELECT
        marked_at,
        fraction,
        energy_mj,
        row_number() OVER (ORDER BY marked_at, fraction, energy_mj) AS place,
        count(*) OVER () AS marks
    FROM mark
    WHERE
        run_id = $run_id
        AND fraction IS NOT NULL
        AND recorded_at <= $as_of
) AS m
WHERE
    m.place = 1
    OR m.place = m.marks
    OR mod(m.place, cast(floor(m.marks * 0.002) AS BIGINT) + 1) = 0
ORDER BY
    m.place

-- Energy of a run on one device at one site in a quarter of a UTC hour, in mJ.
-- param   run_id     VARCHAR        : of the run
-- param   as_of      TIMESTAMP      : what was known then
-- with    device_now
-- with    site_now
-- column  device_id  VARCHAR        : whose energy
-- column  component  VARCHAR        : gpu, cpu or ram
-- column  name       VARCHAR        : model
-- column  simulated  BOOLEAN        : the device is not real
-- column  site_id    VARCHAR        : where
-- column  zone       VARCHAR        : of the grid there, null if unknown
-- column  within     VARCHAR        : the site whose books hold here too, null if none do
-- column  elsewhere  BOOLEAN        : whether only its PUE, tariff and GPU-hour rate do
-- column  hour       TIMESTAMP      : UTC, without zone
-- column  quarter    INTEGER        : of the hour, 0 to 3
-- column  energy_mj  DECIMAL(17,0)  : corrections included
-- column  low_mj     DECIMAL(17,0)  : lower bound
-- column  high_mj    DECIMAL(17,0)  : upper bound
-- column  held_us    DECIMAL(17,0)  : device time of the run, shares applied
-- column  weakness   INTEGER        : of the method: 0 measured, 1 sourced, 2 modelled, 3 assumed
SELECT
    q.device_id AS device_id,
    d.component AS component,
    d.name AS name,
    d.simulated AS simulated,
    q.site_id AS site_id,
    s.zone AS zone,
    s.within AS within,
    s.elsewhere AS elsewhere,
    q.hour AS hour,
    q.quarter AS quarter,
    q.energy_mj AS energy_mj,
    q.low_mj AS low_mj,
    q.high_mj AS high_mj,
    q.held_us AS held_us,
    q.weakness AS weakness
FROM (
    SELECT
        i.device_id,
        i.site_id,
        i.hour,
        CASE
            WHEN extract(MINUTE FROM i.start_at) < 15 THEN 0
            WHEN extract(MINUTE FROM i.start_at) < 30 THEN 1
            WHEN extract(MINUTE FROM i.start_at) < 45 THEN 2
            ELSE 3
        END AS quarter,
        cast(sum(i.energy_mj) AS DECIMAL(17, 0)) AS energy_mj,
        cast(sum(i.low_mj) AS DECIMAL(17, 0)) AS low_mj,
        cast(sum(i.high_mj) AS DECIMAL(17, 0)) AS high_mj,
        cast(sum(i.held_us) AS DECIMAL(17, 0)) AS held_us,
        max(
            CASE i.method
                WHEN 'measured' THEN 0
                WHEN 'sourced' THEN 1
                WHEN 'modelled' THEN 2
                ELSE 3
            END
        ) AS weakness
    FROM interval AS i
    WHERE
        i.run_id = $run_id
        AND i.recorded_at <= $as_of
    GROUP BY
        i.device_id,
        i.site_id,
        i.hour,
        CASE
            WHEN extract(MINUTE FROM i.start_at) < 15 THEN 0
            WHEN extract(MINUTE FROM i.start_at) < 30 THEN 1
            WHEN extract(MINUTE FROM i.start_at) < 45 THEN 2
            ELSE 3
        END
) AS q
LEFT JOIN device_now AS d ON q.device_id = d.device_id
LEFT JOIN site_now AS s ON q.site_id = s.site_id
ORDER BY
    q.hour,
    q.quarter,
    q.site_id,
    q.device_id

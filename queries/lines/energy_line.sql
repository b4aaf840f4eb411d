-- Energy of one owner on one device at one site in one UTC hour, or a quarter where a border cuts it; in mJ.
-- param   as_of        TIMESTAMP      : what was known then
-- param   from         TIMESTAMP      : first hour
-- param   to           TIMESTAMP      : hour after the last
-- param   only_run     VARCHAR        : of this run; null is all
-- with    split_hour
-- column  run_id       VARCHAR        : null if no run's
-- column  owner        VARCHAR        : run, idle or unattributed
-- column  device_id    VARCHAR        : whose energy
-- column  site_id      VARCHAR        : where
-- column  hour         TIMESTAMP      : UTC, without zone
-- column  quarter      INTEGER        : of the hour; 0 is all of an hour that no border cuts
-- column  energy_mj    DECIMAL(18,0)  : corrections included
-- column  low_mj       DECIMAL(18,0)  : lower bound
-- column  high_mj      DECIMAL(18,0)  : upper bound
-- column  measured_mj  DECIMAL(18,0)  : the part that was measured
-- column  duration_us  DECIMAL(18,0)  : time metered
-- column  covered_us   DECIMAL(18,0)  : time known
-- column  held_us      DECIMAL(18,0)  : device time of the run, shares applied
-- column  weakness     INTEGER        : of the method: 0 measured, 1 sourced, 2 modelled, 3 assumed
SELECT
    i.run_id AS run_id,
    i.kind AS owner,
    i.device_id AS device_id,
    i.site_id AS site_id,
    i.hour AS hour,
    CASE
        WHEN x.hour IS NULL THEN 0
        WHEN i.start_at < x.hour + INTERVAL '15' MINUTE THEN 0
        WHEN i.start_at < x.hour + INTERVAL '30' MINUTE THEN 1
        WHEN i.start_at < x.hour + INTERVAL '45' MINUTE THEN 2
        ELSE 3
    END AS quarter,
    cast(sum(i.energy_mj) AS DECIMAL(18, 0)) AS energy_mj,
    cast(sum(i.low_mj) AS DECIMAL(18, 0)) AS low_mj,
    cast(sum(i.high_mj) AS DECIMAL(18, 0)) AS high_mj,
    cast(sum(i.measured_mj) AS DECIMAL(18, 0)) AS measured_mj,
    cast(sum(i.duration_us) AS DECIMAL(18, 0)) AS duration_us,
    cast(sum(i.covered_us) AS DECIMAL(18, 0)) AS covered_us,
    cast(sum(i.held_us) AS DECIMAL(18, 0)) AS held_us,
    max(
        CASE i.method
            WHEN 'measured' THEN 0
            WHEN 'sourced' THEN 1
            WHEN 'modelled' THEN 2
            ELSE 3
        END
    ) AS weakness
FROM (
    SELECT *
    FROM interval
    WHERE
        $only_run IS NULL
        OR run_id = $only_run
) AS i
LEFT JOIN split_hour AS x ON i.site_id = x.site_id AND i.hour = x.hour
WHERE
    i.recorded_at <= $as_of
    AND i.hour >= $from
    AND i.hour < $to
GROUP BY
    i.run_id,
    i.kind,
    i.device_id,
    i.site_id,
    i.hour,
    CASE
        WHEN x.hour IS NULL THEN 0
        WHEN i.start_at < x.hour + INTERVAL '15' MINUTE THEN 0
        WHEN i.start_at < x.hour + INTERVAL '30' MINUTE THEN 1
        WHEN i.start_at < x.hour + INTERVAL '45' MINUTE THEN 2
        ELSE 3
    END

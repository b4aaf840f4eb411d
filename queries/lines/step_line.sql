-- Energy of one owner on one device by method, in one step of time, in mJ: like energy_line, but finer.
-- param   as_of      TIMESTAMP      : what was known then
-- param   from       TIMESTAMP      : first hour
-- param   to         TIMESTAMP      : hour after the last
-- param   step       INTEGER        : minutes, of which an hour is a multiple
-- with    split_hour
-- column  run_id     VARCHAR        : null if no run's
-- column  owner      VARCHAR        : run, idle or unattributed
-- column  device_id  VARCHAR        : whose energy
-- column  site_id    VARCHAR        : where
-- column  method     VARCHAR        : how it is known; of a correction that takes back, how that was known
-- column  hour       TIMESTAMP      : UTC, without zone
-- column  quarter    INTEGER        : of the hour; 0 is all of an hour that no border cuts
-- column  at         TIMESTAMP      : end of the step
-- column  energy_mj  DECIMAL(18,0)  : corrections included, so it may be negative
-- column  held_us    DECIMAL(18,0)  : device time of the run, shares applied
-- column  span_us    BIGINT         : from the first to the last instant that is known of
SELECT
    m.run_id AS run_id,
    m.kind AS owner,
    m.device_id AS device_id,
    m.site_id AS site_id,
    m.method AS method,
    m.hour AS hour,
    m.quarter AS quarter,
    m.hour + (m.minute_of - mod(m.minute_of, $step) + $step) * INTERVAL '1' MINUTE AS at,
    cast(sum(m.energy_mj) AS DECIMAL(18, 0)) AS energy_mj,
    cast(sum(m.held_us) AS DECIMAL(18, 0)) AS held_us,
    cast(extract(EPOCH FROM max(m.end_at) - min(m.start_at)) * 1000000 AS BIGINT) AS span_us
FROM (
    SELECT
        i.device_id,
        i.kind,
        i.run_id,
        i.site_id,
        i.start_at,
        i.end_at,
        i.hour,
        i.energy_mj,
        i.held_us,
        coalesce(c.method, i.method) AS method,
        extract(MINUTE FROM i.start_at) AS minute_of,
        CASE
            WHEN x.hour IS NULL THEN 0
            WHEN i.start_at < x.hour + INTERVAL '15' MINUTE THEN 0
            WHEN i.start_at < x.hour + INTERVAL '30' MINUTE THEN 1
            WHEN i.start_at < x.hour + INTERVAL '45' MINUTE THEN 2
            ELSE 3
        END AS quarter
    FROM interval AS i
    LEFT JOIN split_hour AS x ON i.site_id = x.site_id AND i.hour = x.hour
    LEFT JOIN (
        SELECT
            w.device_id,
            w.kind,
            coalesce(w.run_id, '') AS run_id,
            w.start_at,
            w.method AS own_method,
            max(o.method) AS method
        FROM interval AS w
        INNER JOIN interval AS o
            ON
                w.device_id = o.device_id
                AND w.kind = o.kind
                AND coalesce(w.run_id, '') = coalesce(o.run_id, '')
                AND date_trunc('minute', w.start_at) = date_trunc('minute', o.start_at)
        WHERE
            w.correction
            AND w.energy_mj < 0
            AND w.recorded_at <= $as_of
            AND NOT o.correction
            AND o.recorded_at <= $as_of
        GROUP BY
            w.device_id,
            w.kind,
            coalesce(w.run_id, ''),
            w.start_at,
            w.method
    ) AS c
        ON
            i.correction
            AND i.energy_mj < 0
            AND i.device_id = c.device_id
            AND i.kind = c.kind
            AND coalesce(i.run_id, '') = c.run_id
            AND i.start_at = c.start_at
            AND i.method = c.own_method
    WHERE
        i.recorded_at <= $as_of
        AND i.hour >= $from
        AND i.hour < $to
) AS m
GROUP BY
    m.run_id,
    m.kind,
    m.device_id,
    m.site_id,
    m.method,
    m.hour,
    m.quarter,
    m.hour + (m.minute_of - mod(m.minute_of, $step) + $step) * INTERVAL '1' MINUTE

-- Embodied CO2e of the GPU time of a model of GPU, of one kind, at a site in a quarter of a UTC hour.
-- A factor's item is whole words of the model's name; of several that match the longest wins.
-- with    device_now
-- with    known_factor
-- column  site_id    VARCHAR         : of the site
-- column  name       VARCHAR         : of the device, as it is described
-- column  hour       TIMESTAMP       : UTC, without zone
-- column  quarter    INTEGER         : of the hour; 0 is all of an hour that no border cuts
-- column  kind       VARCHAR         : embodied_board or embodied_server
-- column  rate       DECIMAL(20,15)  : grams per kilosecond
-- column  rate_low   DECIMAL(20,15)  : lower bound
-- column  rate_high  DECIMAL(20,15)  : upper bound
-- column  weakness   INTEGER         : of the method
-- column  factor_id  VARCHAR         : the fact it stands on
SELECT
    b.site_id AS site_id,
    b.name AS name,
    b.hour AS hour,
    b.quarter AS quarter,
    b.kind AS kind,
    b.rate AS rate,
    b.rate_low AS rate_low,
    b.rate_high AS rate_high,
    b.weakness AS weakness,
    b.factor_id AS factor_id
FROM (
    SELECT
        k.site_id,
        d.name,
        k.hour,
        k.quarter,
        k.kind,
        k.rate,
        k.rate_low,
        k.rate_high,
        k.weakness,
        k.factor_id,
        row_number() OVER (
            PARTITION BY k.site_id, d.name, k.hour, k.quarter, k.kind
            ORDER BY
                k.near DESC,
                k.evidence_rank DESC,
                coalesce(length(k.item), 0) DESC,
                k.recorded_at DESC,
                k.factor_id ASC
        ) AS place
    FROM known_factor AS k
    INNER JOIN (
        SELECT DISTINCT name
        FROM device_now
        WHERE component = 'gpu'
    ) AS d ON k.item IS NULL OR position(' ' || k.item || ' ' IN ' ' || replace(d.name, '-', ' ') || ' ') > 0
    WHERE k.kind IN ('embodied_board', 'embodied_server')
) AS b
WHERE b.place = 1

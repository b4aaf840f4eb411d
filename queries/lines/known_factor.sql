-- A factor that stands at a site in a quarter of a metered hour: the newest of its scope, item, rank and book.
-- param   as_of          TIMESTAMP      : what was known then
-- param   from           TIMESTAMP      : first hour
-- param   to             TIMESTAMP      : hour after the last
-- with    site_now
-- with    site_scope
-- with    split_hour
-- with    needed_factor
-- param   only_run       VARCHAR        : hours of this run; null is all
-- column  site_id        VARCHAR        : of the site
-- column  kind           VARCHAR        : what the factor tells
-- column  item           VARCHAR        : what it is about there, null if all
-- column  hour           TIMESTAMP      : UTC, without zone
-- column  quarter        INTEGER        : of the hour, 0 to 3; 0 is all of an hour that no border cuts
-- column  factor_id      VARCHAR        : of the factor
-- column  amount         DECIMAL(18,9)  : in the factor's unit
-- column  low            DECIMAL(18,9)  : lower bound
-- column  high           DECIMAL(18,9)  : upper bound
-- column  rate           DECIMAL(20,15) : per megajoule or kilosecond, where the unit is per kWh or h
-- column  rate_low       DECIMAL(20,15) : lower bound
-- column  rate_high      DECIMAL(20,15) : upper bound
-- column  share          DECIMAL(9,6)   : of the consumption that an instrument covers
-- column  currency       VARCHAR        : null if no money
-- column  weakness       INTEGER        : of the method: 0 measured, 1 sourced, 2 modelled, 3 assumed
-- column  near           INTEGER        : the highest wins, before all evidence
-- column  evidence_rank  INTEGER        : the highest wins
-- column  recorded_at    TIMESTAMP      : when it was learned
SELECT
    v.site_id AS site_id,
    v.kind AS kind,
    v.item AS item,
    v.hour AS hour,
    v.quarter AS quarter,
    v.factor_id AS factor_id,
    v.amount AS amount,
    v.low AS low,
    v.high AS high,
    v.rate AS rate,
    v.rate_low AS rate_low,
    v.rate_high AS rate_high,
    v.share AS share,
    v.currency AS currency,
    v.weakness AS weakness,
    v.near AS near,
    v.evidence_rank AS evidence_rank,
    v.recorded_at AS recorded_at
FROM (
    SELECT
        a.site_id,
        a.kind,
        a.item,
        a.hour,
        p.quarter,
        a.factor_id,
        a.amount,
        a.low,
        a.high,
        a.rate,
        a.rate_low,
        a.rate_high,
        a.share,
        a.currency,
        a.near,
        a.evidence_rank,
        a.recorded_at,
        a.weakness,
        row_number() OVER (
            PARTITION BY
                a.site_id,
                a.kind,
                a.scope,
                a.item,
                CASE WHEN a.kind = 'fx_rate' THEN a.currency END,
                a.evidence_rank,
                a.book,
                a.hour,
                p.quarter
            ORDER BY a.recorded_at DESC, a.factor_id ASC
        ) AS version
    FROM (
        SELECT
            s.site_id,
            f.kind,
            f.scope,
            f.item,
            f.book,
            h.hour,
            f.id AS factor_id,
            f.amount,
            f.low,
            f.high,
            f.rate,
            f.rate_low,
            f.rate_high,
            f.share,
            f.currency,
            CASE WHEN f.book = 'bundled' THEN 0 ELSE s.near END AS near,
            f.evidence_rank,
            f.recorded_at,
            CASE f.method
                WHEN 'measured' THEN 0
                WHEN 'sourced' THEN 1
                WHEN 'modelled' THEN 2
                ELSE 3
            END AS weakness,
            CASE
                WHEN x.hour IS NULL THEN -1
                ELSE coalesce(h.quarter, 4)
            END AS part
        FROM (
            SELECT
                *,
                cast(amount * cast(0.277777777777777778 AS DECIMAL(19, 18)) AS DECIMAL(20, 15)) AS rate,
                cast(low * cast(0.277777777777777778 AS DECIMAL(19, 18)) AS DECIMAL(20, 15)) AS rate_low,
                cast(high * cast(0.277777777777777778 AS DECIMAL(19, 18)) AS DECIMAL(20, 15)) AS rate_high
            FROM factor
            WHERE kind IN (SELECT n.factor_kind FROM needed_factor AS n)
        ) AS f
        INNER JOIN site_scope AS s ON f.scope = s.scope
        INNER JOIN factor_hour AS h ON f.id = h.factor_id
        -- only hours that energy lies in: each hosted job has a site of its own, for an hour or two
        INNER JOIN (
            SELECT DISTINCT
                i.site_id AS site_id,
                i.hour AS hour
            FROM interval AS i
            WHERE
                $only_run IS NULL
                AND i.recorded_at <= $as_of
                AND i.hour >= $from
                AND i.hour < $to
            UNION ALL
            SELECT
                o.site_id AS site_id,
                t.hour AS hour
            FROM (
                SELECT
                    site_id,
                    min(hour) AS first_hour,
                    max(hour) AS last_hour
                FROM interval
                WHERE
                    run_id = $only_run
                    AND recorded_at <= $as_of
                GROUP BY site_id
            ) AS o
            INNER JOIN (SELECT DISTINCT hour FROM factor_hour) AS t
                ON
                    o.first_hour <= t.hour
                    AND o.last_hour >= t.hour
        ) AS m
            ON
                s.site_id = m.site_id
                AND h.hour = m.hour
        LEFT JOIN split_hour AS x ON s.site_id = x.site_id AND h.hour = x.hour
        WHERE
            f.recorded_at <= $as_of
            AND (NOT s.elsewhere OR f.kind IN ('electricity_price', 'pue', 'gpu_hour_rate'))
            AND h.hour >= $from
            AND h.hour < $to
    ) AS a
    INNER JOIN (
        VALUES (-1, 0), (0, 0), (1, 1), (2, 2), (3, 3), (4, 0), (4, 1), (4, 2), (4, 3)
    ) AS p (part, quarter) ON a.part = p.part
) AS v
WHERE
    v.version = 1
    AND v.amount IS NOT NULL

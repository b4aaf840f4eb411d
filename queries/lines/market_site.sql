-- A site that has a market-based figure: some instrument was given for it, or a residual mix for its zone.
-- param   as_of    TIMESTAMP  : what was known then
-- with    site_scope
-- column  site_id  VARCHAR    : of the site
SELECT DISTINCT v.site_id AS site_id
FROM (
    SELECT
        s.site_id,
        f.amount,
        row_number() OVER (
            PARTITION BY s.site_id, f.scope, f.item, f.evidence_rank, f.book
            ORDER BY f.recorded_at DESC, f.id ASC
        ) AS version
    FROM factor AS f
    INNER JOIN site_scope AS s ON f.scope = s.scope
    WHERE
        f.kind = 'market_intensity'
        AND f.recorded_at <= $as_of
        AND NOT s.elsewhere
) AS v
WHERE
    v.version = 1
    AND v.amount IS NOT NULL

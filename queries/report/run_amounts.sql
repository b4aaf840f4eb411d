-- Money, CO2e or water of a run, of one kind of line or, without a kind, of all of its basis; rounded once.
-- param   run_id    VARCHAR         : of the run
-- param   as_of     TIMESTAMP       : what was known then
-- param   from      TIMESTAMP       : first hour
-- param   to        TIMESTAMP       : hour after the last
-- with    rated_line
-- with    usage_cost
-- column  basis     VARCHAR        : cost, water, or of CO2e: location, market, tnd or embodied; never to be added up
-- column  kind      VARCHAR        : of line; null is all of the basis
-- column  currency  VARCHAR        : null if no money; never added to another
-- column  amount    DECIMAL(38,9)  : in the currency, g or L
-- column  low       DECIMAL(38,9)  : lower bound
-- column  high      DECIMAL(38,9)  : upper bound
-- column  method    VARCHAR        : the weakest
-- column  lines     BIGINT         : how many lines this is
SELECT
    l.basis AS basis,
    l.kind AS kind,
    l.currency AS currency,
    cast(cast(round(sum(l.amount), 0) AS DECIMAL(29, 0)) * cast(0.000000001 AS DECIMAL(9, 9)) AS DECIMAL(38, 9))
        AS amount,
    cast(cast(round(sum(l.low), 0) AS DECIMAL(29, 0)) * cast(0.000000001 AS DECIMAL(9, 9)) AS DECIMAL(38, 9)) AS low,
    cast(cast(round(sum(l.high), 0) AS DECIMAL(29, 0)) * cast(0.000000001 AS DECIMAL(9, 9)) AS DECIMAL(38, 9)) AS high,
    CASE max(l.weakness)
        WHEN 0 THEN 'measured'
        WHEN 1 THEN 'sourced'
        WHEN 2 THEN 'modelled'
        WHEN 3 THEN 'assumed'
    END AS method,
    count(*) AS lines
FROM (
    SELECT
        r.kind,
        r.currency,
        r.amount,
        r.low,
        r.high,
        r.weakness,
        CASE
            WHEN r.kind IN ('electricity', 'electricity_overhead', 'gpu_time') THEN 'cost'
            WHEN r.kind = 'water' THEN 'water'
            WHEN r.kind IN ('location', 'location_overhead') THEN 'location'
            WHEN r.kind IN ('tnd', 'tnd_overhead') THEN 'tnd'
            WHEN r.kind IN ('embodied_board', 'embodied_server') THEN 'embodied'
            ELSE 'market'
        END AS basis
    FROM rated_line AS r
    WHERE
        r.run_id = $run_id
        AND r.kind <> 'energy_overhead'
    UNION ALL
    SELECT
        u.kind,
        u.currency,
        u.amount,
        u.low,
        u.high,
        1 AS weakness,
        'cost' AS basis
    FROM usage_cost AS u
    WHERE
        u.run_id = $run_id
        AND u.amount IS NOT NULL
) AS l
GROUP BY GROUPING SETS ((l.basis, l.kind, l.currency), (l.basis, l.currency))
ORDER BY
    l.basis,
    l.currency,
    l.kind

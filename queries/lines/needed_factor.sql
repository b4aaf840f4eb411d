-- A kind of factor that a kind of line, or a report, stands on.
-- param   only_kind    VARCHAR  : lines of this kind; null is all
-- column  line_kind    VARCHAR  : of the line
-- column  factor_kind  VARCHAR  : of the factor
SELECT
    n.line_kind AS line_kind,
    n.factor_kind AS factor_kind
FROM (
    VALUES
    ('electricity', 'electricity_price'),
    ('electricity_overhead', 'electricity_price'),
    ('electricity_overhead', 'pue'),
    ('gpu_time', 'gpu_hour_rate'),
    ('energy_overhead', 'pue'),
    ('location', 'grid_intensity'),
    ('location_overhead', 'grid_intensity'),
    ('location_overhead', 'pue'),
    ('market', 'market_intensity'),
    ('market_overhead', 'market_intensity'),
    ('market_overhead', 'pue'),
    ('market_default', 'market_intensity'),
    ('market_default', 'grid_intensity'),
    ('market_default_overhead', 'market_intensity'),
    ('market_default_overhead', 'grid_intensity'),
    ('market_default_overhead', 'pue'),
    ('tnd', 'grid_intensity'),
    ('tnd', 'tnd_uplift'),
    ('tnd_overhead', 'grid_intensity'),
    ('tnd_overhead', 'tnd_uplift'),
    ('tnd_overhead', 'pue'),
    ('water', 'wue'),
    ('embodied_board', 'embodied_board'),
    ('embodied_server', 'embodied_server'),
    ('exchange', 'fx_rate'),
    ('excluded', 'market_excluded')
) AS n (line_kind, factor_kind)
WHERE
    $only_kind IS NULL
    OR n.line_kind = $only_kind

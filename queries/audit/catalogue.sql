-- Something that the ledger's file defines: a column or constraint of a table, or what could stand before one.
-- The functions are named in full: a macro of the file could have their short names.
-- column  what    VARCHAR  : column, constraint, schema, view, macro, type, sequence, index or trigger
-- column  name    VARCHAR  : of it
-- column  detail  VARCHAR  : its definition
SELECT
    'column' AS what,
    c.schema_name || '.' || c.table_name || '.' || c.column_name AS name,
    concat_ws(' ', c.data_type, cast(c.is_nullable AS VARCHAR), c.column_default, c.generation_expression) AS detail
FROM system.main.duckdb_columns() AS c
WHERE NOT c.internal
UNION ALL
SELECT
    'constraint' AS what,
    c.schema_name || '.' || c.table_name AS name,
    c.constraint_text AS detail
FROM system.main.duckdb_constraints() AS c
UNION ALL
SELECT
    'schema' AS what,
    s.schema_name AS name,
    NULL AS detail
FROM system.main.duckdb_schemas() AS s
WHERE NOT s.internal
UNION ALL
SELECT
    'view' AS what,
    v.schema_name || '.' || v.view_name AS name,
    v.sql AS detail
FROM system.main.duckdb_views() AS v
WHERE NOT v.internal
UNION ALL
SELECT
    'macro' AS what,
    f.schema_name || '.' || f.function_name AS name,
    f.macro_definition AS detail
FROM system.main.duckdb_functions() AS f
WHERE NOT f.internal
UNION ALL
SELECT
    'type' AS what,
    t.schema_name || '.' || t.type_name AS name,
    t.logical_type AS detail
FROM system.main.duckdb_types() AS t
WHERE NOT t.internal
UNION ALL
SELECT
    'sequence' AS what,
    s.schema_name || '.' || s.sequence_name AS name,
    s.sql AS detail
FROM system.main.duckdb_sequences() AS s
UNION ALL
SELECT
    'index' AS what,
    i.schema_name || '.' || i.index_name AS name,
    i.sql AS detail
FROM system.main.duckdb_indexes() AS i
UNION ALL
SELECT
    'trigger' AS what,
    t.schema_name || '.' || t.trigger_name AS name,
    t.sql AS detail
FROM system.main.duckdb_triggers() AS t
ORDER BY
    what,
    name,
    detail

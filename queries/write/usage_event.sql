-- Adds a row for each canonical line of the audit chain: rows of usage, as they are hashed.
-- param   lines  VARCHAR : lines of usage_event, parted by line feeds
INSERT INTO usage_event (
    event_key,
    source,
    event_id,
    used_at,
    hour,
    provider,
    model,
    base_model,
    meter,
    quantity,
    region,
    service_tier,
    training,
    adapter,
    parameters_b,
    context_tokens,
    project,
    run_id,
    flags,
    told,
    content_sha256,
    seq,
    recorded_at
)
SELECT
    cast(r.cells[2] AS DECIMAL(38, 0)) AS event_key,
    r.cells[3] AS source,
    r.cells[4] AS event_id,
    cast(r.cells[5] AS TIMESTAMP) AS used_at,
    cast(r.cells[6] AS TIMESTAMP) AS hour,
    r.cells[7] AS provider,
    r.cells[8] AS model,
    r.cells[9] AS base_model,
    r.cells[10] AS meter,
    cast(r.cells[11] AS DECIMAL(18, 6)) AS quantity,
    r.cells[12] AS region,
    r.cells[13] AS service_tier,
    r.cells[14] AS training,
    r.cells[15] AS adapter,
    cast(r.cells[16] AS DECIMAL(18, 9)) AS parameters_b,
    cast(r.cells[17] AS BIGINT) AS context_tokens,
    r.cells[18] AS project,
    r.cells[19] AS run_id,
    r.cells[20] AS flags,
    r.cells[21] AS told,
    r.cells[22] AS content_sha256,
    cast(r.cells[23] AS BIGINT) AS seq,
    cast(r.cells[24] AS TIMESTAMP) AS recorded_at
FROM (
    SELECT from_json(l.line, '["VARCHAR"]') AS cells
    FROM (SELECT unnest(string_split($lines, chr(10))) AS line) AS l
) AS r

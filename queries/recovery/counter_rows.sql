-- One row: how many rows of live counters there are, superseded ones too.
-- column  counter_rows  BIGINT  : of all series
SELECT count(*) AS counter_rows
FROM counter

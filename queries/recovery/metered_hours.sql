-- An hour that has intervals.
-- column  hour     TIMESTAMP  : UTC, without zone
SELECT DISTINCT hour
FROM interval

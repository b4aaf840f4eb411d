-- An hour that a factor holds in, or a quarter of one, as stored; those of a factor follow each other.
-- column  factor_id  VARCHAR    : of the factor
-- column  hour       TIMESTAMP  : UTC, without zone
-- column  quarter    INTEGER    : of the hour, from 0; null is all of it
SELECT
    factor_id,
    hour,
    quarter
FROM factor_hour
ORDER BY factor_id

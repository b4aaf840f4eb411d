-- A run that lived in a span of time, and the instants that its series tell.
-- with    lived_run
-- column  run         VARCHAR    : of the run
-- column  name        VARCHAR    : for people
-- column  project     VARCHAR    : that pays
-- column  simulated   VARCHAR    : true or false
-- column  at          TIMESTAMP  : start of the step in which it began, UTC, without zone
-- column  until       TIMESTAMP  : when its series end; null while it runs
-- column  started_at  TIMESTAMP  : UTC, without zone
-- column  ended_at    TIMESTAMP  : null while it runs
-- column  end_from    TIMESTAMP  : end of the step in which it ended
-- column  amount      INTEGER    : 1
SELECT
    l.run_id AS run,
    l.name AS name,
    l.project AS project,
    CASE WHEN l.simulated THEN 'true' ELSE 'false' END AS simulated,
    l.since AS at,
    l.until AS until,
    l.started_at AS started_at,
    l.ended_at AS ended_at,
    l.until - $linger * INTERVAL '1' MINUTE AS end_from,
    1 AS amount
FROM lived_run AS l
ORDER BY l.run_id

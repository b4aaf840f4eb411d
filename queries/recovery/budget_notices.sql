-- A notice on a budget, once said, of a run or (without one) of the node.
-- param   since    TIMESTAMP  : when the oldest may have been said
-- column  code     VARCHAR    : stable
-- column  message  VARCHAR    : one sentence
-- column  run_id   VARCHAR    : null if of no run
SELECT DISTINCT
    n.code AS code,
    n.message AS message,
    n.run_id AS run_id
FROM notice AS n
WHERE
    n.code IN (
        'budget_80', 'budget_spent', 'budget_unpriced', 'project_budget_80', 'project_budget_spent'
    )
    AND n.recorded_at >= $since
ORDER BY
    n.code,
    n.message,
    n.run_id

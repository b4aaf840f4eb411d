-- Ids that others gave a run; late ones are added, none is ever swapped.
CREATE TABLE run_link (
    run_id VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    foreign_id VARCHAR NOT NULL,
    seq BIGINT NOT NULL,
    recorded_at TIMESTAMP NOT NULL
);

-- Marks: how sure their energy is, and who told them, so that what is told twice is stored once.

-- Bounds of the run's energy until the mark, but for where between two ticks the mark lies; by how
-- much that energy may be less and more because of it. Null: not kept then.
ALTER TABLE mark ADD COLUMN low_mj BIGINT;
ALTER TABLE mark ADD COLUMN high_mj BIGINT;
ALTER TABLE mark ADD COLUMN below_mj BIGINT;
ALTER TABLE mark ADD COLUMN above_mj BIGINT;
ALTER TABLE mark ADD COLUMN source VARCHAR;
ALTER TABLE mark ADD COLUMN number BIGINT;
-- Ids that others gave a run; late ones are added, none is ever swapped.
CREATE TABLE run_link (
    run_id VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    foreign_id VARCHAR NOT NULL,
    seq BIGINT NOT NULL,
    recorded_at TIMESTAMP NOT NULL
);

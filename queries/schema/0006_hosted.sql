-- Hosted work: usage, charges, jobs and what they are estimated to have used; narrower prices.

-- Which training, which models and requests a price is for; null is any.
ALTER TABLE price ADD COLUMN training VARCHAR;
ALTER TABLE price ADD COLUMN adapter VARCHAR;
ALTER TABLE price ADD COLUMN parameters_over_b DECIMAL(18, 9);
ALTER TABLE price ADD COLUMN parameters_to_b DECIMAL(18, 9);
ALTER TABLE price ADD COLUMN context_over BIGINT;
ALTER TABLE price ADD COLUMN context_to BIGINT;

-- A row for each meter of an event. event_key stands for source and event_id, content_sha256 for all
-- that the event says: an event that is told twice is stored once, another content is refused.
-- There is no constraint on the key: its index would cost more memory than the agent has. The
-- one writer looks before it writes.
CREATE TABLE usage_event (
    event_key DECIMAL(38, 0) NOT NULL,
    source VARCHAR NOT NULL,
    event_id VARCHAR NOT NULL,
    used_at TIMESTAMP NOT NULL,
    hour TIMESTAMP NOT NULL,
    provider VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    base_model VARCHAR,
    meter VARCHAR NOT NULL,
    -- null: used, but the provider does not say how much
    quantity DECIMAL(18, 6) CHECK (quantity >= 0),
    region VARCHAR,
    service_tier VARCHAR,
    training VARCHAR,
    adapter VARCHAR,
    parameters_b DECIMAL(18, 9),
    context_tokens BIGINT,
    project VARCHAR NOT NULL,
    run_id VARCHAR,
    flags VARCHAR,
    told VARCHAR,
    content_sha256 VARCHAR NOT NULL,
    seq BIGINT NOT NULL,
    recorded_at TIMESTAMP NOT NULL
);

-- What a provider says it billed. One that is told again with another amount is a new row; the
-- newest holds: bills are corrected until they are closed.
CREATE TABLE charge (
    source VARCHAR NOT NULL,
    charge_id VARCHAR NOT NULL,
    provider VARCHAR NOT NULL,
    start_at TIMESTAMP NOT NULL,
    end_at TIMESTAMP NOT NULL,
    amount DECIMAL(18, 9) NOT NULL,
    currency VARCHAR NOT NULL,
    line_item VARCHAR NOT NULL,
    project VARCHAR,
    model VARCHAR,
    job_id VARCHAR,
    quantity DECIMAL(18, 6),
    unit VARCHAR,
    flags VARCHAR,
    content_sha256 VARCHAR NOT NULL,
    seq BIGINT NOT NULL,
    recorded_at TIMESTAMP NOT NULL
);

-- A job as its provider told it; one that is told again with other words is a new row, the newest
-- holds. detail is JSON: all else that was told.
CREATE TABLE hosted_job (
    run_id VARCHAR NOT NULL,
    provider VARCHAR NOT NULL,
    job_id VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    created_at TIMESTAMP NOT NULL,
    started_at TIMESTAMP,
    ended_at TIMESTAMP,
    base_model VARCHAR NOT NULL,
    tuned_model VARCHAR,
    training VARCHAR,
    adapter VARCHAR,
    region VARCHAR,
    detail VARCHAR NOT NULL,
    content_sha256 VARCHAR NOT NULL,
    seq BIGINT NOT NULL,
    recorded_at TIMESTAMP NOT NULL
);

-- What a hosted run is estimated to have used, facility included, by each tier of evidence; those
-- of the newest commit hold. Without mid_mj it is a bound alone.
CREATE TABLE hosted_energy (
    run_id VARCHAR NOT NULL,
    tier INTEGER NOT NULL,
    low_mj BIGINT NOT NULL,
    mid_mj BIGINT,
    high_mj BIGINT NOT NULL,
    booked BOOLEAN NOT NULL,
    reason VARCHAR NOT NULL,
    inputs VARCHAR NOT NULL,
    factor_ids VARCHAR NOT NULL,
    seq BIGINT NOT NULL,
    recorded_at TIMESTAMP NOT NULL,
    CHECK (low_mj <= high_mj),
    CHECK (low_mj <= mid_mj AND mid_mj <= high_mj)
);

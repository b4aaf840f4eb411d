-- Books: who states a factor, what it is about, and quarter hours; prices, budgets, statements.

ALTER TABLE factor ADD COLUMN book VARCHAR DEFAULT 'configuration';
ALTER TABLE factor ADD COLUMN item VARCHAR;
ALTER TABLE factor ADD COLUMN share DECIMAL(9, 6);
ALTER TABLE factor ADD COLUMN basis VARCHAR;
ALTER TABLE factor ADD COLUMN seq BIGINT DEFAULT 0;
UPDATE factor SET book = 'bundled'
WHERE evidence_rank < 400;

-- Null is the whole hour; 0 to 3 a quarter of an hour that some border cuts.
ALTER TABLE factor_hour ADD COLUMN quarter INTEGER;

ALTER TABLE mark ADD COLUMN fraction DECIMAL(18, 9);

-- Which commit brought a fact; 0 is one of before the audit chain began.
ALTER TABLE mark ADD COLUMN seq BIGINT DEFAULT 0;
ALTER TABLE node ADD COLUMN seq BIGINT DEFAULT 0;
ALTER TABLE site ADD COLUMN seq BIGINT DEFAULT 0;
ALTER TABLE device ADD COLUMN seq BIGINT DEFAULT 0;
ALTER TABLE run ADD COLUMN seq BIGINT DEFAULT 0;
ALTER TABLE notice ADD COLUMN seq BIGINT DEFAULT 0;

-- A dated price of "per" units of a hosted meter; a withdrawal is a row without an amount.
CREATE TABLE price (
    id VARCHAR NOT NULL PRIMARY KEY,
    provider VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    meter VARCHAR NOT NULL,
    region VARCHAR,
    service_tier VARCHAR,
    per BIGINT NOT NULL CHECK (per > 0),
    currency VARCHAR NOT NULL,
    amount DECIMAL(18, 9),
    low DECIMAL(18, 9),
    high DECIMAL(18, 9),
    source VARCHAR NOT NULL,
    source_date VARCHAR,
    licence VARCHAR,
    book VARCHAR NOT NULL,
    evidence_rank INTEGER NOT NULL,
    valid_from TIMESTAMP,
    valid_to TIMESTAMP,
    detail VARCHAR,
    seq BIGINT NOT NULL,
    recorded_at TIMESTAMP NOT NULL,
    CHECK ((amount IS NULL) = (low IS NULL) AND (amount IS NULL) = (high IS NULL)),
    CHECK (low <= amount AND amount <= high)
);

CREATE TABLE run_budget (
    run_id VARCHAR NOT NULL,
    amount DECIMAL(18, 9) NOT NULL CHECK (amount > 0),
    unit VARCHAR NOT NULL,
    stop BOOLEAN NOT NULL,
    seq BIGINT NOT NULL,
    recorded_at TIMESTAMP NOT NULL
);

-- The audit chain: what commits brought, and the link before. A batch covers the commits after
-- the batch before it, up to its own: one that brought facts, or, of before the chain, several.
CREATE TABLE batch (
    seq BIGINT NOT NULL PRIMARY KEY,
    node_id VARCHAR NOT NULL,
    row_count BIGINT NOT NULL,
    content_sha256 VARCHAR NOT NULL,
    previous_sha256 VARCHAR NOT NULL,
    sha256 VARCHAR NOT NULL,
    recorded_at TIMESTAMP NOT NULL
);

-- The texts of the queries that statements were made by, once for each set of them; JSON.
CREATE TABLE query_set (
    sha256 VARCHAR NOT NULL PRIMARY KEY,
    texts VARCHAR NOT NULL,
    seq BIGINT NOT NULL,
    recorded_at TIMESTAMP NOT NULL
);

-- An issued, sealed result. document and facts are canonical JSON; batch_sha256 is the link of the
-- audit chain that was the newest when it was issued.
CREATE TABLE statement (
    number BIGINT NOT NULL PRIMARY KEY,
    id VARCHAR NOT NULL UNIQUE,
    subject VARCHAR NOT NULL,
    as_of TIMESTAMP NOT NULL,
    issued_at TIMESTAMP NOT NULL,
    made_by VARCHAR NOT NULL,
    method_version VARCHAR NOT NULL,
    queries_sha256 VARCHAR NOT NULL,
    document VARCHAR NOT NULL,
    document_sha256 VARCHAR NOT NULL,
    facts VARCHAR NOT NULL,
    facts_sha256 VARCHAR NOT NULL,
    replaces BIGINT,
    reason VARCHAR,
    batch_sha256 VARCHAR NOT NULL,
    previous_sha256 VARCHAR NOT NULL,
    sha256 VARCHAR NOT NULL,
    seq BIGINT NOT NULL,
    recorded_at TIMESTAMP NOT NULL
);

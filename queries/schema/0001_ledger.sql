-- The ledger's tables. Facts are added, never changed; all instants are UTC without zone.
-- Energy is in millijoules (mj), power in milliwatts (mw); boot_ns is CLOCK_BOOTTIME.
-- recorded_at says when the ledger learned a fact; seq is the commit that brought it.

CREATE TABLE schema_version (
    version INTEGER NOT NULL PRIMARY KEY,
    applied_at TIMESTAMP NOT NULL,
    sha256 VARCHAR NOT NULL
);

-- One row: the newest commit, by which an unanswered commit is known to be stored or not.
CREATE TABLE last_commit (
    seq BIGINT NOT NULL,
    recorded_at TIMESTAMP NOT NULL
);

CREATE TABLE node (
    id VARCHAR NOT NULL,
    boot_id VARCHAR NOT NULL,
    hostname VARCHAR NOT NULL,
    driver_version VARCHAR,
    recorded_at TIMESTAMP NOT NULL,
    PRIMARY KEY (id, boot_id)
);

-- A changed description is a new row; the newest holds.
CREATE TABLE site (
    id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    zone VARCHAR,
    recorded_at TIMESTAMP NOT NULL,
    PRIMARY KEY (id, recorded_at)
);

CREATE TABLE device (
    id VARCHAR NOT NULL,
    component VARCHAR NOT NULL CHECK (component IN ('gpu', 'cpu', 'ram', 'hosted')),
    name VARCHAR NOT NULL,
    method VARCHAR NOT NULL,
    nvml_index INTEGER,
    pci_bus_id VARCHAR,
    power_limit_mw BIGINT,
    instances VARCHAR NOT NULL,
    simulated BOOLEAN NOT NULL,
    recorded_at TIMESTAMP NOT NULL,
    PRIMARY KEY (id, recorded_at)
);

CREATE TABLE run (
    id VARCHAR NOT NULL PRIMARY KEY,
    name VARCHAR NOT NULL,
    project VARCHAR NOT NULL,
    started_at TIMESTAMP NOT NULL,
    started_boot_ns BIGINT NOT NULL,
    node_id VARCHAR NOT NULL,
    site_id VARCHAR NOT NULL,
    tags VARCHAR NOT NULL,
    origin VARCHAR NOT NULL,
    command VARCHAR,
    simulated BOOLEAN NOT NULL,
    recorded_at TIMESTAMP NOT NULL
);

CREATE TABLE run_state (
    run_id VARCHAR NOT NULL,
    status VARCHAR NOT NULL CHECK (status IN ('running', 'completed', 'failed', 'abandoned')),
    happened_at TIMESTAMP NOT NULL,
    exit_code INTEGER,
    seq BIGINT NOT NULL,
    recorded_at TIMESTAMP NOT NULL
);

-- A run's claim on a device; an ended hold is a second row that has its end.
CREATE TABLE hold (
    run_id VARCHAR NOT NULL,
    device_id VARCHAR NOT NULL,
    start_boot_ns BIGINT NOT NULL,
    end_boot_ns BIGINT,
    share_numerator BIGINT NOT NULL,
    share_denominator BIGINT NOT NULL CHECK (share_denominator > 0),
    seq BIGINT NOT NULL,
    recorded_at TIMESTAMP NOT NULL
);

CREATE TABLE mark (
    run_id VARCHAR NOT NULL,
    marked_at TIMESTAMP NOT NULL,
    energy_mj BIGINT NOT NULL,
    step BIGINT,
    epoch DECIMAL(18, 9),
    phase VARCHAR,
    tokens BIGINT,
    recorded_at TIMESTAMP NOT NULL
);

-- Raw, about once a second; expires.
CREATE TABLE reading (
    device_id VARCHAR NOT NULL,
    read_at TIMESTAMP NOT NULL,
    boot_ns BIGINT NOT NULL,
    curve_mj BIGINT NOT NULL,
    settled_boot_ns BIGINT NOT NULL,
    counter_mj BIGINT,
    power_mw BIGINT,
    utilization_ratio DOUBLE,
    memory_used_bytes BIGINT,
    temperature_celsius DOUBLE,
    seq BIGINT NOT NULL
);

-- Inside one UTC minute. A correction may be negative; held_us is zero in it.
CREATE TABLE interval (
    device_id VARCHAR NOT NULL,
    kind VARCHAR NOT NULL CHECK (kind IN ('run', 'idle', 'unattributed')),
    run_id VARCHAR,
    site_id VARCHAR NOT NULL,
    start_at TIMESTAMP NOT NULL,
    end_at TIMESTAMP NOT NULL,
    hour TIMESTAMP NOT NULL,
    energy_mj BIGINT NOT NULL,
    low_mj BIGINT NOT NULL,
    high_mj BIGINT NOT NULL,
    measured_mj BIGINT NOT NULL,
    duration_us BIGINT NOT NULL,
    covered_us BIGINT NOT NULL,
    held_us BIGINT NOT NULL,
    method VARCHAR NOT NULL CHECK (method IN ('measured', 'sourced', 'modelled', 'assumed')),
    correction BOOLEAN NOT NULL,
    seq BIGINT NOT NULL,
    recorded_at TIMESTAMP NOT NULL,
    CHECK (correction OR energy_mj >= 0),
    CHECK ((kind = 'run') = (run_id IS NOT NULL))
);

-- A dated fact. A correction is a new row; a withdrawal is a row without a value.
CREATE TABLE factor (
    id VARCHAR NOT NULL PRIMARY KEY,
    kind VARCHAR NOT NULL,
    scope VARCHAR NOT NULL,
    amount DECIMAL(18, 9),
    low DECIMAL(18, 9),
    high DECIMAL(18, 9),
    unit VARCHAR NOT NULL,
    currency VARCHAR,
    source VARCHAR NOT NULL,
    source_date VARCHAR,
    licence VARCHAR,
    method VARCHAR NOT NULL CHECK (method IN ('measured', 'sourced', 'modelled', 'assumed')),
    evidence_rank INTEGER NOT NULL,
    valid_from TIMESTAMP,
    valid_to TIMESTAMP,
    windows VARCHAR,
    detail VARCHAR,
    recorded_at TIMESTAMP NOT NULL,
    CHECK ((amount IS NULL) = (low IS NULL) AND (amount IS NULL) = (high IS NULL)),
    CHECK (low <= amount AND amount <= high)
);

-- Rebuildable: the metered UTC hours that a factor holds in.
CREATE TABLE factor_hour (
    factor_id VARCHAR NOT NULL,
    hour TIMESTAMP NOT NULL
);

CREATE TABLE notice (
    code VARCHAR NOT NULL,
    message VARCHAR NOT NULL,
    severity VARCHAR NOT NULL,
    run_id VARCHAR,
    device_id VARCHAR,
    noticed_at TIMESTAMP,
    recorded_at TIMESTAMP NOT NULL
);

-- What live counters have shown; restored before serving, so that none goes back. The newest row
-- of a series holds. No key: each update by key keeps memory that the engine never gives back.
CREATE TABLE counter (
    name VARCHAR NOT NULL,
    labels VARCHAR NOT NULL,
    run_id VARCHAR,
    amount DECIMAL(38, 24) NOT NULL,
    seq BIGINT NOT NULL
);

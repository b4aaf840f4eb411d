-- Looks at who used a shared device: after a crash the minute that was open is split as before.

CREATE TABLE device_use (
    device_id VARCHAR NOT NULL,
    read_at TIMESTAMP NOT NULL,
    from_boot_ns BIGINT NOT NULL,
    boot_ns BIGINT NOT NULL,
    -- JSON object: use by run, in any unit, the same for all of a row
    runs VARCHAR NOT NULL,
    -- of processes that belong to no run; null: there were none
    others BIGINT,
    idle_mw BIGINT NOT NULL,
    idle_seen BOOLEAN NOT NULL,
    seq BIGINT NOT NULL
);

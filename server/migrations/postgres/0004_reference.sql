-- Imports of reference data that calls start and follow. What they make is in reference_releases, its records are files.

-- One row an import; one at a time runs, over all nodes.
CREATE TABLE reference_imports (
    import_id   TEXT   NOT NULL PRIMARY KEY,   -- UUID
    party_id    TEXT   NOT NULL,               -- who started it
    state       TEXT   NOT NULL CHECK (state IN ('running', 'done', 'same_records', 'refused', 'cancelled', 'failed')),
    files       TEXT   NOT NULL,               -- names, one a line
    serve       BIGINT NOT NULL CHECK (serve IN (0, 1)),
    dry_run     BIGINT NOT NULL CHECK (dry_run IN (0, 1)),
    node        TEXT   NOT NULL,               -- which process runs it
    heartbeat   BIGINT NOT NULL,               -- counts up while it runs
    cancelled   BIGINT NOT NULL CHECK (cancelled IN (0, 1)),   -- told to stop
    phase       BIGINT NOT NULL,               -- as in the contract
    done        BIGINT NOT NULL,
    total       BIGINT NOT NULL,
    row_count   BIGINT NOT NULL,
    refused     BIGINT NOT NULL,
    remarks     BIGINT NOT NULL,
    release     TEXT   NOT NULL,               -- empty until the end
    served      BIGINT NOT NULL CHECK (served IN (0, 1)),
    fault       TEXT   NOT NULL,
    started_at  BIGINT NOT NULL,               -- machine time
    ended_at    BIGINT                         -- machine time
);
CREATE UNIQUE INDEX reference_imports_running ON reference_imports (state) WHERE state = 'running';
CREATE INDEX reference_imports_age ON reference_imports (started_at, import_id);

-- Refused rows and remarks, the first of each import.
CREATE TABLE reference_import_problems (
    import_id  TEXT   NOT NULL REFERENCES reference_imports (import_id),
    position   BIGINT NOT NULL,
    file       TEXT   NOT NULL,
    line       BIGINT NOT NULL,
    field      TEXT   NOT NULL,                -- column; empty for a whole row
    value      TEXT   NOT NULL,
    reason     TEXT   NOT NULL,
    refused    BIGINT NOT NULL,                -- 0: a remark
    PRIMARY KEY (import_id, position)
);

-- When its files were removed, machine time; 0: they are there.
ALTER TABLE reference_releases ADD COLUMN removed_at BIGINT NOT NULL DEFAULT 0;

-- The network: which release of the reference data is served, and what changed since: sockets that orders laid, and fibres
-- that they hold.

-- One row. Nodes read the other tables again when the revision moves, and take another release when the activation does.
CREATE TABLE network (
    id          BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    revision    BIGINT NOT NULL,               -- of the last change since the release
    activation  BIGINT NOT NULL,               -- of the last change of release
    release     TEXT   NOT NULL,               -- empty before the first
    previous    TEXT   NOT NULL                -- what a rollback goes back to; empty if nothing
);
INSERT INTO network (id, revision, activation, release, previous) VALUES (1, 0, 0, '', '');

-- Releases that were imported: what they are. Their records are files, never rows.
CREATE TABLE reference_releases (
    release        TEXT   NOT NULL PRIMARY KEY,
    sha256         TEXT   NOT NULL,            -- over the records
    sources        TEXT   NOT NULL,            -- names of the files, one a line
    buildings      BIGINT NOT NULL,
    imported_on    TEXT   NOT NULL,            -- day
    registered_at  BIGINT NOT NULL,            -- machine time
    registered_by  TEXT   NOT NULL             -- party
);

-- Every change of release, for who asks what was served when.
CREATE TABLE reference_activations (
    activation    BIGINT NOT NULL PRIMARY KEY,
    release       TEXT   NOT NULL REFERENCES reference_releases (release),
    activated_at  BIGINT NOT NULL,             -- machine time
    activated_by  TEXT   NOT NULL              -- party
);

-- Sockets laid since, and the state of lines that changed. A row gives way to what a later release says of the socket.
CREATE TABLE network_lines (
    pto       TEXT   NOT NULL PRIMARY KEY,
    imb       TEXT   NOT NULL,
    batiment  TEXT   NOT NULL,
    escalier  TEXT   NOT NULL,
    etage     TEXT   NOT NULL,
    pm        TEXT   NOT NULL,
    pbo       TEXT   NOT NULL,                -- empty if not known
    state     TEXT   NOT NULL,                -- as in the line file, for instance ACTIVE
    release   TEXT   NOT NULL                 -- that was served when the row was written
);

-- Fibres of a box that orders hold until their socket is laid.
CREATE TABLE network_fibres (
    pm        TEXT   NOT NULL,
    pbo       TEXT   NOT NULL,
    held      BIGINT NOT NULL CHECK (held >= 0),
    PRIMARY KEY (pm, pbo)
);

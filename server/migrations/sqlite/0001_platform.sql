-- The shared rooms: parties and their chains, replay rows, events, audit, the business clock, the registry.
-- Instants are microseconds since 1970-01-01 UTC, days are ISO text, on both engines.

-- Operators and back-office systems: who owns objects, revisions and an audit chain.
CREATE TABLE parties (
    party_id      TEXT   NOT NULL PRIMARY KEY,  -- 'o-<siren>' or 's-<code>'
    kind          TEXT   NOT NULL CHECK (kind IN ('operator', 'system')),
    code          TEXT   NOT NULL,              -- SIREN or system code
    display_name  TEXT   NOT NULL,
    quadrigram    TEXT   NOT NULL,              -- empty for a system
    brand_name    TEXT   NOT NULL,
    brand_phone   TEXT   NOT NULL,
    brand_sender  TEXT   NOT NULL,
    status        TEXT   NOT NULL CHECK (status IN ('active', 'suspended')),
    quota_tier    TEXT   NOT NULL,
    revision      BIGINT NOT NULL,              -- of the last event
    audit_length  BIGINT NOT NULL,
    audit_head    TEXT   NOT NULL,              -- hash of the last audit line, hex
    created_at    BIGINT NOT NULL,
    UNIQUE (kind, code)
);

-- What an operator subscribes to; what roles a system holds.
CREATE TABLE party_grants (
    party_id  TEXT NOT NULL REFERENCES parties (party_id),
    name      TEXT NOT NULL,                    -- e-service code or role
    PRIMARY KEY (party_id, name)
);

-- The registry: the only authority over certificates.
CREATE TABLE certificates (
    issuer_hash  TEXT   NOT NULL,               -- SHA-256 of the issuer's DER name, hex
    serial       TEXT   NOT NULL,               -- lower-case hex
    key_hash     TEXT   NOT NULL,               -- SHA-256 of the subject public key info, hex
    party_id     TEXT   NOT NULL REFERENCES parties (party_id),
    environment  TEXT   NOT NULL CHECK (environment IN ('production', 'non-production')),
    names        TEXT   NOT NULL,               -- e-services or roles it names, comma separated, sorted
    label        TEXT   NOT NULL,
    status       TEXT   NOT NULL CHECK (status IN ('active', 'revoked')),
    not_before   BIGINT NOT NULL,
    not_after    BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    revoked_at   BIGINT,
    pem          TEXT   NOT NULL,
    PRIMARY KEY (issuer_hash, serial)
);
CREATE INDEX certificates_party ON certificates (party_id);

-- One row, changed by every change of the registry: nodes read the registry again when it moves.
CREATE TABLE registry_version (
    id       BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    version  BIGINT NOT NULL
);
INSERT INTO registry_version (id, version) VALUES (1, 1);

-- Replay: one row per (caller, method, request_id), in the transaction of the effect.
CREATE TABLE requests (
    party_id    TEXT   NOT NULL,
    method      TEXT   NOT NULL,
    request_id  TEXT   NOT NULL,
    body_hash   TEXT   NOT NULL,
    resource    TEXT   NOT NULL,                -- the resource it changed
    response    BLOB NOT NULL,
    created_at  BIGINT NOT NULL,                -- machine time
    PRIMARY KEY (party_id, method, request_id)
);
CREATE INDEX requests_age ON requests (created_at);

-- Events: ids and states only, one revision per party without gap.
CREATE TABLE events (
    party_id     TEXT   NOT NULL,
    revision     BIGINT NOT NULL,
    kind         TEXT   NOT NULL,               -- for instance appointments.held
    resource     TEXT   NOT NULL,
    state        TEXT   NOT NULL,
    occurred_at  BIGINT NOT NULL,               -- business time
    recorded_at  BIGINT NOT NULL,               -- machine time
    PRIMARY KEY (party_id, revision)
);

-- Audit: a hash chain per party.
CREATE TABLE audit (
    party_id     TEXT   NOT NULL,
    position     BIGINT NOT NULL,
    actor        TEXT   NOT NULL,               -- party_id of who acted
    method       TEXT   NOT NULL,
    request_id   TEXT   NOT NULL,
    resource     TEXT   NOT NULL,
    detail       TEXT   NOT NULL,               -- field names and states, never personal values
    recorded_at  BIGINT NOT NULL,               -- machine time
    previous     TEXT   NOT NULL,
    hash         TEXT   NOT NULL,
    PRIMARY KEY (party_id, position)
);

-- Business time = base + speed x (machine - anchor).
CREATE TABLE business_clock (
    id      BIGINT           NOT NULL PRIMARY KEY CHECK (id = 1),
    base    BIGINT           NOT NULL,
    anchor  BIGINT           NOT NULL,
    speed   DOUBLE PRECISION NOT NULL
);
INSERT INTO business_clock (id, base, anchor, speed) VALUES (1, 0, 0, 1);

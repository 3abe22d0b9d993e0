-- Orders of accesses, their history, the accesses and addresses that come of them. Personal data of end customers is in
-- orders_contacts and in the comments of orders_history, and nowhere else.

CREATE INDEX network_lines_box ON network_lines (pm, pbo);

CREATE TABLE orders (
    number              TEXT   NOT NULL PRIMARY KEY,
    party_id            TEXT   NOT NULL REFERENCES parties (party_id),
    type                TEXT   NOT NULL CHECK (type IN ('creation', 'termination', 'box_exchange')),
    state               TEXT   NOT NULL,
    operator_reference  TEXT   NOT NULL,
    offer_code          TEXT   NOT NULL,
    e_service           TEXT   NOT NULL,          -- that opens the offer
    product_nature      TEXT   NOT NULL,
    via                 TEXT   NOT NULL,
    aid                 TEXT   NOT NULL,
    ipv4                TEXT   NOT NULL,
    appointment_ref     TEXT   NOT NULL,          -- empty if none is attached
    appointment_type    TEXT   NOT NULL,
    imb                 TEXT   NOT NULL,
    pm                  TEXT   NOT NULL,
    pbo                 TEXT   NOT NULL,          -- empty if not known
    pto                 TEXT   NOT NULL,          -- empty until a socket is laid
    batiment            TEXT   NOT NULL,
    escalier            TEXT   NOT NULL,
    etage               TEXT   NOT NULL,
    number_in_street    TEXT   NOT NULL,          -- snapshot of the installation address
    street              TEXT   NOT NULL,
    postcode            TEXT   NOT NULL,
    commune             TEXT   NOT NULL,
    commune_code        TEXT   NOT NULL,
    street_code         TEXT   NOT NULL,
    fibre_held          BIGINT NOT NULL CHECK (fibre_held IN (0, 1)),
    parcel_number       TEXT   NOT NULL,
    box_serial          TEXT   NOT NULL,
    failure_code        TEXT   NOT NULL,
    retake_until        TEXT   NOT NULL,          -- day; empty unless an appointment is to be retaken
    release             TEXT   NOT NULL,          -- that the checks were made on
    scenario            TEXT   NOT NULL,          -- how the simulator plays it; empty in production
    entries             BIGINT NOT NULL,          -- of its history
    version             BIGINT NOT NULL,
    revision            BIGINT NOT NULL,
    created_at          BIGINT NOT NULL,
    updated_at          BIGINT NOT NULL,
    UNIQUE (party_id, operator_reference)
);
CREATE INDEX orders_list ON orders (party_id, created_at, number);
CREATE INDEX orders_counts ON orders (party_id, e_service, type, state);
CREATE INDEX orders_aid ON orders (aid);
CREATE INDEX orders_retake ON orders (retake_until) WHERE retake_until <> '';

-- Who lives there and where the box goes: erased on demand.
CREATE TABLE orders_contacts (
    number       TEXT NOT NULL PRIMARY KEY REFERENCES orders (number),
    last_name    TEXT NOT NULL,
    first_name   TEXT NOT NULL,
    phone        TEXT NOT NULL,
    other_phone  TEXT NOT NULL,
    box_number      TEXT NOT NULL,
    box_street      TEXT NOT NULL,
    box_complement  TEXT NOT NULL,
    box_postcode    TEXT NOT NULL,
    box_commune     TEXT NOT NULL
);

-- What happened to an order, without gap from 1.
CREATE TABLE orders_history (
    number       TEXT   NOT NULL REFERENCES orders (number),
    position     BIGINT NOT NULL,
    kind         TEXT   NOT NULL,
    author       TEXT   NOT NULL CHECK (author IN ('operator', 'field', 'server')),
    state        TEXT   NOT NULL,                 -- after it
    code         TEXT   NOT NULL,
    comment      TEXT   NOT NULL,                 -- erased on demand
    facts        TEXT   NOT NULL,                 -- name=value, one a line, sorted
    occurred_at  BIGINT NOT NULL,
    PRIMARY KEY (number, position)
);

-- One row an order or access that is alive on a socket: never two.
CREATE TABLE orders_sockets (
    pto       TEXT NOT NULL PRIMARY KEY,
    party_id  TEXT NOT NULL,
    number    TEXT NOT NULL,                      -- the creation that took it
    aid       TEXT NOT NULL                       -- its access
);
CREATE INDEX orders_sockets_aid ON orders_sockets (aid);

-- Accesses: pending until delivered, then active, then terminated.
CREATE TABLE orders_accesses (
    aid         TEXT   NOT NULL PRIMARY KEY,
    via         TEXT   NOT NULL UNIQUE,
    party_id    TEXT   NOT NULL REFERENCES parties (party_id),
    number      TEXT   NOT NULL,                  -- the creation it comes of
    state       TEXT   NOT NULL CHECK (state IN ('pending', 'active', 'terminated')),
    ipv4        TEXT   NOT NULL,
    box_serial  TEXT   NOT NULL,
    updated_at  BIGINT NOT NULL
);

-- Who held a fixed address when: business time, never erased before the law says so.
CREATE TABLE orders_addresses (
    ipv4         TEXT   NOT NULL,
    assigned_at  BIGINT NOT NULL,
    released_at  BIGINT,
    aid          TEXT   NOT NULL,
    party_id     TEXT   NOT NULL,
    PRIMARY KEY (ipv4, assigned_at)
);
CREATE INDEX orders_addresses_aid ON orders_addresses (aid);
-- An address has one holder at a time: never two.
CREATE UNIQUE INDEX orders_addresses_live ON orders_addresses (ipv4) WHERE released_at IS NULL;

-- How far each pool was handed out, and the addresses that came back.
CREATE TABLE orders_pools (
    pool   TEXT   NOT NULL PRIMARY KEY,           -- CIDR
    taken  BIGINT NOT NULL
);
CREATE TABLE orders_free_addresses (
    ipv4       TEXT   NOT NULL PRIMARY KEY,
    free_from  BIGINT NOT NULL                    -- end of the quarantine
);
CREATE INDEX orders_free_addresses_from ON orders_free_addresses (free_from);

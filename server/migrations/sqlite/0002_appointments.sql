-- e-RDV: zones, slots with their places, appointments.

CREATE TABLE appointments_zones (
    code        TEXT   NOT NULL PRIMARY KEY,
    label       TEXT   NOT NULL,
    updated_at  BIGINT NOT NULL
);

-- A commune has one zone.
CREATE TABLE appointments_communes (
    commune_code  TEXT NOT NULL PRIMARY KEY,
    zone_code     TEXT NOT NULL REFERENCES appointments_zones (code)
);
CREATE INDEX appointments_communes_zone ON appointments_communes (zone_code);

CREATE TABLE appointments_slots (
    slot_id      TEXT   NOT NULL PRIMARY KEY,   -- <zone>-<yyyymmdd>-<hhmm>
    zone_code    TEXT   NOT NULL REFERENCES appointments_zones (code),
    day          TEXT   NOT NULL,
    local_start  TEXT   NOT NULL,
    local_end    TEXT   NOT NULL,
    capacity     BIGINT NOT NULL CHECK (capacity >= 0),
    booked       BIGINT NOT NULL CHECK (booked >= 0),
    CHECK (booked <= capacity)
);
CREATE INDEX appointments_slots_day ON appointments_slots (zone_code, day);

CREATE TABLE appointments (
    reference         TEXT   NOT NULL PRIMARY KEY,
    party_id          TEXT   NOT NULL REFERENCES parties (party_id),
    state             TEXT   NOT NULL CHECK (state IN ('held', 'confirmed', 'cancelled', 'lapsed')),
    product_nature    TEXT   NOT NULL,
    operation         TEXT   NOT NULL,
    appointment_type  TEXT   NOT NULL,
    pair_count        BIGINT NOT NULL,
    access_id         TEXT   NOT NULL,
    commune_code      TEXT   NOT NULL,
    street_code       TEXT   NOT NULL,
    street_number     TEXT   NOT NULL,
    imb               TEXT   NOT NULL,
    zone_code         TEXT   NOT NULL,
    slot_id           TEXT   NOT NULL REFERENCES appointments_slots (slot_id),
    slot_day          TEXT   NOT NULL,
    slot_start        TEXT   NOT NULL,
    slot_end          TEXT   NOT NULL,
    expires_at        BIGINT NOT NULL,
    changes           BIGINT NOT NULL,
    max_changes       BIGINT NOT NULL,
    version           BIGINT NOT NULL,
    revision          BIGINT NOT NULL,
    order_ref         TEXT   NOT NULL,          -- empty until an order confirms it
    created_at        BIGINT NOT NULL,
    updated_at        BIGINT NOT NULL
);
CREATE INDEX appointments_list ON appointments (party_id, created_at, reference);
CREATE INDEX appointments_slot ON appointments (slot_id, state);
CREATE INDEX appointments_due ON appointments (state, expires_at);
CREATE INDEX appointments_zone_day ON appointments (zone_code, slot_day);

-- Work that orders ask of the field and of logistics, and the boxes in stock. Leases count by machine time.

CREATE TABLE orders_work (
    work_id         TEXT   NOT NULL PRIMARY KEY,   -- <order number>-<letter of the kind><position in the history>
    number          TEXT   NOT NULL REFERENCES orders (number),
    party_id        TEXT   NOT NULL,               -- owner of the order
    capability      TEXT   NOT NULL
                    CHECK (capability IN ('shipping', 'installation', 'activation', 'disconnection', 'returns')),
    department      TEXT   NOT NULL,
    state           TEXT   NOT NULL CHECK (state IN ('open', 'leased', 'done', 'cancelled')),
    box_serial      TEXT   NOT NULL,               -- that is to come back; empty but for returns
    available_from  BIGINT NOT NULL,               -- business time
    lease_owner     TEXT   NOT NULL,               -- party that has or had it last; empty if none had
    worker          TEXT   NOT NULL,               -- in that party's words
    token           BIGINT NOT NULL,               -- times that it was leased
    lease_until     BIGINT NOT NULL                -- machine time; 0 if it never was
);
CREATE INDEX orders_work_due ON orders_work (capability, available_from, work_id) WHERE state IN ('open', 'leased');
CREATE INDEX orders_work_list ON orders_work (available_from, work_id);
CREATE INDEX orders_work_order ON orders_work (number);
-- One piece of work of a kind is alive an order: never two.
CREATE UNIQUE INDEX orders_work_alive ON orders_work (number, capability) WHERE state IN ('open', 'leased');

-- A box ships once: in stock, at an end customer, back.
CREATE TABLE orders_boxes (
    serial      TEXT   NOT NULL PRIMARY KEY,
    state       TEXT   NOT NULL CHECK (state IN ('in_stock', 'shipped', 'returned')),
    aid         TEXT   NOT NULL,                   -- access that it was shipped for; empty in stock
    number      TEXT   NOT NULL,                   -- order that it was shipped for; empty in stock
    updated_at  BIGINT NOT NULL                    -- business time
);
CREATE INDEX orders_boxes_aid ON orders_boxes (aid) WHERE aid <> '';

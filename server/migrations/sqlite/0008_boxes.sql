-- A box can be lost: on its way to an end customer, or on its way back. SQLite changes a CHECK by a copy alone; it has one
-- writer, and the migration is it.

CREATE TABLE orders_boxes_next (
    serial      TEXT   NOT NULL PRIMARY KEY,
    state       TEXT   NOT NULL CHECK (state IN ('in_stock', 'shipped', 'returned', 'lost')),
    aid         TEXT   NOT NULL,                   -- access that it was shipped for; empty in stock
    number      TEXT   NOT NULL,                   -- order that it was shipped for; empty in stock
    updated_at  BIGINT NOT NULL                    -- business time
);
INSERT INTO orders_boxes_next SELECT serial, state, aid, number, updated_at FROM orders_boxes;
DROP TABLE orders_boxes;
ALTER TABLE orders_boxes_next RENAME TO orders_boxes;
CREATE INDEX orders_boxes_aid ON orders_boxes (aid) WHERE aid <> '';

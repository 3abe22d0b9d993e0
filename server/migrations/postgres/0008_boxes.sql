-- A box can be lost: on its way to an end customer, or on its way back. No copy as on SQLite: other nodes write meanwhile.

ALTER TABLE orders_boxes
    DROP CONSTRAINT orders_boxes_state_check,
    ADD CONSTRAINT orders_boxes_state_check CHECK (state IN ('in_stock', 'shipped', 'returned', 'lost'));

-- The Watch: which e-service an event belongs to, and how far back the events of a party go.

ALTER TABLE events ADD COLUMN e_service TEXT NOT NULL DEFAULT '';  -- or role, of a back-office system
UPDATE events SET e_service = CASE
    WHEN kind = 'sandbox.clock_changed' THEN 'sandbox-clock'
    WHEN kind = 'sandbox.appointments_reset' THEN 'sandbox'
    WHEN kind LIKE 'fulfilment.%' THEN 'workforce'
    WHEN EXISTS (SELECT 1 FROM appointments a WHERE 'appointments/' || a.reference = events.resource
                 AND a.product_nature IN ('FTTH', 'JUST_FIBRE')) THEN 'e-rdv-grand-public'
    ELSE 'e-rdv-entreprise'
END;
CREATE INDEX events_age ON events (recorded_at);

-- The first revision that is kept; one more than parties.revision if none is.
ALTER TABLE parties ADD COLUMN events_kept_from BIGINT NOT NULL DEFAULT 1;

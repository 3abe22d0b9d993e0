//! e-RDV: search technicians' slots, hold one, move it, cancel it, let it lapse.
//!
//! Owns zones, slots and appointments. Orders will confirm through [`store::confirm`]; the back office publishes and reads
//! through [`store`]. Knows neither of them.

pub mod rules;
mod service;
pub mod store;
mod wire;

pub use service::{Service, lapse_due, sweep, wanting_room};
pub use wire::{
    booked_slot_to_wire, etag as appointment_etag, intervention_to_wire, slot_id as wanted_slot,
    slot_to_wire, state_to_wire, street_number, visit_to_wire,
};

//! Orders of accesses (*e-Just Fibre*, *e-Just*): check, place, follow, change what can still be changed.
//!
//! Owns orders, their history and contacts, accesses, sockets and fixed addresses. Confirms appointments and writes the
//! network inside its own transactions. Does not know who does the work in the field: see `fulfilment`.

pub mod rules;
mod service;
pub mod store;
mod wire;

pub use service::{Service, expire_due, sweep};
pub use wire::{
    appointment as appointment_reference, contact_to_wire, number as order_number, order as order_to_wire,
    state_to_wire as order_state_to_wire, type_to_wire as order_type_to_wire,
};

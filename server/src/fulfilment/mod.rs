//! Back office: publish zones and capacity, read what is booked. Owns no table: zones, slots and bookings are e-RDV's.

mod service;
mod wire;

pub use service::Service;

//! Back office: publish zones and capacity, read what is booked; lease and report the work of orders. Owns no table: zones,
//! slots and bookings are e-RDV's, work and boxes are the orders'.

mod rules;
mod service;
mod wire;

pub use service::{Service, work::Service as WorkService};

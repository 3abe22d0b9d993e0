//! The Watch: one stream of an operator's changes, in order, without gap, each once, that goes on where it was left.
//!
//! Reads the table that `unit_of_work` writes. Knows no other slice: what an event is about is a name to it.

pub mod rules;
mod service;
mod store;
mod wire;

pub use service::Service;

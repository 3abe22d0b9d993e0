//! Eligibility: may this place have that offer, and why. A pure function of network, question and day; owns no table.

pub mod rules;
mod service;
mod wire;

pub use service::Service;
pub use wire::Qualification;

//! Eligibility: may this place have that offer, and why. A pure function of release, question and day; owns no table.

mod rules;
mod service;
mod wire;

pub use service::Service;

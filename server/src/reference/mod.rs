//! Back office: imports of reference data and their releases: start and follow, list, compare, serve, roll back, remove.
//! Owns no table: releases and imports are the network's rows.

mod rules;
mod service;
mod wire;

pub use service::{Service, sweep};

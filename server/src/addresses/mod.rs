//! TAO (*Translation d'Adresses Opérateur*): from an address as people say it to the building's structure. Owns no table.
//!
//! [`rules::find`] is where every e-service turns a key into buildings; [`rules`] says what a place in a building is.

pub mod rules;
mod service;
pub mod wire;

pub use service::Service;

//! proto ⇔ domain: keys of places in, addresses and buildings out.

mod address;
mod building;
pub mod export;
mod keys;

pub use address::{address, building_candidate, candidate, commune_row, imbs, street_id};
pub use building::{building, point, wire_visit};
pub use keys::{Codes, Near, address_text, codes, near, surroundings};

//! Addresses: communes, streets and their numbers, and how to find them whatever way they are said.
//!
//! Does not know the network: a number only names the buildings that stand there.

mod align;
mod answer;
mod browse;
mod dictionary;
mod find;
mod gather;
mod grid;
mod index;
mod judge;
mod keys;
mod lists;
mod normal;
mod parse;
mod pieces;
mod places;
mod record;
mod words;

pub use answer::{Candidate, Grade, Level, Reason};
pub use find::Query;
pub use grid::Nearby;
pub use index::Search;
pub use keys::Found;
pub use normal::{inside_building, street_key};
pub use record::{Bounds, Commune, Number, Point, PostalName, Street, StreetKind};

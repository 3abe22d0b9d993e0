//! Reference data of the e-services: identifiers, file formats, catalogue, calendar, and checksummed look-ups in memory.
//!
//! Knows no tonic, no sqlx, no clock: a day or an instant comes in as a value.
#![warn(missing_docs)]

mod build;
pub mod building;
pub mod calendar;
mod canonical;
pub mod derived;
mod document;
pub mod eservices;
pub mod ids;
pub mod ipe;
mod load;
pub mod offers;
mod problem;
pub mod store;
pub mod structure;
mod table;
pub mod text;

pub use build::Parts;
pub use building::Building;
pub use load::{LINES_FILE, LoadError, STRUCTURE_FILE};
pub use problem::{Outcome, Problem};
pub use store::{Reference, Release, Report};
pub use structure::{Line, Row as StructureRow};

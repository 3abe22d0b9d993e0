//! Reference data of the e-services: identifiers, file formats, catalogue, calendar, and releases: imported from files
//! of any size, checksummed, looked up in memory.
//!
//! Knows no tonic, no sqlx, no clock: a day or an instant comes in as a value.
#![warn(missing_docs)]

pub mod address;
pub mod ban;
pub mod building;
pub mod calendar;
pub mod communes;
pub mod derived;
mod document;
pub mod eservices;
pub mod generate;
pub mod geo;
pub mod grid;
pub mod ids;
mod import;
pub mod ipe;
pub mod offers;
mod problem;
mod reference;
pub mod store;
pub mod structure;
mod table;
pub mod text;

pub use building::Building;
pub use import::{Change, GO_ON, Heed, ImportError, Imported, Options, Phase, Progress, SourceKind};
pub use problem::{Outcome, Problem, report};
pub use reference::{Counts, Pbo, Reference, Release, Report, Source};
pub use store::{
    Comparison, LINES_FILE, LoadError, Manifest, Refused, Removal, STRUCTURE_FILE, Store, Unread,
};
pub use structure::{Line, Row as StructureRow};

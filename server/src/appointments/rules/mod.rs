//! The rules of e-RDV: pure functions of values and the business time. Know no tonic, sqlx, tokio or clock.

pub mod catalogue;
pub mod machine;
pub mod search;

pub use catalogue::{CATALOGUE, Nature, VisitType};
pub use machine::{Action, State};

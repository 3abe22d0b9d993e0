//! What may be ordered and what an order can become. Pure: knows no tonic, no SQL, no clock.

pub mod checks;
pub mod machine;
pub mod work;

pub use machine::{Action, Actor, State, Type};

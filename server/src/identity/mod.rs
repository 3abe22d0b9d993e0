//! Who am I: the caller's own identity as the server sees it. Writes nothing, owns no table.

mod service;
mod wire;

pub use service::Service;

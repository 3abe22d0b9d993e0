//! The sandbox: move the business clock, clear one's own appointments. Outside production only. Owns no table.

mod service;
mod wire;

pub use service::Service;

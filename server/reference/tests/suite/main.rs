//! The crate seen from outside: one test binary, a module per room.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod address;
mod ban;
mod calendar;
mod catalogues;
mod communes;
mod demo;
mod derived;
mod geo;
mod hostile;
mod ids;
mod ipe;
mod real;
mod reference;
mod releases;
mod streets;
mod structure;
mod text;

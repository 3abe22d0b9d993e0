//! The crate seen from outside: one test binary, a module per room.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod calendar;
mod catalogues;
mod demo;
mod derived;
mod ids;
mod ipe;
mod store;
mod structure;
mod text;

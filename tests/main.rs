//! End-to-end tests: a server in process, called over mutual TLS. One binary; a module per e-service and per promise.
//!
//! The database is a SQLite file in a temporary folder, or PostgreSQL where `ESERVICES_TEST_DATABASE` names one
//! (`postgres://user@host:port/postgres`); under CI the variable must be set.

#![expect(clippy::unwrap_used, reason = "a test ends where it is surprised")]

mod harness;

mod abuse;
mod addresses;
mod appointments;
mod authorization;
mod contract;
mod drain;
mod eligibility;
mod fulfilment_boxes;
mod fulfilment_work;
mod ghost;
mod golden;
mod identity;
mod interop_codes;
mod orders;
mod orders_export;
mod orders_fibres;
mod protocol;
mod race;
mod reference;
mod releases;
mod replan;
mod replay;
mod revocation;
mod simulator;
mod tidy;
mod watch;
mod white_label;

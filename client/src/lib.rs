//! A thin client of `eservices`: mutual TLS, deadlines, and retries by the contract's own table.
//!
//! ```no_run
//! use eservices_client::{Client, contract::identity::v1::WhoAmIRequest};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::builder("https://localhost:50051")
//!     .ca_file("var/demo/root.pem")
//!     .certificate_file("var/demo/operator-alpha.pem")
//!     .key_file("var/demo/operator-alpha.key")
//!     .connect()
//!     .await?;
//! let answer = client.identity().who_am_i(WhoAmIRequest {}).await?.into_inner();
//! println!("{:?}", answer.caller);
//! # Ok(())
//! # }
//! ```
//!
//! A refused call is a [`Status`]; [`Error`] reads what the server says of it: reason, remedy, violations.
//!
//! The crate knows nothing of the server, of offers or of appointments beyond the generated contract. It keeps no state
//! but one connection and a retry budget, reads its certificate once (build a new [`Client`] to renew it), checks no
//! request before it is sent, and never makes up a `request_id`: see [`new_request_id`].

#![deny(missing_docs)]

mod body;
mod builder;
mod client;
mod error;
mod fault;
mod retry;
mod timeout;
mod transport;
mod watch;

pub use builder::{Builder, ConnectError};
pub use client::Client;
pub use error::{Error, FieldViolation, PreconditionViolation};
pub use retry::RetryPolicy;
pub use transport::Transport;
pub use watch::{Events, Watch};

/// The wire contract: message types, generated clients, method table, reasons, descriptors.
pub use eservices as contract;
pub use tonic::{Code, Request, Response, Status};

/// A new `request_id` for a call that changes something: a UUID of version 7.
///
/// Make one per intent and keep it until the answer is known: the same id with the same body never takes effect twice.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "a client has no platform::ids; this is where its ids come from"
)]
pub fn new_request_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

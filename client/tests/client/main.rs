//! The client against a scripted server in memory: no socket, no real wait (tokio's clock is paused).

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like the tests themselves")]

mod deadline;
mod fake;
mod refusal;
mod retry;
mod tls;

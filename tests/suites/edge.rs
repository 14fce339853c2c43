//! The REST edge over real sockets: what is refused and how, what is bounded, what is kept under an idempotency key.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "edge/bounds.rs"]
mod bounds;
#[path = "edge/console.rs"]
mod console;
#[path = "edge/description.rs"]
mod description;
#[path = "edge/idempotency.rs"]
mod idempotency;
#[path = "edge/owners.rs"]
mod owners;
#[path = "edge/people.rs"]
mod people;
#[path = "edge/process.rs"]
mod process;
#[path = "edge/refusals.rs"]
mod refusals;
#[path = "edge/repeats.rs"]
mod repeats;
#[path = "edge/tls.rs"]
mod tls;
#[path = "edge/tokens.rs"]
mod tokens;
#[path = "edge/walk.rs"]
mod walk;

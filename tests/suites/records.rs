//! What the control plane tells of itself: its audit and the proof of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
// Texts that are put together for a comparison, once.
#![allow(clippy::format_collect, clippy::format_push_string)]

#[path = "records/audit.rs"]
mod audit;
#[path = "records/deliveries.rs"]
mod deliveries;
#[path = "records/events.rs"]
mod events;
#[path = "records/receiver.rs"]
mod receiver;
#[path = "records/support.rs"]
mod support;
#[path = "records/webhooks.rs"]
mod webhooks;

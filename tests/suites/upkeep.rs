//! What keeps the whole in order: invariants, drift, lost hosts, adoption, jobs in bulk.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::panic)]

#[path = "upkeep/invariants.rs"]
mod invariants;

//! What keeps the whole in order: invariants, drift, lost hosts, adoption, jobs in bulk.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

#[path = "upkeep/bulk.rs"]
mod bulk;
#[path = "upkeep/drift.rs"]
mod drift;
#[path = "upkeep/fencing.rs"]
mod fencing;
#[path = "upkeep/firewalls.rs"]
mod firewalls;
#[path = "upkeep/invariants.rs"]
mod invariants;
#[path = "upkeep/lost.rs"]
mod lost;
#[path = "upkeep/lost_moves.rs"]
mod lost_moves;
#[path = "upkeep/lost_processes.rs"]
mod lost_processes;
#[path = "upkeep/network.rs"]
mod network;
#[path = "upkeep/rest.rs"]
mod rest;

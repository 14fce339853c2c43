//! What the agent expects of a Proxmox cluster: moving VMs between its nodes. Always against a simulated one.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, missing_docs)]

#[path = "conformance_cluster/moves.rs"]
mod moves;
#[path = "conformance_cluster/remote.rs"]
mod remote;

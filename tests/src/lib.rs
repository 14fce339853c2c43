//! What the suites share.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::print_stderr, clippy::missing_panics_doc)]

pub mod app;
pub mod channel;
pub mod daemon;
pub mod database;
pub mod fleet;
pub mod invariants;
pub mod pod_bench;
pub mod process;
pub mod pve_rig;
pub mod relay;
pub mod scripted_agent;
mod scripted_host;
pub mod several;

pub use app::{Answer, Api, TestApp};
pub use database::{TestDatabase, databases, eventually};
pub use invariants::assert_invariants;

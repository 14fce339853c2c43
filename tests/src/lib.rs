//! What the suites share.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::print_stderr, clippy::missing_panics_doc)]

pub mod app;
pub mod bearers;
pub mod browser;
pub mod channel;
pub mod daemon;
pub mod database;
pub mod fleet;
pub mod http2;
pub mod invariants;
pub mod mailbox;
pub mod namespace;
pub mod node;
pub mod oidc_provider;
pub mod people;
pub mod pod_bench;
pub mod populated;
pub mod postgres;
pub mod process;
pub mod pve_rig;
pub mod python;
pub mod relay;
pub mod scripted_agent;
mod scripted_host;
pub mod several;
pub mod signing_in;
pub mod small_disk;
pub mod swarm;
pub mod wall_clock;

pub use app::{Answer, Api, TestApp};
pub use database::{TestDatabase, databases, eventually};
pub use invariants::assert_invariants;

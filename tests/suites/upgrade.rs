//! Upgrade: an old agent with a new control plane and the other way round, and databases as earlier versions left them. It
//! works, or it refuses with a clear message. All with real processes.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

#[path = "upgrade/agents.rs"]
mod agents;
#[path = "upgrade/tables.rs"]
mod tables;

use std::time::Duration;

use mpanel_tests::fleet::Programs;

const PROGRAMS: Programs =
    Programs { control: env!("CARGO_BIN_EXE_mpanel-faulty"), agent: env!("CARGO_BIN_EXE_mpanel-agent-faulty") };
const REST: Duration = Duration::from_mins(3);

//! The command line as operators and scripts use it: the real program against a real control plane, and against a scripted
//! one where an answer has to be lost, late or wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "cli/against_a_control_plane.rs"]
mod against_a_control_plane;
#[path = "cli/against_a_script.rs"]
mod against_a_script;
#[path = "cli/support.rs"]
mod support;

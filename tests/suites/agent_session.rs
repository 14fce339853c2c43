//! The agent against a control plane made by hand, over real TLS: what it does of its own accord and at once in a session.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, missing_docs)]

#[path = "agent_session/asked.rs"]
mod asked;
#[path = "agent_session/consoles.rs"]
mod consoles;
#[path = "agent_session/plane.rs"]
mod plane;

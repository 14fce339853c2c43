//! Several control planes over one database: who is alive, who holds an agent's session, and what one asks another to do with
//! a session that the other holds.
//!
//! ```text
//! asker ──INSERT call, NOTIFY──▶ agent_calls ──▶ holder's loop `calls` ──▶ session ──▶ agent
//!   ▲                                 │                                        │
//!   └──── loop `calls` ◀── NOTIFY ── answer ◀──────────────────────────────────┘
//! ```
//!
//! Nothing depends on a call: whoever asks waits for so long and no longer, and what is only told (cancel, close) is noticed
//! later by other means. Jobs do not go this way at all: the control plane that holds the session claims them.

pub mod service;
mod store;

use crate::clock::Ms;
use crate::ids::{CallId, InstanceId, ServerId};

/// A control plane that runs over this database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Of this run of the process.
    pub id: InstanceId,
    /// For people: the machine and the process.
    pub name: String,
    /// Of mPanel.
    pub version: String,
    /// Where the others reach it; empty: nowhere.
    pub internal_url: String,
    /// When it started.
    pub started_at: Ms,
    /// When it last said that it is alive.
    pub seen_at: Ms,
}

/// Where the session of a server's agent is, as far as the database knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// At this control plane.
    Here,
    /// At another one, which is alive.
    Elsewhere(InstanceId),
    /// At none that is alive.
    Nobody,
}

/// What another control plane asks of this one.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Names the answer.
    pub id: CallId,
    /// Whose agent.
    pub server: ServerId,
    /// What; the callers' own shape.
    pub request: serde_json::Value,
}

/// Whom something is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// Whoever holds the server's session.
    Holder,
    /// Every other control plane.
    Others,
}

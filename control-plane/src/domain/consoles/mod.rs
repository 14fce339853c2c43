//! Consoles of pods: a browser's WebSocket relayed over the agent's channel, so that hosts stay unreachable from outside.
//!
//! ```text
//! POST …/console ──▶ ticket (seconds to live, once) ──▶ GET /api/console/{id} (WebSocket) ◀──▶ Relay.Console ◀──▶ Proxmox
//!      asked                                              opened                         closed
//! ```
//!
//! Whether who asked may still use it, and whether the pod may still be looked at, is looked at when it is opened, and every minute from
//! then on. The three are audited. A ticket is kept as a hash, travels in a header and never in a URL. Browser and agent may have come to different control planes: then
//! the agent's carries the console for the browser's, which answers for it.

pub mod routes;
pub mod service;
mod store;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::domain::audit::{Actor, ActorKind};
use crate::domain::secrets::Secret;
use crate::error::Result;
use crate::ids::{CloudPodId, ConsoleId, ServerId, SessionId, TenantId, TokenId, UserId};

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConsoleKind {
    /// The screen, as VNC.
    Vnc,
    /// The serial terminal; its host needs Proxmox VE 9.1.
    Terminal,
}

impl ConsoleKind {
    /// As it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vnc => "vnc",
            Self::Terminal => "terminal",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "vnc" => Some(Self::Vnc),
            "terminal" => Some(Self::Terminal),
            _ => None,
        }
    }
}

/// A console that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Console {
    /// Its id.
    pub id: ConsoleId,
    /// Whose pod.
    pub tenant: TenantId,
    /// Of which pod.
    pub pod: CloudPodId,
    /// Where the pod is.
    pub server: ServerId,
    /// Its number there.
    pub vmid: u32,
    /// What is shown.
    pub kind: ConsoleKind,
    /// Who asked for it.
    pub asked_by: String,
    /// By what they did; `None`: nobody knows any more.
    pub opener: Option<Opener>,
}

/// By what somebody asked for a console. It is open for as long as that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Opener {
    /// An API token, or the platform's own.
    Token {
        /// Which.
        token: TokenId,
    },
    /// A sign-in.
    Session {
        /// Which.
        session: SessionId,
    },
    /// Nothing but being somebody.
    User {
        /// Who.
        user: UserId,
    },
}

impl Opener {
    /// `None` for what opens no consoles: agents and the control plane's own parts.
    fn of(actor: &Actor) -> Option<Self> {
        match actor.kind {
            ActorKind::PlatformToken(token) | ActorKind::ApiToken { token, user: _ } => Some(Self::Token { token }),
            ActorKind::User { user: _, session: Some(session) } => Some(Self::Session { session }),
            ActorKind::User { user, session: None } => Some(Self::User { user }),
            ActorKind::Agent(_) | ActorKind::System(_) => None,
        }
    }
}

/// What goes through a console, either way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// What Proxmox's websocket carries, as it is.
    Data(Bytes),
    /// The end, and why.
    Closed(String),
}

/// An open console, as seen from the browser's side. Both ways are bounded: who does not read is not sent more.
#[derive(Debug)]
pub struct Pipe {
    /// Of the VNC session; empty for a terminal.
    pub password: Secret<String>,
    /// To the agent.
    pub up: mpsc::Sender<Frame>,
    /// From the agent; it ends with the agent's stream.
    pub down: mpsc::Receiver<Frame>,
}

/// Whether the agent of a server can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It can, from here or through the control plane that holds its session.
    Open,
    /// Another control plane holds its session, and the others do not know where that one is.
    Apart,
    /// Its agent is not connected.
    Nowhere,
}

/// The way to the agents' consoles; the gRPC relay implements it.
#[async_trait]
pub trait Consoles: Send + Sync {
    /// Whether a console could be opened.
    async fn reach(&self, server: ServerId) -> Result<Reach>;

    /// Opens a console through the agent of its server. `Conflict` with the reason when the host cannot, `Unavailable` when
    /// the agent does not answer `within` that time.
    async fn open(&self, console: &Console, within: Duration) -> Result<Pipe>;
}

/// What the operator allows.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most consoles open on one server.
    pub per_server: u32,
    /// The most consoles that one tenant may have open.
    pub per_tenant: u32,
    /// One on which nothing moves for so long is closed.
    pub idle: Duration,
    /// The longest that one may be open.
    pub longest: Duration,
    /// How often it is looked whether who opened one may still use it.
    pub recheck: Duration,
}

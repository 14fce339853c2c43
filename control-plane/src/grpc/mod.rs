//! The agents' channel: mutual TLS, enrolment, one session per server.
//!
//! ```text
//! agent ──TLS 1.3──▶ server (accept, handshake, HTTP/2) ─┬─ Enrolment: token + signing request ──▶ certificate
//!                      identity: certificate → server    ├─ Agent: Session (one stream), Renew
//!                                                        ├─ Relay: consoles
//! another control plane ──TLS 1.3──▶ ───────────────────┴─ Plane: consoles of agents that are connected here
//!            AgentPort, Prober, Sessions ◀── hub ◀── session ──▶ servers, jobs::engine
//! ```
//!
//! Who an agent is stands in its verified certificate and nowhere else; whether that certificate still counts is asked of the
//! database when a session opens and when it is renewed, and a revocation ends the session.

mod ask;
pub mod ca;
mod closing;
mod config;
mod convert;
mod convert_command;
mod enrolment;
mod fence;
pub mod hub;
pub mod identity;
mod intake;
mod limits;
mod outbound;
pub mod plane;
mod query;
pub mod relay;
mod server;
mod session;
pub mod tls;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::Status;

use self::ca::Authority;
use self::hub::SessionHub;
use self::relay::Relays;
use self::tls::ServingCertificate;
use crate::clock::Clock;
use crate::db::Db;
use crate::domain::cloudpods::service::Service as CloudPods;
use crate::domain::drift::service::Service as Drift;
use crate::domain::jobs::engine::Engine;
use crate::domain::servers::service::Service as Servers;
use crate::error::{Error, Result};
use crate::ids::InstanceId;

pub use config::Config;

/// What the channel is made of.
pub struct Parts {
    /// Section `[agents]`.
    pub config: Config,
    /// The store.
    pub db: Db,
    /// Tells the time, also to the verification of certificates.
    pub clock: Clock,
    /// This process.
    pub instance: InstanceId,
    /// Issues certificates.
    pub authority: Arc<Authority>,
    /// What the listener shows; `loops::renewals` renews it.
    pub serving: Arc<ServingCertificate>,
    /// Where the sessions are entered.
    pub hub: Arc<SessionHub>,
    /// The consoles that wait for their agents.
    pub relays: Arc<Relays>,
    /// Takes progress and results.
    pub engine: Engine,
    /// Redeems join tokens, keeps certificates, sessions, heartbeats and inventories.
    pub servers: Arc<Servers>,
    /// Learns from inventories what became of the pods.
    pub cloudpods: Arc<CloudPods>,
    /// Compares them with what is wanted.
    pub drift: Arc<Drift>,
}

/// The agents' listener, bound. Connections wait in the socket's queue until [`Channel::run`].
pub struct Channel(server::Server);

impl Channel {
    /// Binds the listener. It serves until `shutdown`.
    pub async fn bind(parts: Parts, shutdown: CancellationToken) -> Result<Self> {
        let Parts { config, db, clock, instance, authority, serving, hub, relays, engine, servers, cloudpods, drift } =
            parts;
        let tls = tls::server_config(&authority, serving, &clock)?;
        let tasks = TaskTracker::new();
        let enrolment = enrolment::Enrolment::new(db.clone(), clock.clone(), servers.clone(), authority.clone());
        let sessions = session::Sessions::new(session::Parts {
            config: config.clone(),
            db,
            clock,
            instance,
            hub,
            engine,
            servers,
            cloudpods,
            drift,
            authority: authority.clone(),
            tasks: tasks.clone(),
            shutdown: shutdown.clone(),
        });
        let bound = server::Server::bind(server::Parts {
            listen: config.listen,
            tls,
            trust_domain: authority.trust_domain().to_owned(),
            handshake_timeout: config.handshake_timeout,
            max_sessions: config.max_sessions,
            enrolment,
            relay: relay::Relay::new(relays.clone(), tasks.clone(), shutdown.clone()),
            plane: plane::Plane::new(relays, instance, tasks.clone(), shutdown.clone()),
            sessions,
            tasks,
            shutdown,
        });
        bound.await.map(Self)
    }

    /// Where it listens.
    pub fn local_address(&self) -> Result<SocketAddr> {
        self.0.local_address()
    }

    /// Serves until shutdown; returns when every connection, session and call has ended.
    pub async fn run(self) {
        self.0.run().await;
    }
}

/// An error as the agent gets it; what only the log may hold goes there.
fn status_of(error: &Error) -> Status {
    let text = error.to_string();
    match error {
        Error::Malformed(_) | Error::Invalid(_) | Error::TooLarge { .. } => Status::invalid_argument(text),
        Error::Unauthorized(_) => Status::unauthenticated(text),
        Error::Forbidden(_) => Status::permission_denied(text),
        Error::NotFound { .. } => Status::not_found(text),
        Error::Conflict { .. } | Error::Stale | Error::Retry { .. } => Status::failed_precondition(text),
        Error::TooMany { .. } | Error::NoCapacity(_) | Error::NoAddresses(_) => Status::resource_exhausted(text),
        Error::Unavailable { .. } => Status::unavailable(text),
        Error::Internal(source) => {
            tracing::error!(%source, "an agent's request failed");
            Status::internal(text)
        }
    }
}

//! The agents that are connected to this process, one session per server, and the ways to them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use proto::agent::v1 as wire;
use proto::agent::v1::agent_message::Body;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio_util::sync::CancellationToken;

use super::ask::{Answers, Replies, Request};
use super::convert;
use crate::clock::{Clock, Ms};
use crate::domain::cluster::{To, service::Service as Cluster};
use crate::domain::jobs::command::NotConnected;
use crate::domain::jobs::{AgentPort, Order};
use crate::domain::servers::{CloseReason, ProbeReport, ProbeSpec, Prober, Sessions};
use crate::ids::{CommandId, ServerId};

/// Why a session ends from this side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum EndReason {
    /// A newer session of the same server exists.
    Superseded,
    /// Its certificate counts no more.
    Revoked,
    /// Its agent let its certificate expire.
    Expired,
    /// It did not take what it was sent.
    Overflow,
}

/// Ends a session from anywhere; the first reason counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Ending {
    reason: Arc<OnceLock<EndReason>>,
    token: CancellationToken,
}

impl Ending {
    pub(super) fn end(&self, reason: EndReason) {
        if self.reason.set(reason).is_ok() {
            self.token.cancel();
        }
    }

    /// Waits for the end and says why.
    pub(super) async fn ended(&self) -> EndReason {
        self.token.cancelled().await;
        // The reason is set before the token is cancelled.
        self.reason.get().cloned().unwrap_or(EndReason::Superseded)
    }
}

/// A session as the hub knows it.
#[derive(Clone, Debug)]
pub(super) struct Live {
    pub(super) epoch: u64,
    /// When the agent's newest certificate ends.
    pub(super) not_after: Ms,
    pub(super) queue: mpsc::Sender<wire::ControlMessage>,
    pub(super) ending: Ending,
    /// The questions that wait for the agent's answers.
    pub(super) answers: Answers,
    /// What was declared lost with its host is fenced: it may be given orders.
    pub(super) ready: Arc<AtomicBool>,
}

impl Live {
    /// Puts a message on the way. A full queue ends the session, so that nothing is lost within a living one.
    pub(super) fn send(&self, message: wire::ControlMessage) -> Result<(), NotConnected> {
        match self.queue.try_send(message) {
            Ok(()) => {
                metrics::counter!("mpanel_agent_messages_total", "direction" => "out").increment(1);
                Ok(())
            }
            Err(TrySendError::Full(_)) => {
                self.ending.end(EndReason::Overflow);
                Err(NotConnected)
            }
            Err(TrySendError::Closed(_)) => Err(NotConnected),
        }
    }
}

/// The agents that are connected to this process.
pub struct SessionHub {
    sessions: Mutex<HashMap<ServerId, Live>>,
    nonce: AtomicU64,
    clock: Clock,
    /// The other control planes, which hold sessions too; `None`: there are none.
    pub(super) cluster: Option<Arc<Cluster>>,
}

impl SessionHub {
    /// A hub without sessions, of the only control plane.
    #[must_use]
    pub fn new(clock: Clock) -> Arc<Self> {
        Arc::new(Self { sessions: Mutex::default(), nonce: AtomicU64::new(1), clock, cluster: None })
    }

    /// A hub without sessions that reaches, through `cluster`, those of the other control planes.
    #[must_use]
    pub fn among(clock: Clock, cluster: Arc<Cluster>) -> Arc<Self> {
        // Numbers that another control plane does not use at the same time: it may ask through a session of this one.
        let mut random = [0; 8];
        let first = getrandom::fill(&mut random).map_or(1, |()| u64::from_ne_bytes(random));
        let cluster = (!cluster.is_alone()).then_some(cluster);
        Arc::new(Self { sessions: Mutex::default(), nonce: AtomicU64::new(first), clock, cluster })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ServerId, Live>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time, for the deadline of a question.
    pub(super) fn now(&self) -> Ms {
        self.clock.now()
    }

    /// A number that no other ping or question has.
    pub(super) fn nonce(&self) -> u64 {
        self.nonce.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn get(&self, server: ServerId) -> Option<Live> {
        self.lock().get(&server).cloned()
    }

    /// The session of a server that may be given orders.
    pub(super) fn ready(&self, server: ServerId) -> Option<Live> {
        self.get(server).filter(|live| live.ready.load(Ordering::Acquire))
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// The servers whose agents' certificates, as far as this process knows, have expired.
    pub(crate) fn expired(&self, now: Ms) -> Vec<ServerId> {
        self.lock().iter().filter(|(_, live)| live.not_after <= now).map(|(server, _)| *server).collect()
    }

    /// Ends the session of a server's agent that let its certificate expire.
    pub(crate) fn expired_end(&self, server: ServerId) {
        if let Some(live) = self.get(server) {
            live.ending.end(EndReason::Expired);
        }
    }

    /// Enters a session and closes the older one of the same server. `false`: there is a newer one already.
    pub(super) fn enter(&self, server: ServerId, live: Live) -> bool {
        let mut sessions = self.lock();
        if sessions.get(&server).is_some_and(|newer| newer.epoch > live.epoch) {
            return false;
        }
        if let Some(older) = sessions.insert(server, live) {
            older.ending.end(EndReason::Superseded);
        }
        metrics::gauge!("mpanel_agent_sessions").set(sessions.len() as f64);
        true
    }

    /// Takes a session out, if it is still the one of that epoch.
    pub(super) fn leave(&self, server: ServerId, epoch: u64) -> bool {
        let mut sessions = self.lock();
        let left = sessions.get(&server).is_some_and(|live| live.epoch == epoch);
        if left {
            sessions.remove(&server);
            metrics::gauge!("mpanel_agent_sessions").set(sessions.len() as f64);
        }
        left
    }

    /// The agent of that server has a newer certificate.
    pub(crate) fn renewed(&self, server: ServerId, not_after: Ms) {
        if let Some(live) = self.lock().get_mut(&server) {
            live.not_after = live.not_after.max(not_after);
        }
    }
}

impl AgentPort for SessionHub {
    fn send(&self, order: Order) -> Result<(), NotConnected> {
        let live = self.ready(order.command.server).ok_or(NotConnected)?;
        live.send(convert::run(order))
    }

    fn cancel(&self, server: ServerId, command: CommandId, epoch: u64) -> Result<(), NotConnected> {
        self.ready(server).ok_or(NotConnected)?.send(convert::cancel(command, epoch))
    }

    fn cancel_elsewhere(&self, server: ServerId, command: CommandId, epoch: u64) {
        if let Some(cluster) = &self.cluster {
            cluster.post(server, To::Holder, Request::tell(&convert::cancel(command, epoch)).to_value());
        }
    }

    fn connected(&self) -> Vec<ServerId> {
        let sessions = self.lock();
        let ready = sessions.iter().filter(|(_, live)| live.ready.load(Ordering::Acquire));
        ready.map(|(server, _)| *server).collect()
    }
}

impl Sessions for SessionHub {
    fn close(&self, server: ServerId, reason: CloseReason) {
        let is_meant = |live: &Live| match reason {
            CloseReason::Revoked => true,
            CloseReason::Superseded { epoch } => live.epoch == epoch,
        };
        if let Some(live) = self.get(server).filter(is_meant) {
            live.ending.end(reason.into());
        }
        // Whose session was superseded knows it from the database; a revocation is to end it wherever it is.
        if let (Some(cluster), CloseReason::Revoked) = (&self.cluster, reason) {
            cluster.post(server, To::Others, Request::Close.to_value());
        }
    }
}

impl From<CloseReason> for EndReason {
    fn from(reason: CloseReason) -> Self {
        match reason {
            CloseReason::Revoked => Self::Revoked,
            CloseReason::Superseded { epoch: _ } => Self::Superseded,
        }
    }
}

#[async_trait]
impl Prober for SessionHub {
    async fn probe(&self, server: ServerId, spec: ProbeSpec, within: Duration) -> Result<ProbeReport, NotConnected> {
        let deadline = self.clock.now().plus(within);
        let replies = self.ask(server, |nonce| convert::probe(nonce, spec, deadline), within).await?;
        let Replies { bodies, first_after, complete } = replies;
        let mut report =
            ProbeReport { round_trip: first_after.unwrap_or_default(), complete, ..ProbeReport::default() };
        for body in bodies {
            let Body::ProbeResult(wire::ProbeResult { nonce: _, checks, clock_ms, partial: _ }) = body else {
                continue;
            };
            report.clock = report.clock.or(Some(Ms(clock_ms)));
            report.checks.extend(checks.into_iter().map(convert::check));
        }
        Ok(report)
    }
}

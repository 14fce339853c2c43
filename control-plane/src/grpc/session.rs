//! One session: from an agent's hello until either side is gone. One task each; whatever it reads is bounded by the stream's
//! flow control, whatever it stores and writes by their queues.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use proto::agent::v1 as wire;
use proto::agent::v1::agent_message::Body;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc, oneshot};
use tokio::time::{MissedTickBehavior, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};

use super::ask::Answers;
use super::ca::{Authority, Issued, SigningRequest};
use super::closing::{Close, negotiate, protocol};
use super::convert;
use super::hub::{EndReason, Ending, Live, SessionHub};
use super::identity::{Identity, Peer};
use super::intake::{Intake, REPORTS_MAX, Report, tolerate};
use super::limits::Attempts;
use super::outbound::{Farewell, Outbound};
use super::{Config, fence, status_of};
use crate::clock::{Clock, Stopwatch};
use crate::db::Db;
use crate::domain::cloudpods::service::Service as CloudPods;
use crate::domain::drift::service::Service as Drift;
use crate::domain::jobs::engine::Engine;
use crate::domain::servers::{Admission, Hello, service::Service as Servers};
use crate::error::{Error, Result};
use crate::ids::{InstanceId, ServerId};

/// Messages to one agent that may wait to be sent.
const QUEUE_MAX: usize = 1024;
/// How long an agent waits for its turn to open a session before it is told to come back.
const ADMISSION_TIME_MAX: Duration = Duration::from_secs(5);
/// So many intervals without a heartbeat, and the session is lost.
const SILENT_INTERVALS_MAX: u32 = 3;
/// How long a session may go on after it said GoAway at shutdown, to take in what is on the way.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);
/// How long an agent may take to read the last words of its session before its connection is cut.
const FAREWELL_TIME_MAX: Duration = Duration::from_secs(2);
/// Certificates that one agent may have issued within [`RENEWALS_WINDOW`].
const RENEWALS_MAX: u32 = 10;
const RENEWALS_WINDOW: Duration = Duration::from_mins(1);

/// Sessions that one agent may open within [`OPENINGS_WINDOW`]: two hosts with one identity push each other out without end.
const OPENINGS_MAX: u32 = 30;
const OPENINGS_WINDOW: Duration = Duration::from_mins(1);

/// The service `Agent`.
#[derive(Clone)]
pub(super) struct Sessions(Arc<Context>);

/// What every session needs.
pub(super) struct Context {
    pub(super) config: Config,
    pub(super) db: Db,
    pub(super) clock: Clock,
    pub(super) instance: InstanceId,
    pub(super) hub: Arc<SessionHub>,
    pub(super) engine: Engine,
    pub(super) servers: Arc<Servers>,
    pub(super) cloudpods: Arc<CloudPods>,
    pub(super) drift: Arc<Drift>,
    pub(super) authority: Arc<Authority>,
    pub(super) tasks: TaskTracker,
    pub(super) shutdown: CancellationToken,
    opening: Semaphore,
    openings: Attempts<ServerId>,
    renewals: Attempts<ServerId>,
}

/// Everything of [`Context`] that comes from outside.
pub(super) struct Parts {
    pub(super) config: Config,
    pub(super) db: Db,
    pub(super) clock: Clock,
    pub(super) instance: InstanceId,
    pub(super) hub: Arc<SessionHub>,
    pub(super) engine: Engine,
    pub(super) servers: Arc<Servers>,
    pub(super) cloudpods: Arc<CloudPods>,
    pub(super) drift: Arc<Drift>,
    pub(super) authority: Arc<Authority>,
    pub(super) tasks: TaskTracker,
    pub(super) shutdown: CancellationToken,
}

impl Sessions {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { config, db, clock, instance, hub, engine, servers, cloudpods, drift, authority, tasks, shutdown } =
            parts;
        let opening = Semaphore::new(config.max_opening.min(Semaphore::MAX_PERMITS));
        let openings = Attempts::new(OPENINGS_MAX, OPENINGS_WINDOW, config.max_sessions);
        let renewals = Attempts::new(RENEWALS_MAX, RENEWALS_WINDOW, config.max_sessions);
        Self(Arc::new(Context {
            config,
            db,
            clock,
            instance,
            hub,
            engine,
            servers,
            cloudpods,
            drift,
            authority,
            tasks,
            shutdown,
            opening,
            openings,
            renewals,
        }))
    }
}

fn identity_in<T>(request: &Request<T>) -> Result<Identity, Status> {
    let identity = request.extensions().get::<Identity>();
    identity.cloned().ok_or_else(|| Status::unauthenticated("show the agent's certificate"))
}

#[tonic::async_trait]
impl wire::agent_server::Agent for Sessions {
    type SessionStream = Outbound;

    async fn session(&self, request: Request<Streaming<wire::AgentMessage>>) -> Result<Response<Outbound>, Status> {
        let identity = identity_in(&request)?;
        let cut = request.extensions().get::<Peer>().map(|peer| peer.cut.clone()).unwrap_or_default();
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        let (farewell, said) = oneshot::channel();
        let session = Session { context: self.0.clone(), identity, inbound: request.into_inner(), queue, ping: None };
        self.0.tasks.spawn(session.run(farewell, cut));
        Ok(Response::new(Outbound::new(waiting, said)))
    }

    async fn renew(&self, request: Request<wire::RenewRequest>) -> Result<Response<wire::RenewResponse>, Status> {
        let identity = identity_in(&request)?;
        let wire::RenewRequest { csr_der } = request.into_inner();
        let renewed = self.0.renew(&identity, &csr_der).await;
        let outcome = if renewed.is_ok() { "renewed" } else { "refused" };
        metrics::counter!("mpanel_agent_renewals_total", "outcome" => outcome).increment(1);
        renewed.map(Response::new).map_err(|error| {
            tracing::warn!(server = %identity.server, %error, "a certificate was not renewed");
            status_of(&error)
        })
    }
}

impl Context {
    async fn renew(&self, identity: &Identity, csr_der: &[u8]) -> Result<wire::RenewResponse> {
        let now = self.clock.now();
        let csr = SigningRequest::parse(csr_der)?;
        if let Some(retry_after) = self.renewals.wait(&identity.server, now) {
            return Err(Error::TooMany { retry_after });
        }
        self.renewals.note(identity.server, now);
        let mut tx = self.db.begin().await?;
        if !self.certificate_counts(&mut tx.conn(), identity).await? {
            return Err(Error::Unauthorized(
                "this certificate counts no more: enrol again with a new join token".into(),
            ));
        }
        let Issued { certificate, serial, not_after } = self.authority.issue_to_agent(&csr, identity.server, now)?;
        self.servers.certificate_record(&mut tx, identity.server, &serial, not_after).await?;
        tx.commit().await?;
        self.hub.renewed(identity.server, not_after);
        tracing::info!(server = %identity.server, serial, "certificate renewed");
        Ok(wire::RenewResponse {
            certificate_der: certificate.to_vec().into(),
            ca_der: self.authority.certificate().to_vec().into(),
            not_after_ms: not_after.0,
        })
    }

    /// Waits for the turn to open a session.
    async fn turn(&self, server: ServerId) -> Result<SemaphorePermit<'_>, Close> {
        let now = self.clock.now();
        if let Some(wait) = self.openings.wait(&server, now) {
            let text = format!("too many sessions of this server were opened; come back in {} s", wait.as_secs() + 1);
            return Err(Close::status("restless", Status::resource_exhausted(text)));
        }
        self.openings.note(server, now);
        let turn = tokio::select! {
            () = self.shutdown.cancelled() => return Err(Close::shutdown(self.reconnect_after_ms())),
            turn = timeout(ADMISSION_TIME_MAX, self.opening.acquire()) => turn,
        };
        match turn {
            Ok(Ok(turn)) if self.hub.len() < self.config.max_sessions => Ok(turn),
            _ => {
                let text = "too many sessions are open or opening; come back in a few seconds";
                Err(Close::status("shed", Status::unavailable(text)))
            }
        }
    }

    async fn certificate_counts(&self, conn: &mut crate::db::Conn<'_>, identity: &Identity) -> Result<bool> {
        if identity.not_after <= self.clock.now() {
            return Ok(false);
        }
        self.servers.certificate_is_valid(conn.again(), &identity.serial, identity.server).await
    }

    /// When an agent shall come back after a shutdown: all of them spread over as long as it takes to let them in.
    fn reconnect_after_ms(&self) -> u64 {
        let spread_ms = (self.hub.len() as u64 * 2).clamp(1_000, 60_000);
        let mut random = [0; 8];
        // Without randomness they all come at the end of the spread, and admission holds them back.
        match getrandom::fill(&mut random) {
            Ok(()) => u64::from_ne_bytes(random) % spread_ms,
            Err(_) => spread_ms,
        }
    }
}

/// The session of one agent.
struct Session {
    context: Arc<Context>,
    identity: Identity,
    inbound: Streaming<wire::AgentMessage>,
    queue: mpsc::Sender<wire::ControlMessage>,
    ping: Option<(u64, Stopwatch)>,
}

impl Session {
    async fn run(mut self, farewell: oneshot::Sender<Farewell>, cut: CancellationToken) {
        let server = self.identity.server;
        let close = match self.open().await {
            Ok(live) => {
                tracing::info!(%server, epoch = live.epoch, "session opened");
                let close = self.serve(&live).await;
                self.ended(&live).await;
                close
            }
            Err(close) => close,
        };
        let Close { label, farewell: words } = close;
        let (go_away, status) = (&words.go_away, &words.status);
        tracing::info!(%server, reason = label, ?go_away, ?status, "session ended");
        metrics::counter!("mpanel_agent_sessions_ended_total", "reason" => label).increment(1);
        // An agent that is gone hears no farewell.
        if farewell.send(words).is_ok() && timeout(FAREWELL_TIME_MAX, self.queue.closed()).await.is_err() {
            cut.cancel();
        }
    }

    /// Lets the agent in: its turn, its hello, its identity, its epoch.
    async fn open(&mut self) -> Result<Live, Close> {
        let context = self.context.clone();
        let opening = tokio::select! {
            () = context.shutdown.cancelled() => return Err(Close::shutdown(context.reconnect_after_ms())),
            hello = timeout(context.config.handshake_timeout, self.inbound.message()) => opening_of(hello)?,
        };
        let Some(protocol) = negotiate(&opening.protocol, &protocol()) else {
            return Err(Close::no_common_protocol(&opening.protocol));
        };
        // Only now: whoever says nothing takes nobody's turn.
        let _turn = context.turn(self.identity.server).await?;
        let live = self.enter(&opening.hello, protocol).await?;
        if let Err(error) = fence::begin(&context, self.identity.server, &live).await {
            self.ended(&live).await;
            return Err(Close::error(&error));
        }
        tracing::debug!(server = %self.identity.server, open = opening.open, finished = opening.finished, "agent's ledger");
        Ok(live)
    }

    /// Makes this the server's session, welcomes the agent, and closes an older session.
    async fn enter(&self, hello: &Hello, protocol: u32) -> Result<Live, Close> {
        let server = self.identity.server;
        let epoch = self.epoch_take(hello).await?;
        let live = Live {
            epoch,
            not_after: self.identity.not_after,
            queue: self.queue.clone(),
            ending: Ending::default(),
            answers: Answers::default(),
            ready: Arc::default(),
        };
        let config = &self.context.config;
        let welcome = wire::Welcome {
            session_epoch: epoch,
            protocol,
            heartbeat_ms: millis(config.heartbeat_interval),
            inventory_ms: millis(config.inventory_interval),
            clock_ms: self.context.clock.now().0,
            renew_after_ms: 0,
            traffic_ms: millis(config.traffic_interval),
        };
        // Before anybody else can send: the welcome is the first message.
        let welcomed = live.send(convert::message(wire::control_message::Body::Welcome(welcome)));
        if welcomed.is_err() {
            self.context.close_stored(server, epoch).await;
            return Err(Close::gone("disconnected"));
        }
        if !self.context.hub.enter(server, live.clone()) {
            return Err(EndReason::Superseded.into());
        }
        Ok(live)
    }

    async fn epoch_take(&self, hello: &Hello) -> Result<u64, Close> {
        let (context, identity) = (&self.context, &self.identity);
        let failed = |error: &Error| match error {
            Error::NotFound { .. } => Close::revoked(),
            other => Close::error(other),
        };
        let mut read = context.db.read().await.map_err(|e| failed(&e))?;
        if !context.certificate_counts(&mut read.conn(), identity).await.map_err(|e| failed(&e))? {
            return Err(Close::revoked());
        }
        drop(read);
        let mut tx = context.db.begin().await.map_err(|e| failed(&e))?;
        let opened = context.servers.session_open(&mut tx, identity.server, hello, context.instance).await;
        let epoch = match opened.map_err(|e| failed(&e))? {
            Admission::Opened(epoch) => epoch,
            Admission::OtherMachine(text) => {
                tx.commit().await.map_err(|e| failed(&e))?;
                return Err(Close::other_machine(text));
            }
        };
        // Again, now that the server's row is held: a revocation either is seen here, or comes after and closes this epoch.
        let counts = context.certificate_counts(&mut tx.conn(), identity).await;
        let stored = match counts {
            Ok(true) => tx.commit().await.map_err(|e| failed(&e)),
            Ok(false) => Err(Close::revoked()),
            Err(error) => Err(failed(&error)),
        };
        if let Err(close) = stored {
            context.close_stored(identity.server, epoch).await;
            return Err(close);
        }
        Ok(epoch)
    }

    /// Takes messages in until the session ends.
    async fn serve(&mut self, live: &Live) -> Close {
        let (reports, queue) = mpsc::channel(REPORTS_MAX);
        let intake = Intake { context: self.context.clone(), server: self.identity.server, live };
        let mut storing = pin!(intake.run(queue));
        let close = tokio::select! {
            biased;
            reason = live.ending.ended() => return reason.into(),
            // It ends by itself only where the session has to: the sender is here.
            Err(close) = &mut storing => return close,
            close = self.read(live, &reports) => close,
        };
        drop(reports);
        tokio::select! {
            biased;
            reason = live.ending.ended() => reason.into(),
            // What came before the end counts; what is not stored by then is told again.
            stored = timeout(DRAIN_TIME_MAX, storing) => match stored {
                Ok(Err(error)) => error,
                Ok(Ok(())) | Err(_) => close,
            },
        }
    }

    /// Reads until the agent is gone or silent, or this control plane ends.
    async fn read(&mut self, live: &Live, reports: &mpsc::Sender<Box<Report>>) -> Close {
        let context = self.context.clone();
        let mut ticks = tokio::time::interval(context.config.heartbeat_interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.reset();
        let mut silent = 0;
        loop {
            tokio::select! {
                biased;
                () = context.shutdown.cancelled() => return self.drain(live, reports).await,
                next = self.next(reports) => match self.take(live, next).await {
                    Ok(heartbeat) => silent = if heartbeat { 0 } else { silent },
                    Err(close) => return close,
                },
                () = live.queue.closed() => return Close::gone("disconnected"),
                _ = ticks.tick() => {
                    // Who is not read is not silent.
                    silent = if reports.capacity() == 0 { 0 } else { silent + 1 };
                    if silent > SILENT_INTERVALS_MAX {
                        let text = format!("no heartbeat for {SILENT_INTERVALS_MAX} intervals");
                        return Close::status("silent", Status::deadline_exceeded(text));
                    }
                    let nonce = context.hub.nonce();
                    self.ping = Some((nonce, Stopwatch::start()));
                    // A full queue ends the session by itself.
                    let _sent = live.send(convert::ping(nonce));
                }
            }
        }
    }

    /// At shutdown: nothing new goes out, what is on the way comes in.
    async fn drain(&mut self, live: &Live, reports: &mpsc::Sender<Box<Report>>) -> Close {
        let context = self.context.clone();
        let closing = Close::shutdown(context.reconnect_after_ms());
        context.hub.leave(self.identity.server, live.epoch);
        if let Some(go_away) = closing.farewell.go_away.clone() {
            let _sent = live.send(convert::message(wire::control_message::Body::GoAway(go_away)));
        }
        let taken = timeout(DRAIN_TIME_MAX, async {
            loop {
                let next = tokio::select! {
                    () = live.queue.closed() => return Close::gone("shutdown"),
                    next = self.next(reports) => next,
                };
                if let Err(close) = self.take(live, next).await {
                    return close;
                }
            }
        });
        match taken.await {
            Ok(Close { label: _, farewell }) => Close { label: "shutdown", farewell },
            Err(_) => Close::status("shutdown", Status::unavailable("the control plane is shutting down")),
        }
    }

    /// The next message, once there is a place for what it may report. Dropped before its end it has taken nothing.
    async fn next<'a>(&mut self, reports: &'a mpsc::Sender<Box<Report>>) -> Result<Next<'a>, Close> {
        let Ok(place) = reports.reserve().await else { return Err(Close::gone("closed")) };
        match self.inbound.message().await {
            Ok(Some(message)) => Ok((place, message)),
            Ok(None) => Err(Close::gone("closed")),
            Err(status) => Err(Close::unreadable(status)),
        }
    }

    /// Takes one message in; says whether it was a heartbeat.
    async fn take(&mut self, live: &Live, next: Result<Next<'_>, Close>) -> Result<bool, Close> {
        let (place, message) = next?;
        metrics::counter!("mpanel_agent_messages_total", "direction" => "in").increment(1);
        let (context, server) = (&self.context, self.identity.server);
        match message.body {
            Some(Body::Heartbeat(heartbeat)) => {
                let heartbeat = convert::heartbeat(heartbeat);
                let stored = context.servers.heartbeat_record(server, live.epoch, heartbeat).await;
                tolerate("heartbeat", server, stored);
                return Ok(true);
            }
            // The order is known to have arrived once it reports progress or its result; the engine repeats it otherwise.
            Some(Body::Accepted(accepted)) => {
                tracing::debug!(%server, command = accepted.command_id, epoch = accepted.epoch, "command accepted");
            }
            Some(Body::Pong(wire::Pong { nonce, clock_ms: _ })) => {
                if let Some((_, watch)) = self.ping.take_if(|(asked, _)| *asked == nonce) {
                    metrics::histogram!("mpanel_agent_round_trip_seconds").record(watch.elapsed().as_secs_f64());
                }
            }
            Some(answer @ (Body::ProbeResult(_) | Body::FenceResult(_) | Body::QueryResult(_))) => {
                live.answers.take(answer);
            }
            Some(Body::Hello(_)) => {
                return Err(Close::status(
                    "protocol",
                    Status::invalid_argument("hello: only the first message is a hello"),
                ));
            }
            Some(Body::Inventory(inventory)) => place.send(Box::new(Report::Inventory(inventory))),
            Some(Body::Progress(progress)) => place.send(Box::new(Report::Progress(progress))),
            Some(Body::Result(result)) => place.send(Box::new(Report::Result(result))),
            Some(Body::Traffic(traffic)) => place.send(Box::new(Report::Traffic(traffic))),
            // A kind of a newer agent.
            None => {
                metrics::counter!("mpanel_agent_messages_unknown_total").increment(1);
            }
        }
        Ok(false)
    }

    /// Afterwards: what is out at this agent waits for it, and its server is offline, unless a newer session has begun.
    async fn ended(&self, live: &Live) {
        let (context, server) = (&self.context, self.identity.server);
        // At shutdown the sessions are not written down one by one: agents are back at once, here or elsewhere, and those
        // that are not fall silent.
        if context.hub.leave(server, live.epoch) {
            tolerate("end of the session", server, context.engine.session_ended(server).await);
            context.close_stored(server, live.epoch).await;
        }
    }
}

impl Context {
    async fn close_stored(&self, server: ServerId, epoch: u64) {
        // Otherwise the health loop finds that the server is silent.
        tolerate("end of the session", server, self.servers.session_close(server, epoch).await);
    }
}

/// A message, and the place for what it reports.
type Next<'a> = (mpsc::Permit<'a, Box<Report>>, wire::AgentMessage);
type Received = Result<Result<Option<wire::AgentMessage>, Status>, tokio::time::error::Elapsed>;

fn opening_of(hello: Received) -> Result<convert::Opening, Close> {
    match hello {
        Ok(Ok(Some(wire::AgentMessage { body: Some(Body::Hello(hello)) }))) => Ok(convert::opening(hello)),
        Ok(Ok(Some(_))) => {
            Err(Close::status("protocol", Status::invalid_argument("the first message of a session must be hello")))
        }
        Ok(Ok(None)) => Err(Close::gone("closed")),
        Ok(Err(status)) => Err(Close::unreadable(status)),
        Err(_) => Err(Close::status("silent", Status::deadline_exceeded("no hello in time"))),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

//! The agents' listener: accepts, shakes hands, and serves HTTP/2, with a bound on everything that a peer can take.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use proto::agent::v1::agent_server::AgentServer;
use proto::agent::v1::enrolment_server::EnrolmentServer;
use proto::agent::v1::relay_server::RelayServer;
use proto::plane::v1::plane_server::PlaneServer;
use rustls::server::Acceptor;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::Status;
use tonic::codegen::Service as _;

use super::enrolment::Enrolment;
use super::identity::{Peer, Who, who_of};
use super::limits::{Place, Places};
use super::plane::Plane;
use super::relay::Relay;
use super::session::Sessions;
use crate::error::{Error, Result};
use crate::ids::ServerId;

/// The largest message of an agent: an inventory of a few thousand VMs.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// The largest frame of a console: what Proxmox's websocket gives in one message.
pub(super) const FRAME_BYTES_MAX: usize = 256 * 1024;
/// Connections that are not through with their handshake: as many as come when all agents of a large platform are back at once.
/// More than that push the oldest out.
const HANDSHAKES_MAX: usize = 10_240;
/// Handshakes that are worked on at once. Were it all of a crowd, each would take as long as all together, and time out.
const TURNS_MAX: usize = 256;
/// Who takes longer lets the next one begin: it is its peer that it waits for.
const TURN_TIME_MAX: Duration = Duration::from_secs(1);
/// Connections without a certificate, which can only enrol. More than that push the oldest out.
const STRANGERS_MAX: usize = 256;
/// How long a connection without a certificate may last.
const STRANGER_TIME_MAX: Duration = Duration::from_secs(30);
/// Connections of one server's agent: one, and those that are being given up.
const CONNECTIONS_PER_SERVER_MAX: u32 = 16;
/// Connections of other control planes: each is one console.
const PLANE_CONNECTIONS_MAX: usize = 512;
/// How long a call may take until its answer begins.
const CALL_TIME_MAX: Duration = Duration::from_secs(30);
/// How long connections may take to end at shutdown.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(10);
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// The listener, bound and not yet accepting.
pub(super) struct Server {
    listener: TcpListener,
    shared: Arc<Shared>,
}

struct Shared {
    tls: Arc<rustls::ServerConfig>,
    trust_domain: String,
    handshake_timeout: Duration,
    handshakes: Arc<Places>,
    turns: Semaphore,
    strangers: Arc<Places>,
    agents: Arc<Semaphore>,
    planes: Semaphore,
    per_server: Arc<Mutex<HashMap<ServerId, u32>>>,
    enrolment: EnrolmentServer<Enrolment>,
    agent: AgentServer<Sessions>,
    relay: RelayServer<Relay>,
    plane: PlaneServer<Plane>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

/// What the listener is made of.
pub(super) struct Parts {
    pub(super) listen: SocketAddr,
    pub(super) tls: Arc<rustls::ServerConfig>,
    pub(super) trust_domain: String,
    pub(super) handshake_timeout: Duration,
    pub(super) max_sessions: usize,
    pub(super) enrolment: Enrolment,
    pub(super) sessions: Sessions,
    pub(super) relay: Relay,
    pub(super) plane: Plane,
    pub(super) tasks: TaskTracker,
    pub(super) shutdown: CancellationToken,
}

impl Server {
    pub(super) async fn bind(parts: Parts) -> Result<Self> {
        let Parts {
            listen,
            tls,
            trust_domain,
            handshake_timeout,
            max_sessions,
            enrolment,
            sessions,
            relay,
            plane,
            tasks,
            shutdown,
        } = parts;
        let listener = TcpListener::bind(listen)
            .await
            .map_err(|error| Error::invalid("agents.listen", format!("cannot listen on {listen}: {error}")))?;
        let shared = Shared {
            tls,
            trust_domain,
            handshake_timeout,
            handshakes: Places::new(HANDSHAKES_MAX),
            turns: Semaphore::new(TURNS_MAX),
            strangers: Places::new(STRANGERS_MAX),
            // Beside each session there may be a connection that renews, or one that is just being replaced.
            agents: Arc::new(Semaphore::new(max_sessions.saturating_mul(2).min(Semaphore::MAX_PERMITS))),
            planes: Semaphore::new(PLANE_CONNECTIONS_MAX),
            per_server: Arc::default(),
            enrolment: EnrolmentServer::new(enrolment).max_decoding_message_size(MESSAGE_BYTES_MAX),
            agent: AgentServer::new(sessions).max_decoding_message_size(MESSAGE_BYTES_MAX),
            relay: RelayServer::new(relay).max_decoding_message_size(FRAME_BYTES_MAX),
            plane: PlaneServer::new(plane).max_decoding_message_size(FRAME_BYTES_MAX),
            tasks,
            shutdown,
        };
        Ok(Self { listener, shared: Arc::new(shared) })
    }

    pub(super) fn local_address(&self) -> Result<SocketAddr> {
        self.listener.local_addr().map_err(Error::internal)
    }

    /// Accepts until shutdown, then waits for every connection and session to end.
    pub(super) async fn run(self) {
        let Self { listener, shared } = self;
        loop {
            let accepted = tokio::select! {
                () = shared.shutdown.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => {
                    let place = shared.handshakes.take();
                    shared.tasks.spawn(shared.clone().connection(stream, address.ip().to_canonical(), place));
                }
                Err(error) => {
                    // Out of file descriptors, most likely: give connections the time to end.
                    tracing::warn!(%error, "cannot accept an agent's connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        drop(listener);
        shared.tasks.close();
        shared.tasks.wait().await;
    }
}

impl Shared {
    async fn connection(self: Arc<Self>, stream: TcpStream, address: IpAddr, place: Place) {
        let stream = match self.handshake(stream, &place).await {
            Ok(stream) => stream,
            Err(reason) => return refused(address, reason),
        };
        drop(place);
        let who = match stream.get_ref().1.peer_certificates().and_then(<[_]>::first) {
            None => Who::Stranger,
            Some(certificate) => match who_of(certificate, &self.trust_domain) {
                Ok(who) => who,
                Err(error) => {
                    tracing::warn!(%address, error, "a certificate of our CA names no server of ours");
                    return refused(address, "identity");
                }
            },
        };
        let peer = Peer { address, who: who.clone(), cut: CancellationToken::new() };
        match who {
            Who::Agent(identity) => {
                let Some(_seat) = self.seat(identity.server) else { return refused(address, "full") };
                self.serve(stream, peer).await;
            }
            Who::Plane(_) => {
                let Ok(_seat) = self.planes.try_acquire() else { return refused(address, "full") };
                self.serve(stream, peer).await;
            }
            Who::Stranger => {
                let place = self.strangers.take();
                tokio::select! {
                    () = place.lost() => refused(address, "strangers"),
                    () = tokio::time::sleep(STRANGER_TIME_MAX) => {}
                    () = self.serve(stream, peer) => {}
                }
            }
        }
    }

    async fn handshake(&self, stream: TcpStream, place: &Place) -> Result<TlsStream<TcpStream>, &'static str> {
        // Without this a small message may wait 40 ms for company. A socket that cannot is dead; the handshake will tell.
        stream.set_nodelay(true).map_err(|_| "disconnected")?;
        tokio::select! {
            () = self.shutdown.cancelled() => Err("shutdown"),
            () = place.lost() => Err("crowded"),
            done = self.shake_hands(stream) => done,
        }
    }

    async fn shake_hands(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, &'static str> {
        let failed = |error: std::io::Error| handshake_error(&error);
        // Reading it costs next to nothing: whoever says nothing, or not all of it, takes nobody's turn.
        let hello = timeout(self.handshake_timeout, LazyConfigAcceptor::new(Acceptor::default(), stream)).await;
        let hello = hello.map_err(|_| "timeout")?.map_err(failed)?;
        let turn = self.turns.acquire().await;
        let rest = timeout(self.handshake_timeout, hello.into_stream(self.tls.clone()));
        let mut rest = std::pin::pin!(rest);
        let done = if let Ok(done) = timeout(TURN_TIME_MAX, rest.as_mut()).await {
            done
        } else {
            drop(turn);
            rest.await
        };
        done.map_err(|_| "timeout")?.map_err(failed)
    }

    /// A seat among the connections of agents; `None` when there is none.
    fn seat(&self, server: ServerId) -> Option<Seat> {
        let permit = self.agents.clone().try_acquire_owned().ok()?;
        let mut per_server = self.per_server.lock().unwrap_or_else(PoisonError::into_inner);
        let count = per_server.entry(server).or_default();
        if *count >= CONNECTIONS_PER_SERVER_MAX {
            return None;
        }
        *count += 1;
        Some(Seat { server, per_server: self.per_server.clone(), _permit: permit })
    }

    async fn serve(&self, stream: TlsStream<TcpStream>, peer: Peer) {
        let cut = peer.cut.clone();
        let services = Services {
            enrolment: self.enrolment.clone(),
            agent: self.agent.clone(),
            relay: self.relay.clone(),
            plane: self.plane.clone(),
        };
        let service = service_fn(move |request| call(services.clone(), peer.clone(), request));
        let connection = http2_settings(self.tasks.clone()).serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = cut.cancelled() => return,
            () = self.shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                match timeout(DRAIN_TIME_MAX, connection).await {
                    Ok(ended) => ended,
                    Err(_) => return,
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "an agent's connection broke");
        }
    }
}

fn http2_settings(tasks: TaskTracker) -> http2::Builder<Tracked> {
    let mut http2 = http2::Builder::new(Tracked(tasks));
    http2
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .max_concurrent_streams(16)
        .max_header_list_size(16 * 1024)
        .max_frame_size(16 * 1024)
        .initial_stream_window_size(256 * 1024)
        .initial_connection_window_size(512 * 1024)
        .max_send_buf_size(256 * 1024)
        // Streams that a peer opens and resets at once, or breaks the rules on: past so many the connection ends.
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(32);
    http2
}

/// What may be called, each by its own kind of peer.
#[derive(Clone)]
struct Services {
    enrolment: EnrolmentServer<Enrolment>,
    agent: AgentServer<Sessions>,
    relay: RelayServer<Relay>,
    plane: PlaneServer<Plane>,
}

/// One call. All but enrolment need a certificate; the services know their peer from the request's extensions.
async fn call(
    services: Services,
    peer: Peer,
    mut request: http::Request<Incoming>,
) -> Result<http::Response<tonic::body::Body>, Infallible> {
    let Services { mut enrolment, mut agent, mut relay, mut plane } = services;
    let service = request.uri().path().split('/').nth(1).unwrap_or_default();
    let called = match (service, &peer.who) {
        ("mpanel.agent.v1.Enrolment", _) => {
            request.extensions_mut().insert(peer);
            timeout(CALL_TIME_MAX, enrolment.call(request)).await
        }
        ("mpanel.agent.v1.Agent", Who::Agent(identity)) => {
            let identity = identity.clone();
            request.extensions_mut().insert(identity);
            request.extensions_mut().insert(peer);
            timeout(CALL_TIME_MAX, agent.call(request)).await
        }
        ("mpanel.agent.v1.Relay", Who::Agent(identity)) => {
            let identity = identity.clone();
            request.extensions_mut().insert(identity);
            timeout(CALL_TIME_MAX, relay.call(request)).await
        }
        ("mpanel.plane.v1.Plane", Who::Plane(_)) => timeout(CALL_TIME_MAX, plane.call(request)).await,
        ("mpanel.plane.v1.Plane", _) => {
            Ok(Ok(Status::permission_denied("only another control plane may call this").into_http()))
        }
        ("mpanel.agent.v1.Agent" | "mpanel.agent.v1.Relay", _) => {
            let text = "show the agent's certificate; a host without one enrols first: `mpanel-agent enroll`";
            Ok(Ok(Status::unauthenticated(text).into_http()))
        }
        (other, _) => Ok(Ok(Status::unimplemented(format!("no such service: {other}")).into_http())),
    };
    called.unwrap_or_else(|_| Ok(Status::deadline_exceeded("the call took too long").into_http()))
}

/// What one connection of an agent counts for.
struct Seat {
    server: ServerId,
    per_server: Arc<Mutex<HashMap<ServerId, u32>>>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut per_server = self.per_server.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = per_server.get_mut(&self.server) {
            *count -= 1;
            if *count == 0 {
                per_server.remove(&self.server);
            }
        }
    }
}

/// Spawns what hyper needs so that shutdown waits for it.
#[derive(Clone)]
pub(super) struct Tracked(pub(super) TaskTracker);

impl<F> hyper::rt::Executor<F> for Tracked
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}

fn refused(address: IpAddr, reason: &'static str) {
    tracing::debug!(%address, reason, "agent connection refused");
    metrics::counter!("mpanel_agent_connections_refused_total", "reason" => reason).increment(1);
}

/// A label for the metric.
fn handshake_error(error: &std::io::Error) -> &'static str {
    use rustls::{CertificateError, Error as Tls};
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Tls>()) {
        Some(Tls::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. })) => "expired",
        Some(Tls::InvalidCertificate(CertificateError::UnknownIssuer)) => "other_ca",
        Some(Tls::InvalidCertificate(_)) => "certificate",
        Some(Tls::InvalidMessage(_)) => "no_tls",
        Some(_) => "tls",
        None => "disconnected",
    }
}

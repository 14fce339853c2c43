//! Consoles between control planes: the browser comes to one, the agent's session is at another. The one that has the browser
//! connects to the other's listener with a certificate for control planes, so that agents need to reach no more than they do, and
//! old ones work too.
//!
//! ```text
//! browser ──WebSocket──▶ this control plane ──Plane.Console, mutual TLS──▶ the holder ◀──Relay.Console── agent
//! ```
//!
//! Ticket, limits and audit are the first one's; the holder opens the console and carries bytes. When either of them, or the way
//! between them, is gone, the streams end, and with them the console.

use std::error::Error as StdError;
use std::future::ready;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use hyper_util::rt::TokioIo;
use proto::agent::v1::ConsoleKind;
use proto::plane::v1 as wire;
use proto::plane::v1::console_down::Body as Down;
use proto::plane::v1::console_up::Body as Up;
use proto::plane::v1::plane_client::PlaneClient;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Request, Response, Status, Streaming};
use tower::service_fn;
use url::{Host, Url};

use super::ca::Authority;
use super::relay::{FRAMES_MAX, NAMED_WITHIN, Relays, TEXT_MAX, Wanted};
use super::server::{FRAME_BYTES_MAX, Tracked};
use super::{status_of, tls};
use crate::clock::Clock;
use crate::domain::check::clipped;
use crate::domain::cluster::Instance;
use crate::domain::consoles::{Frame, Pipe};
use crate::domain::secrets::Secret;
use crate::error::{Error, Result};
use crate::ids::InstanceId;

/// How long another control plane may take for the connection and its handshake.
const DIAL_WITHIN: Duration = Duration::from_secs(5);
/// So much longer than the host's time the holder's answer may take.
const ANSWER_SLACK: Duration = Duration::from_secs(2);
/// The longest that a caller may have a host take.
const WITHIN_MAX: Duration = Duration::from_secs(25);
/// How long the holder may take to hear that a console is over.
const GOODBYE_WITHIN: Duration = Duration::from_secs(2);
/// One that stands still is given up after both.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// The way to the other control planes.
pub struct Planes {
    authority: Arc<Authority>,
    clock: Clock,
    instance: InstanceId,
    tasks: TaskTracker,
}

impl Planes {
    /// Of the control plane `instance`.
    #[must_use]
    pub fn new(authority: Arc<Authority>, clock: Clock, instance: InstanceId, tasks: TaskTracker) -> Self {
        Self { authority, clock, instance, tasks }
    }

    /// Opens a console through the control plane that holds the agent's session.
    pub(super) async fn open(&self, holder: &Instance, wanted: &Wanted, within: Duration) -> Result<Pipe> {
        let channel = self.dial(holder).await?;
        let Wanted { server, vmid, pod, kind } = wanted;
        let open = wire::Open {
            instance_id: holder.id.to_string(),
            server_id: server.to_string(),
            vmid: *vmid,
            pod_id: pod.to_string(),
            kind: (*kind).into(),
            within_ms: u64::try_from(within.as_millis()).unwrap_or(u64::MAX),
        };
        let (up, queue) = mpsc::channel(FRAMES_MAX);
        let first = wire::ConsoleUp { body: Some(Up::Open(open)) };
        let frames = stream::once(ready(first)).chain(ReceiverStream::new(queue).map(up_to_wire));
        let mut client = PlaneClient::new(channel).max_decoding_message_size(FRAME_BYTES_MAX);
        let opening = async {
            let mut inbound = client.console(frames).await?.into_inner();
            let first = inbound.message().await?;
            Ok::<_, Status>((inbound, first))
        };
        let (inbound, first) = match timeout(within + ANSWER_SLACK, opening).await {
            Ok(opened) => opened.map_err(|status| refusal_of(holder, &status))?,
            Err(_) => return Err(apart(holder, "it does not answer")),
        };
        let Some(wire::ConsoleDown { body: Some(Down::Opened(wire::Opened { password })) }) = first else {
            return Err(apart(holder, "its answer does not begin as it should"));
        };
        let (down_in, down) = mpsc::channel(FRAMES_MAX);
        self.tasks.spawn(receive(inbound, client, down_in));
        Ok(Pipe { password: Secret::new(password), up, down })
    }

    async fn dial(&self, holder: &Instance) -> Result<Channel> {
        let failed = |error: &dyn StdError| apart(holder, &chain(error));
        let url = Url::parse(&holder.internal_url).map_err(|error| failed(&error))?;
        let (host, name) = match url.host() {
            Some(Host::Domain(name)) => {
                (name.to_owned(), ServerName::try_from(name.to_owned()).map_err(|error| failed(&error))?)
            }
            Some(Host::Ipv4(ip)) => (ip.to_string(), ServerName::from(std::net::IpAddr::from(ip))),
            Some(Host::Ipv6(ip)) => (ip.to_string(), ServerName::from(std::net::IpAddr::from(ip))),
            None => return Err(apart(holder, "its address names no host")),
        };
        let port = url.port_or_known_default().unwrap_or(443);
        let tls = TlsConnector::from(tls::client_config(&self.authority, self.instance, &self.clock)?);
        let connector = service_fn(move |_: Uri| {
            let (host, name, tls) = (host.clone(), name.clone(), tls.clone());
            async move {
                let handshake = async {
                    let stream = TcpStream::connect((host.as_str(), port)).await?;
                    stream.set_nodelay(true)?;
                    tls.connect(name, stream).await
                };
                match timeout(DIAL_WITHIN, handshake).await {
                    Ok(stream) => stream.map(TokioIo::new),
                    Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no connection in time")),
                }
            }
        });
        let endpoint = Endpoint::from_shared(url.to_string())
            .map_err(|error| failed(&error))?
            .executor(Tracked(self.tasks.clone()))
            .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT);
        endpoint.connect_with_connector(connector).await.map_err(|error| failed(&error))
    }
}

/// It cannot be had from the control plane that holds the session. The log says all; a tenant need not know our machines.
fn apart(holder: &Instance, cause: &str) -> Error {
    let Instance { id: _, name, version, internal_url, started_at: _, seen_at: _ } = holder;
    tracing::warn!(
        holder = name,
        version,
        internal_url,
        cause,
        "a console was not opened: the control plane that holds the agent's session was not reached (its agents.internal_url)"
    );
    Error::unavailable("the agent is connected to another control plane, which cannot be reached from this one now")
}

/// What the holder says against it.
fn refusal_of(holder: &Instance, status: &Status) -> Error {
    match status.code() {
        Code::FailedPrecondition => Error::conflict("console_refused", clipped(status.message(), TEXT_MAX)),
        Code::Unimplemented => apart(holder, "it is of an older version, which does not carry consoles for others"),
        _ => apart(holder, status.message()),
    }
}

fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

fn up_to_wire(frame: Frame) -> wire::ConsoleUp {
    let body = match frame {
        Frame::Data(data) => Up::Data(data),
        Frame::Closed(why) => Up::Closed(why),
    };
    wire::ConsoleUp { body: Some(body) }
}

fn down_to_wire(frame: Frame) -> wire::ConsoleDown {
    let body = match frame {
        Frame::Data(data) => Down::Data(data),
        Frame::Closed(why) => Down::Closed(why),
    };
    wire::ConsoleDown { body: Some(body) }
}

/// The next frame from the holder; `None`: its stream ended.
async fn next(inbound: &mut Streaming<wire::ConsoleDown>) -> Option<Frame> {
    loop {
        match inbound.message().await.ok()??.body {
            Some(Down::Data(data)) => return Some(Frame::Data(data)),
            Some(Down::Closed(why)) => return Some(Frame::Closed(clipped(&why, TEXT_MAX))),
            // A kind of a newer version is left out.
            Some(Down::Opened(_)) | None => {}
        }
    }
}

/// Takes what the holder sends until either side ends it. The client is the connection, and lives as long.
async fn receive(mut inbound: Streaming<wire::ConsoleDown>, client: PlaneClient<Channel>, down: mpsc::Sender<Frame>) {
    loop {
        let frame = tokio::select! {
            () = down.closed() => break,
            frame = next(&mut inbound) => frame,
        };
        let Some(frame) = frame else { return };
        let last = matches!(frame, Frame::Closed(_));
        if down.send(frame).await.is_err() || last {
            break;
        }
    }
    // To give the stream up would also take back what is on its way to the holder, who ends it after our last word.
    let rest = async { while next(&mut inbound).await.is_some() {} };
    if timeout(GOODBYE_WITHIN, rest).await.is_err() {
        tracing::debug!("another control plane did not end a console in time");
    }
    drop(client);
}

/// The service `Plane`.
#[derive(Clone)]
pub(super) struct Plane {
    relays: Arc<Relays>,
    instance: InstanceId,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

impl Plane {
    pub(super) fn new(
        relays: Arc<Relays>,
        instance: InstanceId,
        tasks: TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        Self { relays, instance, tasks, shutdown }
    }

    /// What is to be opened, and within how long.
    fn wanted_of(&self, open: wire::Open) -> Result<(Wanted, Duration), Status> {
        let wire::Open { instance_id, server_id, vmid, pod_id, kind, within_ms } = open;
        if instance_id != self.instance.to_string() {
            let text = "another control plane answers at this address: each needs an agents.internal_url of its own";
            return Err(Status::not_found(text));
        }
        let wanted = Wanted {
            server: server_id.parse().map_err(|_| Status::invalid_argument("server_id"))?,
            vmid,
            pod: pod_id.parse().map_err(|_| Status::invalid_argument("pod_id"))?,
            kind: ConsoleKind::try_from(kind).map_err(|_| Status::invalid_argument("kind"))?,
        };
        Ok((wanted, Duration::from_millis(within_ms).min(WITHIN_MAX)))
    }
}

#[tonic::async_trait]
impl wire::plane_server::Plane for Plane {
    type ConsoleStream = BoxStream<'static, Result<wire::ConsoleDown, Status>>;

    async fn console(
        &self,
        request: Request<Streaming<wire::ConsoleUp>>,
    ) -> Result<Response<Self::ConsoleStream>, Status> {
        let mut inbound = request.into_inner();
        let Ok(Ok(Some(wire::ConsoleUp { body: Some(Up::Open(open)) }))) =
            timeout(NAMED_WITHIN, inbound.message()).await
        else {
            return Err(Status::invalid_argument("the first frame has to say which console"));
        };
        let (wanted, within) = self.wanted_of(open)?;
        let Pipe { password, up, down } =
            self.relays.open_here(&wanted, within).await.map_err(|error| status_of(&error))?;
        self.tasks.spawn(carry(inbound, up, self.shutdown.clone()));
        metrics::counter!("mpanel_consoles_carried_total").increment(1);
        let opened = wire::Opened { password: password.expose().clone() };
        let opened = wire::ConsoleDown { body: Some(Down::Opened(opened)) };
        let down = stream::once(ready(opened)).chain(ReceiverStream::new(down).map(down_to_wire));
        Ok(Response::new(down.map(Ok).boxed()))
    }
}

/// Carries what the browser sends to the agent until either is gone.
async fn carry(mut inbound: Streaming<wire::ConsoleUp>, up: mpsc::Sender<Frame>, shutdown: CancellationToken) {
    loop {
        let message = tokio::select! {
            () = shutdown.cancelled() => return,
            () = up.closed() => return,
            message = inbound.message() => message,
        };
        let frame = match message {
            Ok(Some(wire::ConsoleUp { body: Some(Up::Data(data)) })) => Frame::Data(data),
            Ok(Some(wire::ConsoleUp { body: Some(Up::Closed(why)) })) => Frame::Closed(clipped(&why, TEXT_MAX)),
            // A kind of a newer version is left out.
            Ok(Some(wire::ConsoleUp { body: Some(Up::Open(_)) | None })) => continue,
            Ok(None) | Err(_) => Frame::Closed("the control plane of its user is gone".to_owned()),
        };
        let last = matches!(frame, Frame::Closed(_));
        if up.send(frame).await.is_err() || last {
            return;
        }
    }
}

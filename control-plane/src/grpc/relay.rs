//! The service `Relay`: what an agent's console stream carries, handed to whoever waits for that console.
//!
//! A console is named by a secret that was sent over the session of one server, and only an agent with that server's
//! certificate can claim it, once. Both ways are bounded; a side that does not read is not sent more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use proto::agent::v1 as wire;
use proto::agent::v1::console_frame::Body;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};

use super::convert;
use super::hub::SessionHub;
use super::identity::Identity;
use super::plane::Planes;
use crate::clock::Clock;
use crate::domain::check::clipped;
use crate::domain::cluster::{Holder, Instance};
use crate::domain::consoles::service::secret_new;
use crate::domain::consoles::{Console, ConsoleKind, Consoles, Frame, Pipe, Reach};
use crate::domain::secrets::Secret;
use crate::error::{Error, Result};
use crate::ids::{CloudPodId, ServerId};

/// Frames that may wait, each way: an agent's frame is at most a message of the relay.
pub(super) const FRAMES_MAX: usize = 16;
/// Consoles that may wait for their agents at once.
const WAITING_MAX: usize = 1024;
/// How long a peer may take to name its console, once its stream is open.
pub(super) const NAMED_WITHIN: Duration = Duration::from_secs(10);
/// How long it may take from there until Proxmox has opened it.
const OPENED_WITHIN: Duration = Duration::from_secs(30);
/// The longest text of a peer that is passed on, in characters.
pub(super) const TEXT_MAX: usize = 500;

type Opened = Result<Pipe, String>;

struct Waiting {
    server: ServerId,
    opened: oneshot::Sender<Opened>,
}

/// A VM's console, as its agent is to open it.
pub(super) struct Wanted {
    pub(super) server: ServerId,
    pub(super) vmid: u32,
    pub(super) pod: CloudPodId,
    pub(super) kind: wire::ConsoleKind,
}

impl From<&Console> for Wanted {
    fn from(console: &Console) -> Self {
        let Console { id: _, tenant: _, pod, server, vmid, kind, asked_by: _, opener: _ } = console;
        let kind = match kind {
            ConsoleKind::Vnc => wire::ConsoleKind::Vnc,
            ConsoleKind::Terminal => wire::ConsoleKind::Terminal,
        };
        Self { server: *server, vmid: *vmid, pod: *pod, kind }
    }
}

/// Whose agent's session is where.
enum Way {
    Here,
    Through(Instance),
    Nowhere,
}

/// The consoles that wait for their agents, by their secret.
pub struct Relays {
    hub: Arc<SessionHub>,
    clock: Clock,
    planes: Planes,
    waiting: Mutex<HashMap<String, Waiting>>,
}

impl Relays {
    /// Over the agents that are connected to this process, and through `planes` those of the other control planes.
    #[must_use]
    pub fn new(hub: Arc<SessionHub>, clock: Clock, planes: Planes) -> Arc<Self> {
        Arc::new(Self { hub, clock, planes, waiting: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What waits for this console of that server's agent, once. Another server's secret is as good as none.
    fn claim(&self, server: ServerId, secret: &str) -> Option<oneshot::Sender<Opened>> {
        let mut waiting = self.lock();
        if waiting.get(secret)?.server != server {
            return None;
        }
        waiting.remove(secret).map(|waiting| waiting.opened)
    }
}

impl Relays {
    async fn way(&self, server: ServerId) -> Result<Way> {
        // A session of this process may be left over from before.
        if let Some(cluster) = &self.hub.cluster
            && let Holder::Elsewhere(holder) = cluster.holder(server).await?
        {
            return Ok(cluster.instance_get(holder).await?.map_or(Way::Nowhere, Way::Through));
        }
        Ok(if self.hub.ready(server).is_some() { Way::Here } else { Way::Nowhere })
    }

    /// Opens a console through an agent that is connected to this process.
    pub(super) async fn open_here(&self, wanted: &Wanted, within: Duration) -> Result<Pipe> {
        let gone = || Error::unavailable("the agent's connection broke off");
        let Wanted { server, vmid, pod, kind } = wanted;
        let live = self.hub.ready(*server).ok_or_else(gone)?;
        let secret = secret_new()?;
        let (opened, answer) = oneshot::channel();
        {
            let mut waiting = self.lock();
            if waiting.len() >= WAITING_MAX {
                return Err(Error::unavailable("too many consoles are being opened at once"));
            }
            waiting.insert(secret.expose().clone(), Waiting { server: *server, opened });
        }
        let _forget = Forget { relays: self, secret: &secret };
        let open = wire::OpenConsole {
            console_id: secret.expose().clone(),
            vmid: *vmid,
            pod_id: pod.to_string(),
            kind: (*kind).into(),
            deadline_ms: self.clock.now().plus(within).0,
        };
        let message = convert::message(wire::control_message::Body::OpenConsole(open));
        live.send(message).map_err(|_| gone())?;
        let answered = tokio::select! {
            () = live.queue.closed() => return Err(gone()),
            answered = timeout(within, answer) => answered,
        };
        match answered {
            Ok(Ok(Ok(pipe))) => Ok(pipe),
            Ok(Ok(Err(why))) => Err(Error::conflict("console_refused", format!("the host cannot open it: {why}"))),
            Ok(Err(_)) => Err(gone()),
            Err(_) => Err(Error::unavailable(format!("the agent did not open it within {} s", within.as_secs()))),
        }
    }
}

#[async_trait]
impl Consoles for Relays {
    async fn reach(&self, server: ServerId) -> Result<Reach> {
        Ok(match self.way(server).await? {
            Way::Through(holder) if holder.internal_url.is_empty() => {
                let Instance { id: _, name, version: _, internal_url: _, started_at: _, seen_at: _ } = holder;
                tracing::warn!(
                    holder = name,
                    "a console was not opened: set agents.internal_url of the control plane that holds the agent's session"
                );
                Reach::Apart
            }
            Way::Here | Way::Through(_) => Reach::Open,
            Way::Nowhere => Reach::Nowhere,
        })
    }

    async fn open(&self, console: &Console, within: Duration) -> Result<Pipe> {
        let wanted = Wanted::from(console);
        match self.way(console.server).await? {
            Way::Through(holder) => self.planes.open(&holder, &wanted, within).await,
            Way::Here | Way::Nowhere => self.open_here(&wanted, within).await,
        }
    }
}

/// Takes a console off the list, also when whoever waited for it went away.
struct Forget<'a> {
    relays: &'a Relays,
    secret: &'a Secret<String>,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.relays.lock().remove(self.secret.expose());
    }
}

/// The service `Relay`.
#[derive(Clone)]
pub(super) struct Relay {
    relays: Arc<Relays>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

impl Relay {
    pub(super) fn new(relays: Arc<Relays>, tasks: TaskTracker, shutdown: CancellationToken) -> Self {
        Self { relays, tasks, shutdown }
    }
}

#[tonic::async_trait]
impl wire::relay_server::Relay for Relay {
    type ConsoleStream = BoxStream<'static, Result<wire::ConsoleFrame, Status>>;

    async fn console(
        &self,
        request: Request<Streaming<wire::ConsoleFrame>>,
    ) -> Result<Response<Self::ConsoleStream>, Status> {
        let Some(identity) = request.extensions().get::<Identity>() else {
            return Err(Status::unauthenticated("show the agent's certificate"));
        };
        let server = identity.server;
        let (up, queue) = mpsc::channel(FRAMES_MAX);
        let (relays, shutdown) = (self.relays.clone(), self.shutdown.clone());
        self.tasks.spawn(async move {
            let outcome = carry(&relays, server, request.into_inner(), up, &shutdown).await;
            metrics::counter!("mpanel_consoles_relayed_total", "outcome" => outcome).increment(1);
        });
        Ok(Response::new(ReceiverStream::new(queue).map(|frame| Ok(to_wire(frame))).boxed()))
    }
}

fn to_wire(frame: Frame) -> wire::ConsoleFrame {
    let body = match frame {
        Frame::Data(data) => Body::Data(data),
        Frame::Closed(why) => Body::Closed(why),
    };
    wire::ConsoleFrame { body: Some(body) }
}

/// The body of an agent's next frame; `None`: its stream ended.
async fn next(inbound: &mut Streaming<wire::ConsoleFrame>) -> Option<Body> {
    loop {
        match inbound.message().await {
            // A kind of a newer agent is left out.
            Ok(Some(wire::ConsoleFrame { body: None })) => {}
            Ok(Some(wire::ConsoleFrame { body })) => return body,
            Ok(None) | Err(_) => return None,
        }
    }
}

/// Carries a console until either side ends it; what came of it, for the metric.
async fn carry(
    relays: &Relays,
    server: ServerId,
    mut inbound: Streaming<wire::ConsoleFrame>,
    up: mpsc::Sender<Frame>,
    shutdown: &CancellationToken,
) -> &'static str {
    let named = tokio::select! {
        () = shutdown.cancelled() => return "shutdown",
        named = timeout(NAMED_WITHIN, next(&mut inbound)) => named,
    };
    let claimed = match named {
        Ok(Some(Body::ConsoleId(secret))) => relays.claim(server, &secret),
        _ => None,
    };
    let Some(opened) = claimed else {
        tracing::warn!(%server, "an agent came with a console that nobody waits for");
        // An agent that does not read learns it from the end of the stream.
        let _told = up.try_send(Frame::Closed("nobody waits for this console".to_owned()));
        return "unknown";
    };
    let answered = tokio::select! {
        () = shutdown.cancelled() => return "shutdown",
        answered = timeout(OPENED_WITHIN, next(&mut inbound)) => answered,
    };
    let (password, error) = match answered {
        Ok(Some(Body::Opened(wire::ConsoleOpened { password, error }))) => (Secret::new(password), error),
        Ok(Some(Body::Closed(why))) => (Secret::new(String::new()), why),
        _ => return "broken",
    };
    if !error.is_empty() {
        // Whoever waited may be gone.
        let _told = opened.send(Err(clipped(&error, TEXT_MAX)));
        return "refused";
    }
    let (down_in, down) = mpsc::channel(FRAMES_MAX);
    if opened.send(Ok(Pipe { password, up, down })).is_err() {
        return "unclaimed";
    }
    loop {
        let body = tokio::select! {
            () = shutdown.cancelled() => return "shutdown",
            () = down_in.closed() => return "closed",
            body = next(&mut inbound) => body,
        };
        let (frame, last) = match body {
            Some(Body::Data(data)) => (Frame::Data(data), false),
            Some(Body::Closed(why)) => (Frame::Closed(clipped(&why, TEXT_MAX)), true),
            // It was named and opened before.
            Some(Body::ConsoleId(_) | Body::Opened(_)) => return "protocol",
            None => return "ended",
        };
        if down_in.send(frame).await.is_err() || last {
            return "closed";
        }
    }
}

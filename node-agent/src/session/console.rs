//! Consoles: what Proxmox's websocket carries goes over the session's own connection to the control plane, and back.

use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use proto::agent::v1::console_frame::Body;
use proto::agent::v1::relay_client::RelayClient;
use proto::agent::v1::{ConsoleFrame, ConsoleKind, ConsoleOpened, OpenConsole};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_stream::wrappers::ReceiverStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::Streaming;
use tonic::transport::Channel;
use tracing::{debug, info};
use uuid::Uuid;

use super::{Agent, dial};
use crate::proxmox::{self, Console, Secret, Target};

/// Consoles at once.
const CONSOLES_MAX: usize = 16;
/// Pieces that wait to be sent to the control plane; when these are many, Proxmox waits.
const FRAMES_MAX: usize = 16;
/// The largest piece that is sent.
const PIECE_BYTES_MAX: usize = 64 << 10;
/// The largest frame that is taken.
const FRAME_BYTES_MAX: usize = 1 << 20;
/// A console for which the order names no deadline.
const OPEN_MAX: Duration = Duration::from_secs(30);
/// How long both sides are waited for at the end.
const CLOSE_MAX: Duration = Duration::from_secs(2);

/// The consoles that are open. They end with their session, and the agent waits for them.
pub(crate) struct Consoles {
    tasks: TaskTracker,
    places: Arc<Semaphore>,
}

impl Default for Consoles {
    fn default() -> Self {
        Self { tasks: TaskTracker::new(), places: Arc::new(Semaphore::new(CONSOLES_MAX)) }
    }
}

impl Consoles {
    /// Opens one, until `over`.
    pub(super) fn open(&self, agent: &Arc<Agent>, channel: Channel, order: OpenConsole, over: CancellationToken) {
        let (agent, places) = (agent.clone(), self.places.clone());
        self.tasks.spawn(async move {
            let place = places.try_acquire_owned();
            let vmid = order.vmid;
            match relay(&agent, channel, order, place.is_ok(), &over).await {
                Ok(()) => info!(vmid, "console closed"),
                Err(cause) => info!(vmid, %cause, "console ended"),
            }
            drop(place);
        });
    }

    /// Waits until the last is closed.
    pub(super) async fn closed(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

fn frame(body: Body) -> ConsoleFrame {
    ConsoleFrame { body: Some(body) }
}

/// One console from the order to its end. The order's id is a secret and is told to the control plane only.
async fn relay(
    agent: &Agent,
    channel: Channel,
    order: OpenConsole,
    has_place: bool,
    over: &CancellationToken,
) -> Result<(), String> {
    let deadline = match order.deadline_ms {
        0 => Instant::now() + OPEN_MAX,
        ms => agent.offset.instant_of(ms),
    };
    let opening = async {
        if !has_place {
            return Err(format!("{CONSOLES_MAX} consoles are open on this host already: close one"));
        }
        open(agent, &order).await
    };
    let opened = tokio::select! {
        () = over.cancelled() => return Err("the session ended".to_owned()),
        opened = timeout_at(deadline, opening) => {
            opened.unwrap_or_else(|_| Err("Proxmox did not open the console in time".to_owned()))
        }
    };
    let (to_control_plane, frames) = mpsc::channel(FRAMES_MAX);
    let told = match &opened {
        Ok(console) => ConsoleOpened {
            password: console.password.as_ref().map(Secret::reveal).unwrap_or_default().to_owned(),
            error: String::new(),
        },
        Err(error) => ConsoleOpened { password: String::new(), error: error.clone() },
    };
    for body in [Body::ConsoleId(order.console_id), Body::Opened(told)] {
        to_control_plane.try_send(frame(body)).map_err(|e| e.to_string())?;
    }
    let mut client = RelayClient::new(channel).max_decoding_message_size(FRAME_BYTES_MAX);
    let calling = timeout_at(deadline, client.console(ReceiverStream::new(frames)));
    let answer = tokio::select! {
        () = over.cancelled() => return Err("the session ended".to_owned()),
        answer = calling => answer,
    };
    let stream = match answer {
        Ok(Ok(answer)) => answer.into_inner(),
        Ok(Err(status)) => return Err(format!("the control plane does not take it: {}", dial::words(&status))),
        Err(_) => return Err("the control plane did not take it in time".to_owned()),
    };
    pump(opened?, to_control_plane, stream, over).await;
    Ok(())
}

async fn open(agent: &Agent, order: &OpenConsole) -> Result<Console, String> {
    let pod_id = Uuid::parse_str(&order.pod_id).map_err(|e| format!("pod_id: {e}"))?;
    let kind = match ConsoleKind::try_from(order.kind) {
        Ok(ConsoleKind::Vnc | ConsoleKind::Unspecified) => proxmox::ConsoleKind::Vnc,
        Ok(ConsoleKind::Terminal) => proxmox::ConsoleKind::Terminal,
        Err(_) => return Err(format!("kind: this agent does not know the console {}", order.kind)),
    };
    let target = Target { vmid: order.vmid, pod_id };
    agent.hypervisor.open_console(target, kind).await.map_err(|error| error.message)
}

/// Carries both ways at once until either side, or the session, ends; then closes both.
async fn pump(
    console: Console,
    to_control_plane: mpsc::Sender<ConsoleFrame>,
    mut from_control_plane: Streaming<ConsoleFrame>,
    over: &CancellationToken,
) {
    let Console { password: _, first, socket } = console;
    let (mut to_proxmox, mut from_proxmox) = socket.split();
    let sender = to_control_plane.clone();
    let up = async move {
        if !first.is_empty() && sender.send(frame(Body::Data(first.into()))).await.is_err() {
            return "the control plane closed the console".to_owned();
        }
        loop {
            let data = match from_proxmox.next().await {
                Some(Ok(Message::Binary(data))) => data,
                Some(Ok(Message::Text(text))) => text.into(),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Ok(Message::Close(_))) | None => return "Proxmox closed the console".to_owned(),
                Some(Err(error)) => return format!("the console of Proxmox broke: {error}"),
            };
            for piece in data.chunks(PIECE_BYTES_MAX) {
                if sender.send(frame(Body::Data(piece.to_vec().into()))).await.is_err() {
                    return "the control plane closed the console".to_owned();
                }
            }
        }
    };
    let down = async {
        loop {
            let body = match from_control_plane.message().await {
                Ok(Some(ConsoleFrame { body })) => body,
                Ok(None) => return "the control plane closed the console".to_owned(),
                Err(status) => return format!("the way to the control plane broke: {}", dial::words(&status)),
            };
            match body {
                Some(Body::Data(data)) => {
                    if let Err(error) = to_proxmox.send(Message::Binary(data)).await {
                        return format!("the console of Proxmox broke: {error}");
                    }
                }
                Some(Body::Closed(why)) => return why,
                Some(Body::ConsoleId(_) | Body::Opened(_)) | None => {
                    debug!("a frame that has no meaning on this way was left out");
                }
            }
        }
    };
    let why = tokio::select! {
        () = over.cancelled() => "the agent's session ended".to_owned(),
        why = up => why,
        why = down => why,
    };
    // Whoever does not listen any more has ended already.
    let _ = timeout(CLOSE_MAX, to_control_plane.send(frame(Body::Closed(why)))).await;
    let _ = timeout(CLOSE_MAX, to_proxmox.close()).await;
    drop(to_control_plane);
    // To give up the answers would also take back what is still on its way: the control plane ends them when it has heard the last.
    let rest = async { while let Ok(Some(_)) = from_control_plane.message().await {} };
    let _ = timeout(CLOSE_MAX, rest).await;
}

//! Consoles over REST, and the WebSocket that a browser opens.
//!
//! A browser cannot set headers for a WebSocket, but it can name subprotocols: `new WebSocket(url, protocols)`. So the ticket is in
//! no URL, and in no log of one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Json;
use axum::extract::State as Shared;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use zeroize::Zeroizing;

use super::{Console, ConsoleKind, Frame, Limits, Pipe, Reach};
use crate::app::App;
use crate::clock::Ms;
use crate::domain::access::Permission;
use crate::domain::cloudpods::routes::{TenantQuery, narrowed};
use crate::error::{Error, Result};
use crate::http::auth::{Auth, Caller};
use crate::http::json::Body;
use crate::http::path::Path;
use crate::http::problem::Problem;
use crate::http::query::Params;
use crate::ids::{CloudPodId, ConsoleId};

/// The subprotocol that is spoken.
const PROTOCOL: &str = "mpanel.console";
/// What stands before the ticket among the subprotocols.
const TICKET_PREFIX: &str = "ticket.";
/// The longest message from a browser: keys, the mouse, a pasted text.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// How long a browser may take for what is said to it at the beginning and at the end.
const WORD_WITHIN: Duration = Duration::from_secs(5);
/// When it is worth trying again, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// The routes of this slice. The WebSocket is not described by OpenAPI, which knows none.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .nest("/api/admin/hosting", OpenApiRouter::new().routes(routes!(console_ask)))
        .route("/api/console/{id}", get(console_attach))
}

/// What is to be shown.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ConsoleAsk)]
struct AskBody {
    /// vnc: the screen; terminal: the serial terminal
    kind: ConsoleKind,
}

/// What opens a console, once and within seconds.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ConsoleTicket)]
struct TicketView {
    id: ConsoleId,
    kind: ConsoleKind,
    /// The path of the WebSocket: `socket = new WebSocket(url, protocols)`. Its first message is text,
    /// `{"type":"opened","kind":…,"password":…}` or `{"type":"error","code":…,"detail":…}`; what follows is binary, as Proxmox VE's
    /// own websocket has it. Of `vnc` that is RFB, which asks for the password (VNC authentication): on the first message,
    /// `new RFB(element, socket, { credentials: { password } })` with noVNC. Of `terminal` it is, to the guest, `0:LENGTH:` with the
    /// bytes typed, `1:COLUMNS:ROWS:` or `2` to stay, and from the guest just what it shows.
    #[schema(example = "/api/console/0198c5b2-7d43-7c1e-8a5f-6f0d4c2b9e10")]
    url: String,
    /// The subprotocols to open it with; the ticket is in the second.
    protocols: [String; 2],
    /// Shown this once.
    ticket: String,
    expires_at: Ms,
}

/// Gives a ticket for a CloudPod's console.
#[utoipa::path(post, path = "/cloudpods/{id}/console", tag = "CloudPods", params(("id" = CloudPodId, Path), TenantQuery),
    request_body = AskBody,
    responses((status = 201, body = TicketView), (status = 404), (status = 409), (status = 422), (status = 503)),
    extensions(("x-permission" = json!("cloudpods:write"))))]
async fn console_ask(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path(id): Path<CloudPodId>,
    Params(query): Params<TenantQuery>,
    Body(body): Body<AskBody>,
) -> Result<Response> {
    auth.require(Permission::CloudpodsWrite)?;
    let scope = narrowed(&auth, query.tenant_id)?;
    let ticket = app.consoles.console_ask(&auth.actor, scope, id, body.kind).await?;
    let (url, secret) = (format!("/api/console/{}", ticket.console), ticket.ticket.expose().clone());
    let protocols = [PROTOCOL.to_owned(), format!("{TICKET_PREFIX}{secret}")];
    let (id, kind, expires_at) = (ticket.console, body.kind, ticket.expires_at);
    let view = TicketView { id, kind, url, protocols, ticket: secret, expires_at };
    Ok((StatusCode::CREATED, Json(view)).into_response())
}

/// The ticket among the subprotocols that a browser offers.
fn ticket_of(headers: &HeaderMap) -> Option<Zeroizing<String>> {
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let mut words = offered.iter().filter_map(|value| value.to_str().ok()).flat_map(|list| list.split(','));
    words.find_map(|word| word.trim().strip_prefix(TICKET_PREFIX)).map(|ticket| Zeroizing::new(ticket.to_owned()))
}

/// Takes a ticket and becomes its console.
async fn console_attach(
    Shared(app): Shared<Arc<App>>,
    Path(id): Path<ConsoleId>,
    headers: HeaderMap,
    caller: Caller,
    upgrade: WebSocketUpgrade,
) -> Result<Response> {
    let refused = async || caller.ticket_refused(&app).await;
    let Some(ticket) = ticket_of(&headers) else { return Err(refused().await) };
    // Before the ticket is spent: somebody else may be the one to take it.
    match app.consoles.console_reach(id).await? {
        None => return Err(refused().await),
        Some(Reach::Open) => {}
        Some(Reach::Apart) => {
            let detail = "the agent of this server is connected to another control plane, which does not say how to reach it: set \
                          its agents.internal_url";
            return Ok(later("agent_elsewhere", detail));
        }
        Some(Reach::Nowhere) => return Ok(later("agent_offline", "the agent of this server is not connected")),
    }
    let Some(console) = app.consoles.console_redeem(id, &ticket).await? else { return Err(refused().await) };
    // Shutdown waits for it.
    let counted = app.tasks.token();
    let upgrade = upgrade.protocols([PROTOCOL]).max_message_size(MESSAGE_BYTES_MAX).max_frame_size(MESSAGE_BYTES_MAX);
    let lost = Lost { app: Some(app.clone()), console: console.clone() };
    Ok(upgrade.on_upgrade(move |socket| async move {
        lost.taken(attach(&app, &console, socket)).await;
        drop(counted);
    }))
}

fn later(code: &str, detail: &str) -> Response {
    let mut response = Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
    response
}

type Out = SplitSink<WebSocket, Message>;
type In = SplitStream<WebSocket>;

/// Relays a console until either side, the clock or shutdown ends it.
async fn attach(app: &App, console: &Console, socket: WebSocket) -> String {
    let (mut out, mut input) = socket.split();
    let opened = tokio::select! {
        () = app.shutdown.cancelled() => Err(Error::unavailable("the control plane is shutting down")),
        opened = app.consoles.console_open(console) => opened,
    };
    let (code, why) = match opened {
        Err(error) => {
            let code = error.code();
            if let Error::Internal(cause) = &error {
                tracing::error!(console = %console.id, %cause, "a console was not opened");
            }
            let text = json!({ "type": "error", "code": code, "detail": error.to_string() }).to_string();
            word(&mut out, Message::Text(text.into())).await;
            (close_code::AGAIN, error.to_string())
        }
        Ok(pipe) => relay(app, console, pipe, &mut out, &mut input).await,
    };
    // A close frame holds 123 bytes of reason at most.
    let reason: String = why.chars().filter(char::is_ascii).take(120).collect();
    word(&mut out, Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await;
    why
}

/// Says something to a browser that may be gone already.
async fn word(out: &mut Out, message: Message) {
    if timeout(WORD_WITHIN, out.send(message)).await.is_err() {
        tracing::debug!("a browser did not listen");
    }
}

async fn relay(app: &App, console: &Console, pipe: Pipe, out: &mut Out, input: &mut In) -> (u16, String) {
    let Pipe { password, up, mut down } = pipe;
    let Limits { per_server: _, per_tenant: _, idle, longest, recheck } = app.consoles.limits();
    let opened = json!({ "type": "opened", "kind": console.kind, "password": password.expose() }).to_string();
    word(out, Message::Text(opened.into())).await;
    let moved = AtomicU64::new(0);
    let ended = tokio::select! {
        why = upward(input, &up, &moved) => (close_code::NORMAL, why.to_owned()),
        why = downward(&mut down, out, &moved) => (close_code::NORMAL, why),
        () = stillness(idle, &moved) => (close_code::NORMAL, format!("nothing moved for {} s", idle.as_secs())),
        () = loss(app, console, recheck) => (close_code::POLICY, "it may not be used any more".to_owned()),
        () = sleep(longest) => (close_code::NORMAL, format!("it was open for {} s", longest.as_secs())),
        () = app.shutdown.cancelled() => (close_code::RESTART, "the control plane is shutting down".to_owned()),
    };
    // An agent that does not read learns it from the end of the stream.
    let _told = up.try_send(Frame::Closed(ended.1.clone()));
    ended
}

async fn upward(input: &mut In, up: &mpsc::Sender<Frame>, moved: &AtomicU64) -> &'static str {
    while let Some(message) = input.next().await {
        let data = match message {
            Ok(Message::Binary(data)) => data,
            Ok(Message::Text(text)) => text.into(),
            Ok(Message::Ping(_) | Message::Pong(_)) => continue,
            Ok(Message::Close(_)) => return "closed by its user",
            Err(_) => return "its user's connection broke off",
        };
        moved.fetch_add(1, Ordering::Relaxed);
        if up.send(Frame::Data(data)).await.is_err() {
            return "the agent's connection broke off";
        }
    }
    "its user's connection broke off"
}

async fn downward(down: &mut mpsc::Receiver<Frame>, out: &mut Out, moved: &AtomicU64) -> String {
    while let Some(frame) = down.recv().await {
        match frame {
            Frame::Data(data) => {
                if out.send(Message::Binary(data)).await.is_err() {
                    return "its user's connection broke off".to_owned();
                }
                moved.fetch_add(1, Ordering::Relaxed);
            }
            Frame::Closed(why) => return format!("closed by the host: {why}"),
        }
    }
    "the agent's connection broke off".to_owned()
}

/// Ends when nothing has moved for so long.
async fn stillness(idle: Duration, moved: &AtomicU64) {
    loop {
        let before = moved.load(Ordering::Relaxed);
        sleep(idle).await;
        if moved.load(Ordering::Relaxed) == before {
            return;
        }
    }
}

/// Ends when the console may not be used any more: who opened it has lost the right to it, or its pod may not be looked at. Where that cannot be found out, it is asked again.
async fn loss(app: &App, console: &Console, every: Duration) {
    loop {
        sleep(every).await;
        match app.consoles.console_permitted(console).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(console = %console.id, %error, "whether a console may stay open could not be looked up");
            }
        }
    }
}

/// Writes down the end of a console, also of one that its browser asked for and never took.
struct Lost {
    app: Option<Arc<App>>,
    console: Console,
}

impl Lost {
    async fn taken(mut self, attached: impl Future<Output = String>) {
        let why = attached.await;
        if let Some(app) = self.app.take() {
            closed(&app, &self.console, &why).await;
        }
    }
}

impl Drop for Lost {
    fn drop(&mut self) {
        let Some(app) = self.app.take() else { return };
        let console = self.console.clone();
        app.tasks.clone().spawn(async move { closed(&app, &console, "its user never took it").await });
    }
}

async fn closed(app: &App, console: &Console, why: &str) {
    if let Err(error) = app.consoles.console_closed(console, why).await {
        tracing::warn!(console = %console.id, %error, why, "the end of a console could not be stored");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ticket_is_found_among_the_subprotocols() {
        let check = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(value));
            }
            ticket_of(&headers).map(|ticket| ticket.to_string())
        };
        assert_eq!(check(&["mpanel.console, ticket.abc"]), Some("abc".to_owned()));
        assert_eq!(check(&["mpanel.console", "ticket.abc"]), Some("abc".to_owned()));
        assert_eq!(check(&["mpanel.console"]), None);
        assert_eq!(check(&[]), None);
    }
}

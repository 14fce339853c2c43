//! `mpanel pod console`: a pod's serial terminal in the terminal of whoever asks, or what a browser needs for it or for the screen.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use clap::Args;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use super::common::{Context, text};
use super::failure::{Failure, Problem, Result};
use super::humane::when;
use super::output::{document, line, printable};
use super::pod;
use super::table::Table;
use super::terminal::Terminal;
use crate::clock::Clock;

/// Ctrl-], as telnet has it: no guest needs it.
const WAY_OUT: u8 = 0x1d;
/// The most that is read of what is typed, or pasted, at once.
const TYPED_BYTES_MAX: usize = 4096;
/// Proxies drop what is silent for long.
const PING_EVERY: Duration = Duration::from_secs(30);
/// The control plane gives the host less time than this.
const OPENED_WITHIN: Duration = Duration::from_secs(40);
/// How long the other side may take for our goodbye.
const GOODBYE_WITHIN: Duration = Duration::from_secs(2);

/// A console of a pod.
#[derive(Args)]
pub struct Console {
    /// Name or id
    pod: String,
    /// Only print what a browser needs: a WebSocket's URL and subprotocols, which open the console once, within 30 seconds
    #[arg(long)]
    url_only: bool,
    /// What the browser is to show: the screen (noVNC) or the serial terminal (xterm.js)
    #[arg(long, value_parser = ["vnc", "terminal"], default_value = "vnc", requires = "url_only")]
    kind: String,
}

type Socket = WebSocketStream<reqwest::Upgraded>;

impl Console {
    /// Runs it.
    pub async fn run(self, context: &Context) -> Result<()> {
        let Self { pod, url_only, kind } = self;
        if url_only {
            return print(context, &ask(context, &pod, &kind).await?);
        }
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            let text = "a console needs a terminal, and here is none: run it in one, or print what a browser needs with --url-only";
            return Err(Failure::usage(text));
        }
        let ticket = ask(context, &pod, "terminal").await?;
        let (id, protocols) = (text(&ticket["id"]), text(&ticket["protocols"]));
        let socket = context.client.websocket(&["console", &id], &protocols).await?;
        let socket = opened(context, socket).await?;
        let name = printable(&pod);
        context.out.note(format!("{name}: leave it with Ctrl-]; press Enter if the guest shows nothing"));
        let ended = attach(socket).await;
        context.out.note("");
        match ended? {
            End::Left => {
                context.out.note(format!("left {name}'s console"));
                Ok(())
            }
            End::Closed(why) => Err(Failure::Failed(format!("the console of {name} ended: {why}"))),
            End::Broken(error) => Err(context.client.broken(&error)),
        }
    }
}

/// A ticket.
async fn ask(context: &Context, given: &str, kind: &str) -> Result<Value> {
    let id = pod::id_of(context, given).await?;
    let answer = context.client.post(&pod::path(&id, &["console"]), Some(&json!({ "kind": kind }))).await?;
    Ok(answer.body)
}

fn print(context: &Context, ticket: &Value) -> Result<()> {
    if context.out.json {
        return document(ticket);
    }
    let url = context.client.websocket_url(&["console", &text(&ticket["id"])]);
    if context.out.quiet {
        return line(url);
    }
    let mut table = Table::fields();
    table.field("WebSocket", url.to_string());
    table.field("Subprotocols", text(&ticket["protocols"]));
    table.field("Until", when(&ticket["expires_at"], Clock::system().now()));
    context.out.table(&table)
}

/// The socket, once the host has opened the console.
async fn opened(context: &Context, mut socket: Socket) -> Result<Socket> {
    let late = || Message::Text(r#"{"detail":"the control plane did not open the console in time"}"#.into());
    let first = timeout(OPENED_WITHIN, socket.next()).await.unwrap_or_else(|_| Some(Ok(late())));
    let said: Value = match first {
        Some(Ok(Message::Text(words))) => serde_json::from_str(&words).unwrap_or_default(),
        Some(Err(error)) => return Err(context.client.broken(&error)),
        _ => Value::Null,
    };
    if said["type"] == "opened" {
        return Ok(socket);
    }
    let code = said["code"].as_str().unwrap_or("unavailable");
    let (status, title) = match code {
        "unavailable" | "internal" => (503, "Service Unavailable"),
        _ => (409, "Conflict"),
    };
    let detail = said["detail"].as_str().unwrap_or("the control plane did not open the console");
    let kind = format!("urn:mpanel:problem:{code}");
    let body = json!({ "type": kind, "title": title, "status": status, "code": code, "detail": detail });
    Err(Failure::Problem(Box::new(Problem { status, body, token_source: "" })))
}

/// How a console ended.
enum End {
    /// Whoever looked at it left it.
    Left,
    /// From the other side, or by a signal.
    Closed(String),
    /// The connection to the control plane broke.
    Broken(WsError),
}

/// Shows the console in the terminal, which is as before when this returns.
async fn attach(socket: Socket) -> Result<End> {
    let terminal = Terminal::open()?;
    let mut ends = Signals::new()?;
    let (mut out, mut input) = socket.split();
    let ended = tokio::select! {
        ended = upward(&terminal, &mut out) => ended,
        ended = downward(&mut input, &terminal) => ended,
        name = ends.next() => Ok(End::Closed(format!("{name} came"))),
    };
    drop(terminal);
    // Whoever is gone hears no goodbye.
    let _ = timeout(GOODBYE_WITHIN, out.close()).await;
    ended
}

/// What is typed, how large the terminal is, and a sign of life now and then.
async fn upward(terminal: &Terminal, out: &mut SplitSink<Socket, Message>) -> Result<End> {
    let mut resized = signal(SignalKind::window_change())?;
    let mut pings = interval(PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings.reset();
    let mut typed = [0; TYPED_BYTES_MAX];
    let mut message = size_message(terminal)?;
    loop {
        if let Err(error) = out.send(message).await {
            return Ok(End::Broken(error));
        }
        message = tokio::select! {
            count = terminal.read(&mut typed) => {
                let typed = &typed[..count?];
                let kept = typed.iter().position(|byte| *byte == WAY_OUT).map_or(typed, |end| &typed[..end]);
                if kept.len() < typed.len() || typed.is_empty() {
                    // What was typed before it is sent along if the other side takes it.
                    let _ = timeout(GOODBYE_WITHIN, out.send(typed_message(kept))).await;
                    return Ok(End::Left);
                }
                typed_message(kept)
            }
            _ = resized.recv() => size_message(terminal)?,
            _ = pings.tick() => Message::Ping(Vec::new().into()),
        };
    }
}

/// As Proxmox's terminal wants it.
fn typed_message(typed: &[u8]) -> Message {
    let mut message = format!("0:{}:", typed.len()).into_bytes();
    message.extend_from_slice(typed);
    Message::binary(message)
}

fn size_message(terminal: &Terminal) -> Result<Message> {
    let (columns, rows) = terminal.size()?;
    Ok(Message::binary(format!("1:{columns}:{rows}:").into_bytes()))
}

async fn downward(input: &mut SplitStream<Socket>, terminal: &Terminal) -> Result<End> {
    while let Some(message) = input.next().await {
        match message {
            Ok(Message::Binary(data)) => terminal.write(&data).await?,
            Ok(Message::Text(data)) => terminal.write(data.as_bytes()).await?,
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
            Ok(Message::Close(Some(frame))) => return Ok(End::Closed(frame.reason.to_string())),
            Ok(Message::Close(None)) => return Ok(End::Closed("the control plane closed it".to_owned())),
            Err(error) => return Ok(End::Broken(error)),
        }
    }
    Ok(End::Broken(WsError::ConnectionClosed))
}

/// The signals that end a program.
struct Signals([(&'static str, Signal); 4]);

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self([
            ("SIGTERM", signal(SignalKind::terminate())?),
            ("SIGHUP", signal(SignalKind::hangup())?),
            ("SIGINT", signal(SignalKind::interrupt())?),
            ("SIGQUIT", signal(SignalKind::quit())?),
        ]))
    }

    /// The name of the first that comes.
    async fn next(&mut self) -> &'static str {
        let each = self.0.iter_mut().map(|(name, signal)| {
            Box::pin(async move {
                signal.recv().await;
                *name
            })
        });
        futures::future::select_all(each).await.0
    }
}

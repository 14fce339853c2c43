//! `…/vncproxy`, `…/termproxy` and `…/vncwebsocket`. What the proxies answer was recorded; the socket carries a minimal RFB 3.8
//! server (RFC 6143), which asks for the password, or the terminal's framing with an echo.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::json;
use tokio::sync::oneshot;

use crate::app::{App, Ctx};
use crate::clock;
use crate::config::Flavour;
use crate::error::{ApiError, ApiResult};
use crate::http::{Reply, Request, Response};
use crate::rfb::vnc_response;
use crate::schema::{Kind, check, opt, req};
use crate::tasks::{self, TaskResult, Worker};
use crate::vm::path_vmid;
use crate::websocket::{Upgrade, Wire, is_asked};

const PORTS: std::ops::RangeInclusive<u16> = 5900..=5999;
/// Tickets are good for so long, whoever waits for them.
const TICKET_MS: i64 = 40_000;
/// Tickets that are remembered.
const TICKETS_MAX: usize = 1_000;
const WIDTH: u16 = 320;
const HEIGHT: u16 = 200;
/// The longest text of a clipboard or a keyboard that is taken.
const TEXT_BYTES_MAX: usize = 64 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Screen {
    Vnc,
    Terminal,
}

/// A proxy that waits for its one client.
#[derive(Debug)]
struct Waiting {
    ticket: String,
    screen: Screen,
    /// Tells the proxy's task that its client is there, and how it will hear of the end.
    claim: oneshot::Sender<oneshot::Receiver<()>>,
}

/// A ticket that was given out.
#[derive(Debug)]
struct Issued {
    vmid: u32,
    user: String,
    at_ms: i64,
}

#[derive(Debug, Default)]
struct Table {
    /// By node and port; `None` once its client is there.
    proxies: BTreeMap<(String, u16), Option<Waiting>>,
    tickets: BTreeMap<String, Issued>,
}

/// The consoles that are open or wait to be.
#[derive(Debug, Default)]
pub(crate) struct Consoles(Mutex<Table>);

impl Consoles {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `POST …/vncproxy` and `…/termproxy`.
pub(crate) fn proxy(ctx: &Ctx, vmid: &str, kind: &str) -> ApiResult {
    ctx.require(&format!("/vms/{vmid}"), "VM.Console")?;
    let number = path_vmid(vmid)?;
    let serials = Kind::Enum(&["serial0", "serial1", "serial2", "serial3"]);
    let screen = if kind == "vncproxy" { Screen::Vnc } else { Screen::Terminal };
    let params = match screen {
        Screen::Vnc => check(&ctx.params, &[opt("websocket", Kind::Bool), opt("generate-password", Kind::Bool)])?,
        Screen::Terminal => check(&ctx.params, &[opt("serial", serials)])?,
    };
    let vm = ctx.vm(number, Clone::clone)?;
    if vm.run.is_none() {
        return Err(ApiError::internal(format!("VM {number} not running")));
    }
    let serial = params
        .get("serial")
        .map_or_else(|| vm.config.keys().any(|key| key.starts_with("serial")), |key| vm.config.contains_key(key));
    if screen == Screen::Terminal && !serial {
        return Err(ApiError::internal("unable to find a serial interface"));
    }
    let secret: [u8; 24] = clock::random();
    let password = printable(clock::random());
    let ticket = format!("{password}:PVEVNC:{:08X}::{}", clock::now_s(), clock::hex(&secret));
    let (claim, claimed) = oneshot::channel();
    let waiting = Waiting { ticket: ticket.clone(), screen, claim };
    let port = open(ctx, number, waiting).ok_or_else(|| ApiError::internal("unable to find free port (5900-5999)"))?;
    let place = (ctx.node.clone(), port);
    let upid = tasks::spawn(ctx, kind, vmid, |worker| async move {
        let done = wait(&worker, claimed).await;
        worker.app.consoles.table().proxies.remove(&place);
        done
    });
    let mut out = json!({ "user": ctx.who.full(), "ticket": ticket, "port": port.to_string(), "upid": upid });
    if screen == Screen::Vnc {
        out["cert"] = json!(ctx.app.certificate_pem(&ctx.node));
        out["password"] = json!(password);
    }
    Ok(out)
}

/// A password as Proxmox makes them, of characters from `!` to `` ` ``.
fn printable(random: [u8; 8]) -> String {
    random.into_iter().map(|byte| char::from(b'!' + (byte & 0x3f))).collect()
}

/// Takes the lowest free port of the node.
fn open(ctx: &Ctx, vmid: u32, waiting: Waiting) -> Option<u16> {
    let mut table = ctx.app.consoles.table();
    let now = clock::now_ms();
    table.tickets.retain(|_, issued| now - issued.at_ms < TICKET_MS);
    if table.tickets.len() >= TICKETS_MAX {
        return None;
    }
    let port = PORTS.into_iter().find(|port| !table.proxies.contains_key(&(ctx.node.clone(), *port)))?;
    let issued = Issued { vmid, user: ctx.who.full(), at_ms: now };
    table.tickets.insert(waiting.ticket.clone(), issued);
    table.proxies.insert((ctx.node.clone(), port), Some(waiting));
    Some(port)
}

/// The proxy's task: it ends in vain without a client, and well with the client's going.
async fn wait(worker: &Worker, claimed: oneshot::Receiver<oneshot::Receiver<()>>) -> TaskResult {
    worker.log(format!("starting proxy {}", worker.upid));
    worker.work_for(std::time::Duration::ZERO).await?;
    let patience = worker.app.timings().console;
    let client = async {
        match tokio::time::timeout(patience, claimed).await {
            Ok(Ok(gone)) => {
                // Either end of the channel means that the client is gone.
                if gone.await.is_err() {
                    tracing::trace!("the console's session was dropped");
                }
                Ok(())
            }
            _ => Err("connection timed out".into()),
        }
    };
    worker.unless_stopped(client).await?
}

/// `GET …/vncwebsocket`.
pub(crate) fn connect(ctx: &Ctx, request: &Request, vmid: &str) -> ApiResult<Reply> {
    ctx.require(&format!("/vms/{vmid}"), "VM.Console")?;
    let number = path_vmid(vmid)?;
    let spec = [req("port", Kind::Int(Some(5900), Some(5999))), req("vncticket", Kind::Length(0, 512))];
    let params = check(&ctx.params, &spec)?;
    let ticket = params.text("vncticket");
    let port = params.int("port").and_then(|port| u16::try_from(port).ok()).unwrap_or_default();
    let mut table = ctx.app.consoles.table();
    let good = table.tickets.get(ticket).is_some_and(|issued| {
        issued.vmid == number && issued.user == ctx.who.full() && clock::now_ms() - issued.at_ms < TICKET_MS
    });
    if !good {
        return Err(ApiError::empty(401, "permission denied - invalid PVEVNC ticket"));
    }
    if !is_asked(request) {
        let body = json!({ "data": { "port": port.to_string() } });
        return Ok(Reply::Send(Response::json(body.to_string().into_bytes())));
    }
    let Some(slot) = table.proxies.get_mut(&(ctx.node.clone(), port)) else { return Err(refused(port)) };
    // Each proxy takes one client, and only the one with its own ticket.
    let Some(waiting) = slot.take_if(|waiting| waiting.ticket == ticket) else { return Err(refused(port)) };
    let (end, gone) = oneshot::channel();
    if waiting.claim.send(gone).is_err() {
        return Err(refused(port));
    }
    table.tickets.remove(ticket);
    drop(table);
    let (greeting, password) = (format!("{}:{}", ctx.who.full(), waiting.ticket), waiting.ticket);
    let (app, screen) = (Arc::clone(&ctx.app), waiting.screen);
    // Before version 9 what verifies the ticket takes users only.
    let is_known = ctx.app.flavour() == Flavour::V9_1 || !ctx.who.full().contains('!');
    let session = Box::new(move |mut wire: Wire| {
        let future = async move {
            match screen {
                Screen::Vnc => vnc(&app, number, &password, &mut wire).await,
                Screen::Terminal => terminal(&app, number, Some(greeting).filter(|_| is_known), &mut wire).await,
            };
            wire.close().await;
            drop(end);
        };
        Box::pin(future) as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>
    });
    Ok(Reply::Upgrade(Upgrade::grant(request, session)?))
}

fn refused(port: u16) -> ApiError {
    ApiError::internal(format!("connect to 'localhost:{port}' failed: Connection refused"))
}

fn name_of(app: &App, vmid: u32) -> Option<String> {
    app.read(|cluster| cluster.vm(vmid).filter(|vm| vm.run.is_some()).map(|vm| vm.name(vmid)))
}

/// Lets in who knows the password; `None`: it is over.
async fn log_in(password: &str, wire: &mut Wire) -> Option<()> {
    wire.write(b"RFB 003.008\n".to_vec()).await?;
    if !wire.read(12).await?.starts_with(b"RFB 003.") {
        return None;
    }
    // One kind of security: VNC authentication.
    wire.write(vec![1, 2]).await?;
    if wire.read(1).await? != [2] {
        return None;
    }
    let challenge = clock::random();
    wire.write(challenge.to_vec()).await?;
    if wire.read(16).await? != vnc_response(password, challenge) {
        let reason = b"Authentication failed";
        let mut refusal = 1_u32.to_be_bytes().to_vec();
        refusal.extend_from_slice(&(reason.len() as u32).to_be_bytes());
        refusal.extend_from_slice(reason);
        wire.write(refusal).await?;
        return None;
    }
    wire.write(vec![0; 4]).await
}

/// A guest's screen; `None` when it is over.
async fn vnc(app: &App, vmid: u32, password: &str, wire: &mut Wire) -> Option<()> {
    log_in(password, wire).await?;
    wire.read(1).await?;
    let name = name_of(app, vmid)?;
    let mut init = [WIDTH.to_be_bytes(), HEIGHT.to_be_bytes()].concat();
    init.extend_from_slice(&[32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0]);
    init.extend_from_slice(&(name.len() as u32).to_be_bytes());
    init.extend_from_slice(name.as_bytes());
    wire.write(init).await?;
    let mut pixel_bytes = 4_usize;
    loop {
        let kind = wire.read(1).await?[0];
        name_of(app, vmid)?;
        match kind {
            0 => pixel_bytes = usize::from(wire.read(19).await?[3]).div_ceil(8).clamp(1, 4),
            2 => {
                let head = wire.read(3).await?;
                wire.read(usize::from(u16::from_be_bytes([head[1], head[2]])) * 4).await?;
            }
            3 => {
                let asked = wire.read(9).await?;
                // Nothing ever changes on this screen.
                if asked[0] == 0 {
                    wire.write(picture(&asked[1..], pixel_bytes)).await?;
                }
            }
            4 => drop(wire.read(7).await?),
            5 => drop(wire.read(5).await?),
            6 => {
                let head = wire.read(7).await?;
                let length = u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize;
                if length > TEXT_BYTES_MAX {
                    return None;
                }
                let mut answer = vec![3, 0, 0, 0];
                answer.extend_from_slice(&head[3..]);
                answer.extend(wire.read(length).await?);
                wire.write(answer).await?;
            }
            _ => return None,
        }
    }
}

/// One dark rectangle, of the size that was asked for as far as the screen goes.
fn picture(place: &[u8], pixel_bytes: usize) -> Vec<u8> {
    let number = |at: usize| u16::from_be_bytes([place[at], place[at + 1]]);
    let (x, y) = (number(0).min(WIDTH), number(2).min(HEIGHT));
    let (width, height) = (number(4).min(WIDTH - x), number(6).min(HEIGHT - y));
    let mut out = vec![0, 0, 0, 1];
    for part in [x, y, width, height] {
        out.extend_from_slice(&part.to_be_bytes());
    }
    out.extend_from_slice(&[0; 4]);
    out.extend(std::iter::repeat_n(0x20, usize::from(width) * usize::from(height) * pixel_bytes));
    out
}

/// A guest's serial line: `user:ticket`, then `0:LENGTH:DATA`, `1:COLUMNS:ROWS:` or `2`. It echoes what is typed, and knows one
/// command, `stty size`.
async fn terminal(app: &App, vmid: u32, greeting: Option<String>, wire: &mut Wire) -> Option<()> {
    if wire.read_until(b'\n', 1024).await? != greeting?.as_bytes() {
        return None;
    }
    wire.write(b"OK".to_vec()).await?;
    let prompt = format!("\r\n{} login: ", name_of(app, vmid)?);
    wire.write(prompt.clone().into_bytes()).await?;
    let (mut line, mut size) = (Vec::new(), [24, 80]);
    loop {
        let kind = wire.read(1).await?[0];
        name_of(app, vmid)?;
        match kind {
            b'0' => {
                wire.read_until(b':', 0).await?;
                let length = number(wire).await?;
                if length > TEXT_BYTES_MAX {
                    return None;
                }
                let typed = wire.read(length).await?;
                let mut echo = Vec::with_capacity(typed.len());
                for byte in typed {
                    if byte != b'\r' {
                        line.push(byte);
                        echo.push(byte);
                        continue;
                    }
                    if line == b"stty size" {
                        echo.extend_from_slice(format!("\r\n{} {}", size[0], size[1]).as_bytes());
                    }
                    line.clear();
                    echo.extend_from_slice(prompt.as_bytes());
                }
                line.truncate(TEXT_BYTES_MAX);
                wire.write(echo).await?;
            }
            b'1' => {
                wire.read_until(b':', 0).await?;
                let columns = number(wire).await?;
                size = [number(wire).await?, columns];
            }
            b'2' => {}
            _ => return None,
        }
    }
}

/// Digits up to a colon.
async fn number(wire: &mut Wire) -> Option<usize> {
    String::from_utf8(wire.read_until(b':', 16).await?).ok()?.parse().ok()
}

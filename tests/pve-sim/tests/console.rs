//! Consoles: what the proxies answer, who may connect, and bytes going both ways.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::too_many_lines, reason = "tests")]

mod common;

use common::{Answer, Client, Connection, DEADLINE, builder, root, sim, with_token};
use futures::{SinkExt, StreamExt};
use pve_sim::{Flavour, Sim, Timings, vnc_response};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

const VM: &str = "/nodes/pve1/qemu/101";

type Socket = WebSocketStream<TlsStream<TcpStream>>;

fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"))
}

fn query(proxy: &Value) -> String {
    format!("port={}&vncticket={}", proxy["port"].as_str().unwrap(), escaped(proxy["ticket"].as_str().unwrap()))
}

/// Asks for the socket; the refusal, or the socket after its handshake.
async fn connect(api: &Client<'_>, query: &str) -> Result<Socket, Answer> {
    let mut conn = Connection::open_at(&api.via).await;
    let key = generate_key();
    let text = format!(
        "GET /api2/json{VM}/vncwebsocket?{query} HTTP/1.1\r\nHost: x\r\n{}Upgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: binary\r\n\r\n",
        api.auth
    );
    conn.send(text.as_bytes()).await;
    let (head, rest) = conn.read_head().await;
    if head.status != 101 {
        return Err(head);
    }
    assert_eq!(head.header("Sec-WebSocket-Accept"), Some(derive_accept_key(key.as_bytes()).as_str()));
    assert_eq!(head.header("Sec-WebSocket-Protocol"), Some("binary"));
    Ok(WebSocketStream::from_partially_read(conn.stream, rest, Role::Client, None).await)
}

/// The next bytes; empty at the end.
async fn receive(socket: &mut Socket) -> Vec<u8> {
    loop {
        match tokio::time::timeout(DEADLINE, socket.next()).await.expect("bytes in time") {
            Some(Ok(Message::Binary(bytes))) => return bytes.to_vec(),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Vec::new(),
            Some(Ok(_)) => {}
        }
    }
}

async fn send(socket: &mut Socket, bytes: &[u8]) {
    socket.send(Message::Binary(bytes.to_vec().into())).await.unwrap();
}

async fn running(sim: &Sim) -> Client<'_> {
    let api = root(sim);
    api.clone_vm(101, "&name=web-1").await;
    api.start_vm(101).await;
    api
}

#[tokio::test]
async fn a_screen_is_seen_and_typed_at() {
    let sim = sim().await;
    let api = running(&sim).await;
    let proxy = api.post(&format!("{VM}/vncproxy"), "websocket=1&generate-password=1").await.data();
    assert_eq!(proxy["port"], "5900");
    let upid = proxy["upid"].as_str().unwrap();
    assert!(upid.contains(":vncproxy:101:"), "{upid}");
    let mut socket = connect(&api, &query(&proxy)).await.unwrap();
    assert_eq!(receive(&mut socket).await, b"RFB 003.008\n");
    send(&mut socket, b"RFB 003.008\n").await;
    assert_eq!(receive(&mut socket).await, [1, 2], "it asks for a password");
    send(&mut socket, &[2]).await;
    let challenge = receive(&mut socket).await.try_into().unwrap();
    send(&mut socket, &vnc_response(proxy["password"].as_str().unwrap(), challenge)).await;
    assert_eq!(receive(&mut socket).await, [0; 4]);
    send(&mut socket, &[1]).await;
    let init = receive(&mut socket).await;
    assert_eq!((&init[..4], &init[24..]), (&[1, 64, 0, 200][..], &b"web-1"[..]), "320 × 200 and the VM's name");
    send(&mut socket, &[3, 0, 0, 0, 0, 0, 0, 2, 0, 2]).await;
    let picture = receive(&mut socket).await;
    assert_eq!((&picture[..4], picture.len()), (&[0, 0, 0, 1][..], 16 + 2 * 2 * 4));
    // Split over two messages: it is a stream of bytes.
    send(&mut socket, &[4, 1, 0, 0, 0, 0, 0, 65, 6, 0, 0, 0, 0, 0]).await;
    send(&mut socket, &[0, 5, b'h', b'e', b'l', b'l', b'o']).await;
    assert_eq!(receive(&mut socket).await, b"\x03\0\0\0\0\0\0\x05hello");
    socket.close(None).await.unwrap();
    assert_eq!(api.finish(upid).await.0, "OK", "the proxy ends with its client");
}

#[tokio::test]
async fn a_screen_is_not_shown_without_its_password() {
    let sim = sim().await;
    let api = running(&sim).await;
    let proxy = api.post(&format!("{VM}/vncproxy"), "websocket=1").await.data();
    assert!(proxy["ticket"].as_str().unwrap().starts_with(proxy["password"].as_str().unwrap()), "as recorded: {proxy}");
    let mut socket = connect(&api, &query(&proxy)).await.unwrap();
    receive(&mut socket).await;
    send(&mut socket, b"RFB 003.008\n").await;
    receive(&mut socket).await;
    send(&mut socket, &[2]).await;
    let challenge = receive(&mut socket).await.try_into().unwrap();
    send(&mut socket, &vnc_response("wrong", challenge)).await;
    assert_eq!(receive(&mut socket).await, b"\0\0\0\x01\0\0\0\x15Authentication failed");
    assert!(receive(&mut socket).await.is_empty(), "and that is the end");
}

#[tokio::test]
async fn a_terminal_of_before_version_9_hangs_up_on_a_token() {
    let sim = sim().await;
    let api = running(&sim).await;
    let proxy = api.post(&format!("{VM}/termproxy"), "").await.data();
    let mut socket = connect(&api, &query(&proxy)).await.unwrap();
    let greeting = format!("{}:{}\n", proxy["user"].as_str().unwrap(), proxy["ticket"].as_str().unwrap());
    send(&mut socket, greeting.as_bytes()).await;
    assert!(receive(&mut socket).await.is_empty(), "not even a word");
}

#[tokio::test]
async fn a_terminal_echoes_after_its_greeting() {
    let sim = builder().version(Flavour::V9_1).start().await.unwrap();
    let api = running(&sim).await;
    let proxy = api.post(&format!("{VM}/termproxy"), "").await.data();
    assert!(proxy.get("cert").is_none());
    let mut socket = connect(&api, &query(&proxy)).await.unwrap();
    let greeting = format!("{}:{}\n", proxy["user"].as_str().unwrap(), proxy["ticket"].as_str().unwrap());
    send(&mut socket, greeting.as_bytes()).await;
    assert_eq!(receive(&mut socket).await, b"OK");
    assert_eq!(receive(&mut socket).await, b"\r\nweb-1 login: ");
    send(&mut socket, b"1:132:43:2").await;
    send(&mut socket, b"0:4:root").await;
    assert_eq!(receive(&mut socket).await, b"root");
    send(&mut socket, b"0:1:\r0:10:stty size\r").await;
    assert_eq!(receive(&mut socket).await, b"\r\nweb-1 login: ");
    assert_eq!(receive(&mut socket).await, b"stty size\r\n43 132\r\nweb-1 login: ");
    // The guest goes: so does its console.
    api.done(api.post(&format!("{VM}/status/stop"), "").await).await;
    send(&mut socket, b"0:1:x").await;
    assert!(receive(&mut socket).await.is_empty());
}

#[tokio::test]
async fn a_ticket_opens_its_own_console_once() {
    let sim = sim().await;
    let api = running(&sim).await;
    let first = api.post(&format!("{VM}/vncproxy"), "websocket=1").await.data();
    let second = api.post(&format!("{VM}/vncproxy"), "websocket=1").await.data();
    assert_eq!((&first["port"], &second["port"]), (&Value::from("5900"), &Value::from("5901")));
    let refused = async |query: &str, api: &Client<'_>| match connect(api, query).await {
        Ok(_) => panic!("{query} was let in"),
        Err(answer) => (answer.status, answer.reason),
    };
    let invalid = (401, "permission denied - invalid PVEVNC ticket".to_owned());
    assert_eq!(refused("port=5900&vncticket=nonsense", &api).await, invalid);
    let crossed = format!("port=5901&vncticket={}", escaped(first["ticket"].as_str().unwrap()));
    let closed = |port: u16| (500, format!("connect to 'localhost:{port}' failed: Connection refused"));
    assert_eq!(refused(&crossed, &api).await, closed(5901));
    let nowhere = format!("port=5950&vncticket={}", escaped(first["ticket"].as_str().unwrap()));
    assert_eq!(refused(&nowhere, &api).await, closed(5950));
    let outside = format!("port=80&vncticket={}", escaped(first["ticket"].as_str().unwrap()));
    assert_eq!(refused(&outside, &api).await.0, 400);
    let token = sim.add_token("robot@pve", "console", "/vms", &["VM.Console"]);
    assert_eq!(refused(&query(&first), &with_token(&sim, &token)).await, invalid, "another user's ticket");
    let token = sim.add_token("watcher@pve", "none", "/vms", &["VM.Audit"]);
    let watcher = with_token(&sim, &token);
    assert_eq!(refused(&query(&first), &watcher).await.0, 403);
    assert_eq!(watcher.post(&format!("{VM}/vncproxy"), "websocket=1").await.status, 403);
    // Without the upgrade it only says where it would go, and uses nothing up.
    let plain = api.get(&format!("{VM}/vncwebsocket?{}", query(&first))).await.data();
    assert_eq!(plain["port"], "5900");
    let mut socket = connect(&api, &query(&first)).await.unwrap();
    assert_eq!(receive(&mut socket).await, b"RFB 003.008\n");
    assert_eq!(refused(&query(&first), &api).await, invalid, "used up");
    drop(socket);
    assert_eq!(api.finish(first["upid"].as_str().unwrap()).await.0, "OK");
    let third = api.post(&format!("{VM}/vncproxy"), "websocket=1").await.data();
    assert_eq!(third["port"], "5900", "the port is free again");
}

#[tokio::test]
async fn a_proxy_waits_for_its_client_no_longer_than_it_must() {
    let timings = Timings { console: std::time::Duration::from_millis(30), ..Timings::fast() };
    let sim = builder().timings(timings).start().await.unwrap();
    let api = running(&sim).await;
    let proxy = api.post(&format!("{VM}/vncproxy"), "websocket=1").await.data();
    assert_eq!(api.finish(proxy["upid"].as_str().unwrap()).await.0, "connection timed out");
    let late = connect(&api, &query(&proxy)).await.expect_err("refused");
    assert_eq!((late.status, late.reason.as_str()), (500, "connect to 'localhost:5900' failed: Connection refused"));
}

#[tokio::test]
async fn consoles_of_what_does_not_run_or_has_no_line() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(101, "").await;
    let off = api.post(&format!("{VM}/vncproxy"), "websocket=1").await;
    assert_eq!((off.status, off.reason.as_str()), (500, "VM 101 not running"));
    sim.hand().set_config(101, "serial0", None);
    api.start_vm(101).await;
    assert_eq!(api.post(&format!("{VM}/termproxy"), "").await.reason, "unable to find a serial interface");
    let missing = api.post("/nodes/pve1/qemu/7777/vncproxy", "websocket=1").await;
    assert_eq!(missing.reason, "Configuration file 'nodes/pve1/qemu-server/7777.conf' does not exist");
    let stopped = api.post(&format!("{VM}/vncproxy"), "websocket=1").await.data();
    let upid = stopped["upid"].as_str().unwrap();
    assert_eq!(api.delete(&format!("/nodes/pve1/tasks/{upid}")).await.status, 200);
    assert_eq!(api.finish(upid).await.0, "received interrupt");
}

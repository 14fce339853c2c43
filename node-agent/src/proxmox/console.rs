//! A VM's screen or serial terminal, over Proxmox's websocket.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use http::{HeaderMap, HeaderName, HeaderValue};
use proxmox_api::client::Client;
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::error::{ErrorKind, PveError, Result};
use super::node::Pve;
use super::probe::major_of;
use super::specs::ConsoleKind;
use super::types::{Power, Presence, Secret, Target};
use super::wire::{Num, Text, VmConfig, encode};

/// The largest piece that Proxmox may send at once.
const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// How much may wait to be sent to Proxmox.
const BUFFERED_BYTES_MAX: usize = 1 << 20;
/// What the terminal answers who it lets in.
const CONSENT: &[u8] = b"OK";
/// The terminal asks Proxmox whether our ticket is good, and versions before 9 know of no tickets of API tokens.
const TERMINAL_MAJOR_MIN: u32 = 9;
/// How long the terminal may take to let us in.
const LOGIN_MAX: Duration = Duration::from_secs(10);

/// A console that is open.
pub struct Console {
    /// Of the VNC session; `None` for a terminal.
    pub password: Option<Secret>,
    /// What has come already; it goes before all that the socket carries.
    pub first: Vec<u8>,
    /// What Proxmox's websocket carries.
    pub socket: WebSocketStream<reqwest::Upgraded>,
}

/// What `vncproxy` and `termproxy` answer.
#[derive(Deserialize)]
struct Ticket {
    #[serde(default)]
    port: Num,
    #[serde(default, rename = "ticket")]
    secret: Text,
    #[serde(default)]
    password: Text,
    #[serde(default)]
    user: Text,
}

impl Pve {
    /// See [`super::Hypervisor::open_console`].
    pub(super) async fn console_open(&self, target: Target, kind: ConsoleKind) -> Result<Console> {
        let vmid = target.vmid;
        let state = self.own_state(target).await?;
        let refuse = |text: String| PveError::new(ErrorKind::Refused, text).with_presence(Presence::Present);
        if !matches!(state.power, Power::Running | Power::Paused) {
            return Err(refuse(format!("VM {vmid} does not run: there is nothing to be seen")));
        }
        let base = self.path(&format!("/qemu/{vmid}")).await?;
        let ticket: Ticket = match kind {
            ConsoleKind::Vnc => {
                let body = json!({ "websocket": 1, "generate-password": 1 });
                self.client.post(&format!("{base}/vncproxy"), &body).await?
            }
            ConsoleKind::Terminal => {
                let version = self.pve_version().await?;
                if major_of(&version) < TERMINAL_MAJOR_MIN {
                    return Err(refuse(format!(
                        "Proxmox VE {version} lets no API token into a serial terminal: look at the screen, or upgrade the host to 9.1"
                    )));
                }
                let serial = serial_port(&self.vm_config(vmid).await?)
                    .ok_or_else(|| refuse(format!("VM {vmid} has no serial port, so it has no terminal")))?;
                self.client.post(&format!("{base}/termproxy"), &json!({ "serial": serial })).await?
            }
        };
        let (Some(port), Some(secret)) = (ticket.port.0, ticket.secret.0) else {
            return Err(PveError::new(ErrorKind::Unavailable, "Proxmox opened a console without a port or a ticket"));
        };
        let path = format!("{base}/vncwebsocket?port={port}&vncticket={}", encode(&secret));
        let mut socket = self.websocket(&path).await?;
        match kind {
            ConsoleKind::Vnc => {
                let password = Some(Secret::new(ticket.password.0.unwrap_or(secret)));
                Ok(Console { password, first: Vec::new(), socket })
            }
            ConsoleKind::Terminal => {
                let first = log_in(&mut socket, &format!("{}:{secret}\n", ticket.user.or_empty())).await?;
                Ok(Console { password: None, first, socket })
            }
        }
    }

    async fn websocket(&self, path: &str) -> Result<WebSocketStream<reqwest::Upgraded>> {
        let key = generate_key();
        let pairs = [
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-protocol", "binary"),
            ("sec-websocket-key", key.as_str()),
        ];
        let pairs = pairs
            .into_iter()
            .filter_map(|(name, value)| Some((HeaderName::from_static(name), HeaderValue::from_str(value).ok()?)));
        let (answered, upgraded) = self.client.upgrade(path, pairs.collect::<HeaderMap>()).await?;
        let accepted = answered.get("sec-websocket-accept").map(HeaderValue::as_bytes);
        if accepted != Some(derive_accept_key(key.as_bytes()).as_bytes()) {
            return Err(PveError::new(ErrorKind::Unavailable, "what answers is no websocket of Proxmox's"));
        }
        let limits = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX))
            .max_write_buffer_size(BUFFERED_BYTES_MAX);
        Ok(WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(limits)).await)
    }
}

/// The terminal wants to know who we are before it shows anything. Returns what it shows along with its consent.
async fn log_in(socket: &mut WebSocketStream<reqwest::Upgraded>, line: &str) -> Result<Vec<u8>> {
    let failed = |cause: String| {
        PveError::new(ErrorKind::Unavailable, format!("Proxmox's terminal does not let the agent in: {cause}"))
    };
    let exchange = async {
        socket.send(Message::binary(line.as_bytes().to_vec())).await.map_err(|e| failed(e.to_string()))?;
        let mut answer = Vec::new();
        loop {
            match socket.next().await {
                Some(Ok(Message::Binary(bytes))) => answer.extend_from_slice(&bytes),
                Some(Ok(Message::Text(text))) => answer.extend_from_slice(text.as_bytes()),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Ok(Message::Close(_))) | None => {
                    return Err(failed(
                        "it hung up, as before Proxmox VE 9.1: look at the screen, or upgrade the host".to_owned(),
                    ));
                }
                Some(Err(error)) => return Err(failed(error.to_string())),
            }
            if let Some(rest) = answer.strip_prefix(CONSENT) {
                return Ok(rest.to_vec());
            }
            if !CONSENT.starts_with(&answer) {
                return Err(failed(format!("it says {:?}", String::from_utf8_lossy(&answer))));
            }
        }
    };
    match timeout(LOGIN_MAX, exchange).await {
        Ok(entered) => entered,
        Err(_) => Err(failed(format!("no answer within {LOGIN_MAX:?}"))),
    }
}

/// The first serial port that Proxmox can connect to.
fn serial_port(config: &VmConfig) -> Option<String> {
    let ports = (0..4).map(|index| format!("serial{index}"));
    ports.into_iter().find(|port| config.get(port).as_deref() == Some("socket"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_needs_a_serial_port_that_is_a_socket() {
        let check = |json: &str, expected: Option<&str>| {
            assert_eq!(serial_port(&serde_json::from_str(json).unwrap()).as_deref(), expected, "{json}");
        };
        check(r#"{"serial0":"socket"}"#, Some("serial0"));
        check(r#"{"serial0":"/dev/ttyS0","serial2":"socket"}"#, Some("serial2"));
        check("{}", None);
    }

    #[test]
    fn a_ticket_is_read_whatever_its_types() {
        let ticket: Ticket =
            serde_json::from_value::<Ticket>(json!({"port": "5900", "ticket": "t", "new": 1})).unwrap();
        assert_eq!((ticket.port.0, ticket.secret.0.as_deref()), (Some(5900.0), Some("t")));
        assert!(ticket.password.0.is_none());
    }
}

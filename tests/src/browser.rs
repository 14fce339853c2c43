//! A browser's end of a console: its WebSocket, and as much of noVNC and xterm.js as it takes to see and type something.

use std::net::SocketAddr;
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};

const SOON: Duration = Duration::from_secs(30);

/// An open WebSocket of a console.
#[derive(Debug)]
pub struct Browser {
    socket: WebSocketStream<TcpStream>,
    /// What came and was not read yet.
    read: Vec<u8>,
}

impl Browser {
    /// Opens it with what the API answered to who asked for a console; the status and code of a refusal.
    pub async fn open(address: SocketAddr, asked: &Value) -> Result<Self, (u16, String)> {
        Self::attach(address, word(&asked["url"]), word(&asked["ticket"])).await
    }

    /// Opens it with this ticket.
    pub async fn attach(address: SocketAddr, path: &str, ticket: &str) -> Result<Self, (u16, String)> {
        let mut request = format!("ws://{address}{path}").into_client_request().expect("a URL");
        let offered = format!("mpanel.console, ticket.{ticket}");
        request.headers_mut().insert("sec-websocket-protocol", offered.parse().expect("a header"));
        let stream = TcpStream::connect(address).await.expect("the control plane listens");
        let answered =
            timeout(SOON, tokio_tungstenite::client_async(request, stream)).await.expect("an answer in time");
        match answered {
            Ok((socket, response)) => {
                let chosen = &response.headers()["sec-websocket-protocol"];
                assert_eq!(chosen, "mpanel.console", "the ticket is not said back");
                Ok(Self { socket, read: Vec::new() })
            }
            Err(Error::Http(response)) => {
                let problem: Value =
                    serde_json::from_slice(response.body().as_deref().unwrap_or_default()).unwrap_or_default();
                Err((response.status().as_u16(), word(&problem["code"]).to_owned()))
            }
            Err(other) => panic!("{other}"),
        }
    }

    /// The next message.
    pub async fn heard(&mut self) -> Message {
        timeout(SOON, self.socket.next()).await.expect("a message in time").expect("a message").expect("no break")
    }

    /// The next message, which is text: the control plane's own words.
    pub async fn said(&mut self) -> Value {
        match self.heard().await {
            Message::Text(text) => serde_json::from_str(&text).expect("JSON"),
            other => panic!("expected words, got {other:?}"),
        }
    }

    /// Types, or sends what a protocol wants.
    pub async fn send(&mut self, bytes: &[u8]) {
        self.socket.send(Message::Binary(bytes.to_vec().into())).await.expect("the console is open");
    }

    /// So many bytes of what the guest shows.
    pub async fn bytes<const N: usize>(&mut self) -> [u8; N] {
        while self.read.len() < N {
            match self.heard().await {
                Message::Binary(bytes) => self.read.extend_from_slice(&bytes),
                other => panic!("{other:?} after {:?}", String::from_utf8_lossy(&self.read)),
            }
        }
        let rest = self.read.split_off(N);
        std::mem::replace(&mut self.read, rest).try_into().expect("as many")
    }

    /// Reads until the guest has shown this.
    pub async fn shows(&mut self, text: &str) {
        let mut shown = Vec::new();
        while !String::from_utf8_lossy(&shown).ends_with(text) {
            shown.extend(self.bytes::<1>().await);
            assert!(shown.len() < 10_000, "{text:?} in vain: {}", String::from_utf8_lossy(&shown));
        }
    }

    /// Does what noVNC does with a URL and a password: RFB 3.8 with VNC authentication; the screen's name.
    pub async fn vnc(&mut self, password: &str) -> String {
        assert_eq!(&self.bytes::<12>().await, b"RFB 003.008\n");
        self.send(b"RFB 003.008\n").await;
        assert_eq!(self.bytes::<2>().await, [1, 2], "VNC authentication and nothing else");
        self.send(&[2]).await;
        let challenge = self.bytes::<16>().await;
        self.send(&pve_sim::vnc_response(password, challenge)).await;
        assert_eq!(self.bytes::<4>().await, [0; 4], "the password is right");
        self.send(&[1]).await;
        let init = self.bytes::<24>().await;
        let mut name = String::new();
        for _ in 0..u32::from_be_bytes([init[20], init[21], init[22], init[23]]) {
            name.push(char::from(self.bytes::<1>().await[0]));
        }
        name
    }

    /// Closes it as a window is closed.
    pub async fn close(mut self) {
        self.socket.close(None).await.expect("it is open");
    }

    /// Waits for its end from the other side: the reason of the close frame.
    pub async fn closed(mut self) -> String {
        loop {
            match self.heard().await {
                Message::Close(frame) => return frame.expect("a reason").reason.to_string(),
                Message::Binary(_) => {}
                other => panic!("expected the end, got {other:?}"),
            }
        }
    }
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

//! Connections that become web sockets: what a handler hands over, and bytes read and written through them.

use std::pin::Pin;

use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocketConfig};

use crate::error::ApiError;
use crate::http::Request;

/// The longest message that is taken.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// A connection of either kind.
pub(crate) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Io for S {}

type Socket = WebSocketStream<Box<dyn Io>>;

/// What goes on over the socket once it is open.
pub(crate) type Session = Box<dyn FnOnce(Wire) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// A request that is granted its socket.
pub(crate) struct Upgrade {
    accept: String,
    protocol: Option<&'static str>,
    session: Session,
}

impl std::fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upgrade").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

/// Whether a request asks for a socket.
pub(crate) fn is_asked(request: &Request) -> bool {
    request.header("Upgrade").is_some_and(|text| text.eq_ignore_ascii_case("websocket"))
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default().max_message_size(Some(MESSAGE_BYTES_MAX)).max_frame_size(Some(MESSAGE_BYTES_MAX))
}

impl Upgrade {
    /// Grants it, or refuses what RFC 6455 does not allow.
    pub(crate) fn grant(request: &Request, session: Session) -> Result<Self, ApiError> {
        if request.header("Sec-WebSocket-Version") != Some("13") {
            return Err(ApiError::plain(501, "unsupported websocket-version"));
        }
        let key = request.header("Sec-WebSocket-Key").ok_or_else(|| ApiError::plain(400, "missing websocket key"))?;
        let offered = request.header("Sec-WebSocket-Protocol").unwrap_or_default();
        let protocol = offered.split(',').any(|name| name.trim() == "binary").then_some("binary");
        Ok(Self { accept: derive_accept_key(key.as_bytes()), protocol, session })
    }

    /// The answer's head.
    pub(crate) fn head(&self) -> String {
        let protocol = self.protocol.map(|name| format!("Sec-WebSocket-Protocol: {name}\r\n")).unwrap_or_default();
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n{protocol}\r\n",
            self.accept
        )
    }

    /// Goes on after the head, with what was read already.
    pub(crate) async fn run(self, stream: Box<dyn Io>, read: Vec<u8>) {
        let socket = WebSocketStream::from_partially_read(stream, read, Role::Server, Some(config())).await;
        (self.session)(Wire { socket, buffer: Vec::new() }).await;
    }
}

/// A socket as a stream of bytes: messages are neither kept apart nor told from each other.
pub(crate) struct Wire {
    socket: Socket,
    buffer: Vec<u8>,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire").field("buffered", &self.buffer.len()).finish_non_exhaustive()
    }
}

impl Wire {
    /// The client's end of one.
    pub(crate) async fn client(stream: Box<dyn Io>, read: Vec<u8>) -> Self {
        let socket = WebSocketStream::from_partially_read(stream, read, Role::Client, Some(config())).await;
        Self { socket, buffer: Vec::new() }
    }

    /// So many bytes; `None` when the other end is gone.
    pub(crate) async fn read(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < length {
            self.fill().await?;
        }
        Some(self.buffer.drain(..length).collect())
    }

    /// Up to and without this byte; `None` also when it does not come within so many.
    pub(crate) async fn read_until(&mut self, end: u8, max: usize) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.buffer.iter().position(|byte| *byte == end) {
                let line = self.buffer.drain(..=at).collect::<Vec<u8>>();
                return Some(line[..at].to_vec());
            }
            if self.buffer.len() > max {
                return None;
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Option<()> {
        match self.socket.next().await?.ok()? {
            Message::Binary(bytes) => self.buffer.extend_from_slice(&bytes),
            Message::Text(text) => self.buffer.extend_from_slice(text.as_bytes()),
            Message::Close(_) => return None,
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
        Some(())
    }

    /// Sends one message; `None` when the other end is gone.
    pub(crate) async fn write(&mut self, bytes: Vec<u8>) -> Option<()> {
        self.socket.send(Message::Binary(bytes.into())).await.ok()
    }

    /// Says goodbye; a client that is gone needs none.
    pub(crate) async fn close(mut self) {
        if let Err(err) = self.socket.close(None).await {
            tracing::trace!(%err, "the client had gone before the socket was closed");
        }
    }
}

//! The HTTP/1.1 connection, as the real daemon speaks it.
//!
//! It is written out here, on `httparse`, because a general HTTP server is too well behaved: it will not leave out
//! `Content-Length` of a 401, send two `Connection` headers, refuse chunked bodies, or stop in mid-body on request.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::error::ApiError;
use crate::websocket::{Io, Upgrade};

const HEAD_BYTES_MAX: usize = 64 << 10;
const HEADERS_MAX: usize = 100;
/// Bodies above this are refused with 501.
pub(crate) const BODY_BYTES_MAX: usize = 512 << 10;
/// Uploads may be larger.
const UPLOAD_BYTES_MAX: usize = 64 << 20;
const REQUESTS_PER_CONNECTION: usize = 100;
const GZIP_FROM_BYTES: usize = 1024;

/// A request read whole.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path without the query, as sent.
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    http_10: bool,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// An answer to be written.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) reason: String,
    pub(crate) content_type: Option<&'static str>,
    /// `None` leaves out the length as well.
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) location: Option<String>,
    /// Sends this many bytes of the body and closes.
    pub(crate) cut_after: Option<usize>,
    /// Was passed on to the privileged daemon, whose own `Connection: close` shows beside ours.
    pub(crate) proxied: bool,
}

pub(crate) const JSON: &str = "application/json;charset=UTF-8";

impl Response {
    pub(crate) fn json(body: Vec<u8>) -> Self {
        let (content_type, reason) = (Some(JSON), "OK".to_owned());
        Self { status: 200, reason, content_type, body: Some(body), location: None, cut_after: None, proxied: false }
    }

    pub(crate) fn error(err: &ApiError) -> Self {
        let (body, is_json) = err.body.render().map_or((None, false), |(body, is_json)| (Some(body), is_json));
        let content_type = is_json.then_some(JSON);
        let reason = err.reason.clone();
        Self { status: err.status, reason, content_type, body, location: None, cut_after: None, proxied: false }
    }
}

/// What the handler wants done with the connection.
#[derive(Debug)]
pub(crate) enum Reply {
    Send(Response),
    /// Go on as a web socket.
    Upgrade(Upgrade),
    /// Close without a word.
    Drop,
    /// Keep the connection open and say nothing until the client gives up or the server stops.
    Hang,
}

/// Answers requests; implemented by the API and by the control port.
pub(crate) trait Handler: Send + Sync + 'static {
    fn handle(&self, request: Request) -> impl Future<Output = Reply> + Send;
}

/// Serves one connection until it ends.
pub(crate) async fn serve<S, H>(stream: S, handler: Arc<H>, idle: Duration, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    let mut conn = Connection { stream, buffer: Vec::new() };
    for served in 1..=REQUESTS_PER_CONNECTION {
        let read = tokio::select! {
            () = stop.cancelled() => break,
            read = tokio::time::timeout(idle, conn.read_request()) => read,
        };
        let Ok(Ok(Some(outcome))) = read else { break };
        let (reply, close, gzip, http_10) = match outcome {
            Ok(request) => {
                let close = request.http_10
                    || request.header("Connection").is_some_and(|text| text.eq_ignore_ascii_case("close"));
                let gzip = request.header("Accept-Encoding").is_some_and(|text| text.contains("gzip"));
                let http_10 = request.http_10;
                let reply = tokio::select! {
                    () = stop.cancelled() => break,
                    reply = handler.handle(request) => reply,
                };
                (reply, close, gzip, http_10)
            }
            Err(refusal) => (Reply::Send(Response::error(&refusal)), true, false, false),
        };
        let response = match reply {
            Reply::Send(response) => response,
            Reply::Upgrade(upgrade) => {
                conn.upgrade(upgrade, &stop).await;
                return;
            }
            Reply::Drop => break,
            Reply::Hang => {
                conn.wait_until_gone(&stop).await;
                break;
            }
        };
        let close = close || response.status >= 400 || served == REQUESTS_PER_CONNECTION;
        let cut = response.cut_after.is_some();
        if conn.write(response, close, gzip, http_10).await.is_err() || cut || close {
            break;
        }
    }
    conn.finish().await;
}

struct Connection<S> {
    stream: S,
    buffer: Vec<u8>,
}

type ReadOutcome = std::io::Result<Option<Result<Request, ApiError>>>;

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// The next request; `None` at the end of the stream, an inner error for what HTTP itself refuses.
    async fn read_request(&mut self) -> ReadOutcome {
        loop {
            match parse_head(&self.buffer) {
                Ok(Some((request, head_len))) => {
                    self.buffer.drain(..head_len);
                    return self.read_body(request).await;
                }
                Ok(None) if self.buffer.len() > HEAD_BYTES_MAX => {
                    return Ok(Some(Err(ApiError::empty(400, "request header too large"))));
                }
                Ok(None) => {}
                Err(()) => return Ok(Some(Err(ApiError::empty(400, "bad request")))),
            }
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    async fn read_body(&mut self, mut request: Request) -> ReadOutcome {
        if !matches!(request.method.as_str(), "GET" | "POST" | "PUT" | "DELETE") {
            let reason = format!("method '{}' not available", request.method);
            return Ok(Some(Err(ApiError::empty(501, &reason))));
        }
        if request.header("Transfer-Encoding").is_some_and(|text| text.eq_ignore_ascii_case("chunked")) {
            return Ok(Some(Err(ApiError::plain(501, "chunked transfer encoding not supported"))));
        }
        let length = request.header("Content-Length").map_or(Some(0), |text| text.trim().parse::<usize>().ok());
        let Some(length) = length else { return Ok(Some(Err(ApiError::empty(400, "bad request")))) };
        if length == 0 {
            return Ok(Some(Ok(request)));
        }
        if !matches!(request.method.as_str(), "PUT" | "POST") {
            let text = format!("Unexpected content for method '{}'", request.method);
            return Ok(Some(Err(ApiError::plain(501, &text))));
        }
        let upload = request.header("Content-Type").is_some_and(|text| text.starts_with("multipart/form-data"));
        if length > if upload { UPLOAD_BYTES_MAX } else { BODY_BYTES_MAX } {
            return Ok(Some(Err(ApiError::plain(501, "for data too large"))));
        }
        while self.buffer.len() < length {
            if !self.fill().await? {
                return Ok(None);
            }
        }
        request.body = self.buffer.drain(..length).collect();
        Ok(Some(Ok(request)))
    }

    async fn fill(&mut self) -> std::io::Result<bool> {
        self.buffer.reserve(8 << 10);
        Ok(self.stream.read_buf(&mut self.buffer).await? > 0)
    }

    async fn write(&mut self, response: Response, close: bool, gzip: bool, http_10: bool) -> std::io::Result<()> {
        let (body, encoded) = encode(response.body, gzip);
        let date = clock::http_date();
        let version = if http_10 { "1.0" } else { "1.1" };
        let connection = if close { "close" } else { "Keep-Alive" };
        let mut head = Vec::new();
        let reason: String = response.reason.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        write!(head, "HTTP/{version} {} {reason}\r\n", response.status)?;
        head.extend_from_slice(b"Cache-Control: max-age=0\r\n");
        if response.proxied && !close {
            head.extend_from_slice(b"Connection: close\r\n");
        }
        write!(head, "Connection: {connection}\r\nDate: {date}\r\nPragma: no-cache\r\n")?;
        if let Some(location) = &response.location {
            write!(head, "Location: {location}\r\n")?;
        }
        head.extend_from_slice(b"Server: pve-api-daemon/3.0\r\n");
        if encoded {
            head.extend_from_slice(b"Content-Encoding: gzip\r\n");
        }
        if let Some(body) = &body {
            write!(head, "Content-Length: {}\r\n", body.len())?;
        }
        if let Some(content_type) = response.content_type {
            write!(head, "Content-Type: {content_type}\r\n")?;
        }
        write!(head, "Expires: {date}\r\n\r\n")?;
        let mut body = body.unwrap_or_default();
        if let Some(cut) = response.cut_after {
            body.truncate(cut);
        }
        head.extend_from_slice(&body);
        self.stream.write_all(&head).await?;
        self.stream.flush().await
    }

    /// Hands the connection over for good.
    async fn upgrade(mut self, upgrade: Upgrade, stop: &CancellationToken)
    where
        S: Send + 'static,
    {
        let head = upgrade.head();
        if self.stream.write_all(head.as_bytes()).await.is_err() || self.stream.flush().await.is_err() {
            return;
        }
        let stream: Box<dyn Io> = Box::new(self.stream);
        tokio::select! {
            () = stop.cancelled() => {}
            () = upgrade.run(stream, self.buffer) => {}
        }
    }

    async fn wait_until_gone(&mut self, stop: &CancellationToken) {
        let mut sink = [0; 1024];
        tokio::select! {
            () = stop.cancelled() => {}
            () = async { while self.stream.read(&mut sink).await.is_ok_and(|read| read > 0) {} } => {}
        }
    }

    /// Closes properly, and lets go of a client that does not.
    async fn finish(&mut self) {
        let closed = tokio::time::timeout(Duration::from_secs(1), self.stream.shutdown()).await;
        if !matches!(closed, Ok(Ok(()))) {
            tracing::trace!("the client had gone before the connection was closed");
        }
    }
}

fn encode(body: Option<Vec<u8>>, gzip: bool) -> (Option<Vec<u8>>, bool) {
    let Some(body) = body else { return (None, false) };
    if !gzip || body.len() < GZIP_FROM_BYTES {
        return (Some(body), false);
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    match encoder.write_all(&body).and_then(|()| encoder.finish()) {
        Ok(packed) => (Some(packed), true),
        Err(_) => (Some(body), false),
    }
}

fn parse_head(buffer: &[u8]) -> Result<Option<(Request, usize)>, ()> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    let length = match parsed.parse(buffer).map_err(|_| ())? {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial => return Ok(None),
    };
    let target = parsed.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: parsed.headers.iter().map(|header| (header.name.to_owned(), text(header.value))).collect(),
        body: Vec::new(),
        http_10: parsed.version == Some(0),
    };
    Ok(Some((request, length)))
}

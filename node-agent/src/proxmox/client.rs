//! HTTP to Proxmox VE, as the `proxmox-api` crate's transport.
//!
//! The crate's own transport skips the check of the certificate and loses the reason phrase, in which Proxmox puts its errors.
//! This one keeps the phrase, checks the certificate, and bounds time, size and the number of calls at once.

use std::error::Error as _;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use proxmox_api::client::{Client, Method};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Semaphore;
use url::Url;

use super::config::{BadSetting, PveConfig};
use super::error::{ErrorKind, PveError, Result};
use super::tls;

/// The largest answer that is read: some 30,000 VMs in one list.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// Proxmox closes an idle connection after 5 s; one that is about to be closed is not used again.
const IDLE_MAX: Duration = Duration::from_secs(4);
/// Proxmox's proxy got no connection to the daemon or node behind it: nobody has heard of the call.
const NOT_CONNECTED: u16 = 595;

/// Speaks to one Proxmox VE server. Clones share connections and limits.
#[derive(Clone)]
pub struct PveClient(Arc<Inner>);

struct Inner {
    http: reqwest::Client,
    base: Url,
    authorization: HeaderValue,
    timeout: Duration,
    calls: Semaphore,
}

/// A request, put together before anything is awaited.
struct Prepared {
    method: Method,
    path: String,
    url: Url,
    body: Option<Vec<u8>>,
}

impl PveClient {
    /// Sets up the client; connects to nothing yet.
    ///
    /// # Errors
    /// When the URL is no `https` URL or the CA file cannot be used.
    pub fn new(config: &PveConfig) -> std::result::Result<Self, BadSetting> {
        if config.url.scheme() != "https" || config.url.host_str().is_none_or(str::is_empty) {
            return Err(BadSetting(format!("Proxmox's URL must look like https://host:8006, not {}", config.url)));
        }
        let mut builder = reqwest::Client::builder()
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(config.call_timeout.min(Duration::from_secs(5)))
            .timeout(config.call_timeout)
            .pool_idle_timeout(IDLE_MAX)
            .pool_max_idle_per_host(config.calls_max);
        if let Some(tls) = tls::client_config(&config.trust)? {
            builder = builder.tls_backend_preconfigured(tls);
        } else {
            // Fails only where a provider is installed already, which is as good.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let http =
            builder.build().map_err(|e| BadSetting(format!("the HTTP client cannot be set up: {}", chain(&e))))?;
        let mut authorization =
            HeaderValue::try_from(format!("PVEAPIToken={}={}", config.token.id, config.token.secret.reveal()))
                .map_err(|_| BadSetting("the token holds characters that no header may hold".to_owned()))?;
        authorization.set_sensitive(true);
        Ok(Self(Arc::new(Inner {
            http,
            base: config.url.clone(),
            authorization,
            timeout: config.call_timeout,
            calls: Semaphore::new(config.calls_max.max(1)),
        })))
    }

    /// Reads a path into a type of ours.
    pub(super) async fn read<R: DeserializeOwned>(&self, path: &str) -> Result<R> {
        self.get::<(), R>(path, &()).await
    }

    /// Changes the protocol of a connection, as a websocket begins. Returns the answer's headers and the bare connection.
    pub(super) async fn upgrade(&self, path: &str, headers: HeaderMap) -> Result<(HeaderMap, reqwest::Upgraded)> {
        let prepared = self.prepare::<(), ()>(Method::Get, path, None, None)?;
        let request = self.0.http.get(prepared.url.clone()).headers(headers);
        let request = request.header(AUTHORIZATION, self.0.authorization.clone());
        // The path holds a ticket: it is not told.
        let prepared = Prepared { path: path.split('?').next().unwrap_or_default().to_owned(), ..prepared };
        let unmade = |error: &reqwest::Error| Failure::of(error).into_error(&prepared);
        let answer = request.send().await.map_err(|error| unmade(&error))?;
        let status = answer.status();
        if status != StatusCode::SWITCHING_PROTOCOLS {
            let error = refusal(status, reason(&answer), false, &[]);
            return Err(if status.is_success() { PveError { kind: ErrorKind::Unavailable, ..error } } else { error });
        }
        let headers = answer.headers().clone();
        let upgraded = answer.upgrade().await.map_err(|error| unmade(&error))?;
        Ok((headers, upgraded))
    }

    fn prepare<B: Serialize, Q: Serialize>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
        query: Option<&Q>,
    ) -> Result<Prepared> {
        let refuse = |e: serde_json::Error| {
            PveError::new(ErrorKind::BadParameter, format!("{method} {path} cannot be written: {e}"))
        };
        let mut url = self.0.base.clone();
        let (bare, fixed) = path.split_once('?').map_or((path, None), |(bare, fixed)| (bare, Some(fixed)));
        url.set_path(&format!("/api2/json{bare}"));
        url.set_query(fixed);
        if let Some(query) = query
            && let Value::Object(fields) = serde_json::to_value(query).map_err(refuse)?
        {
            let pairs = fields.iter().filter_map(|(key, value)| query_text(value).map(|text| (key, text)));
            let pairs: Vec<_> = pairs.collect();
            if !pairs.is_empty() {
                url.query_pairs_mut().extend_pairs(pairs);
            }
        }
        let body = match body {
            None => None,
            // The crate passes `()` where there are no parameters: Proxmox fails on `null` and on an empty JSON body.
            Some(body) => match serde_json::to_value(body).map_err(refuse)? {
                Value::Null => None,
                body => Some(serde_json::to_vec(&body).map_err(refuse)?),
            },
        };
        Ok(Prepared { method, path: path.to_owned(), url, body })
    }

    async fn send(&self, prepared: &Prepared) -> Result<Vec<u8>> {
        let Ok(permit) = tokio::time::timeout(self.0.timeout, self.0.calls.acquire()).await else {
            return Err(PveError::new(
                ErrorKind::Unavailable,
                "too many calls to Proxmox are under way; this one was not sent",
            ));
        };
        let _permit = permit.map_err(|_| PveError::new(ErrorKind::Unavailable, "the client is shut down"))?;
        match self.exchange(prepared).await {
            // A connection that Proxmox closed while it was idle. Reading twice is harmless; writing twice is not.
            Err(Failure::Closed(_)) if prepared.method == Method::Get => {
                self.exchange(prepared).await.map_err(|failure| failure.into_error(prepared))
            }
            outcome => outcome.map_err(|failure| failure.into_error(prepared)),
        }
    }

    async fn exchange(&self, prepared: &Prepared) -> std::result::Result<Vec<u8>, Failure> {
        let method = match prepared.method {
            Method::Get => http::Method::GET,
            Method::Post => http::Method::POST,
            Method::Put => http::Method::PUT,
            Method::Delete => http::Method::DELETE,
        };
        let mut request = self
            .0
            .http
            .request(method, prepared.url.clone())
            .header(AUTHORIZATION, self.0.authorization.clone())
            .header(ACCEPT, "application/json");
        if let Some(body) = &prepared.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let mut response = request.send().await.map_err(|error| Failure::of(&error))?;
        let status = response.status();
        let reason = reason(&response);
        let is_json = response
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().to_ascii_lowercase().starts_with(b"application/json"));
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > ANSWER_BYTES_MAX => {
                    return Err(Failure::Answer(PveError::new(
                        ErrorKind::Unavailable,
                        format!("the answer is longer than {} MiB", ANSWER_BYTES_MAX >> 20),
                    )));
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                // The status line of an error tells all that matters.
                Err(_) if !status.is_success() => break,
                Err(error) => return Err(Failure::of(&error)),
            }
        }
        if !status.is_success() {
            return Err(Failure::Answer(refusal(status, reason, is_json, &body)));
        }
        if !is_json {
            return Err(Failure::Answer(PveError {
                status: Some(status.as_u16()),
                ..PveError::new(
                    ErrorKind::Unavailable,
                    "the answer is not JSON: is this the address of Proxmox VE's API, port 8006?",
                )
            }));
        }
        Ok(body)
    }
}

impl Client for PveClient {
    type Error = PveError;

    fn request_with_body_and_query<B, Q, R>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
        query: Option<&Q>,
    ) -> impl Future<Output = Result<R>>
    where
        B: Serialize,
        Q: Serialize,
        R: DeserializeOwned,
    {
        let prepared = self.prepare(method, path, body, query);
        let client = self.clone();
        async move {
            let prepared = prepared?;
            let answer = client.send(&prepared).await?;
            decode(&prepared, &answer)
        }
    }
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    data: Value,
}

fn decode<R: DeserializeOwned>(prepared: &Prepared, answer: &[u8]) -> Result<R> {
    serde_json::from_slice::<Envelope>(answer).and_then(|envelope| serde_json::from_value(envelope.data)).map_err(|e| {
        PveError {
            status: Some(200),
            is_open: true,
            ..PveError::new(
                ErrorKind::Unavailable,
                format!("Proxmox's answer to {} {} is not understood: {e}", prepared.method, prepared.path),
            )
        }
    })
}

/// What kept a call from a usable answer.
enum Failure {
    /// There was no connection to send it over.
    NotSent(String),
    /// The connection was closed before the answer began.
    Closed(String),
    Timeout,
    Io(String),
    Answer(PveError),
}

impl Failure {
    fn of(error: &reqwest::Error) -> Self {
        let text = chain(error);
        if error.is_connect() {
            Self::NotSent(text)
        } else if error.is_timeout() {
            Self::Timeout
        } else if error.is_request() {
            Self::Closed(text)
        } else {
            Self::Io(text)
        }
    }

    fn into_error(self, prepared: &Prepared) -> PveError {
        let call = format!("{} {}", prepared.method, prepared.path);
        let unreachable = |text: String| {
            PveError::new(ErrorKind::Unavailable, format!("Proxmox cannot be reached for {call}: {text}"))
        };
        let open = |error: PveError| PveError { is_open: true, ..error };
        match self {
            // A gateway's answer, or one that is not understood, tells nothing of the call.
            Self::Answer(error) => {
                let is_own_words = error.status == Some(500) && !error.message.starts_with("Internal Server Error");
                let was_taken_on = error.status != Some(NOT_CONNECTED);
                PveError { is_open: error.kind == ErrorKind::Unavailable && !is_own_words && was_taken_on, ..error }
            }
            Self::Timeout => {
                open(PveError::new(ErrorKind::Timeout, format!("Proxmox gave no answer in time to {call}")))
            }
            Self::NotSent(text) => unreachable(text),
            Self::Closed(text) | Self::Io(text) => open(unreachable(text)),
        }
    }
}

/// An error and all its causes, without the URL that reqwest repeats at each.
fn chain(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let part = error.to_string();
        if !text.ends_with(&part) {
            text = if text.is_empty() { part } else { format!("{text}: {part}") };
        }
        cause = error.source();
    }
    if text.is_empty() { error.to_string() } else { text }
}

/// The reason phrase as it came. The HTTP library keeps it only where it differs from the status's usual one.
fn reason(response: &reqwest::Response) -> String {
    let phrase = response.extensions().get::<hyper::ext::ReasonPhrase>();
    let phrase = phrase.map(|phrase| String::from_utf8_lossy(phrase.as_bytes()).trim().to_owned());
    phrase.or_else(|| response.status().canonical_reason().map(str::to_owned)).unwrap_or_default()
}

/// Puts an error answer into words: the reason phrase, what the body adds about single parameters, and where there is no phrase
/// of Proxmox's the body's message.
fn refusal(status: StatusCode, reason: String, is_json: bool, body: &[u8]) -> PveError {
    let body: Option<Value> = if is_json { serde_json::from_slice(body).ok() } else { None };
    let mut message = reason;
    if message.is_empty() || status.canonical_reason() == Some(&message) {
        let own = body.as_ref().and_then(|body| body["message"].as_str()).map(str::trim).filter(|own| !own.is_empty());
        message = own.map(str::to_owned).unwrap_or(message);
    }
    if message.is_empty() {
        message = format!("HTTP status {}", status.as_u16());
    }
    if let Some(Value::Object(errors)) = body.as_ref().map(|body| &body["errors"]) {
        for (parameter, text) in errors {
            let text = text.as_str().map_or_else(|| text.to_string(), |text| text.trim().to_owned());
            message = format!("{message} {parameter}: {text}");
        }
    }
    let mut error = PveError::answered(status.as_u16(), message);
    if !is_json && error.kind == ErrorKind::TaskFailed && status == StatusCode::INTERNAL_SERVER_ERROR && body.is_none()
    {
        // A proxy's error page, not an answer of Proxmox's API: it tells nothing about the call.
        error.kind = ErrorKind::Unavailable;
    }
    if error.status == Some(401) {
        error.message = format!("{} (check the token's id, secret and expiry)", error.message);
    }
    error
}

fn query_text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Bool(flag) => Some(u8::from(*flag).to_string()),
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;

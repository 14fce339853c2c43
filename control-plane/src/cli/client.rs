//! The REST API over HTTP. A request whose answer is lost is sent again with the same idempotency key, so it has one effect.

use std::time::Duration;

use reqwest::header::{self, HeaderMap};
use reqwest::{Method, StatusCode, Upgraded};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use url::Url;
use uuid::Uuid;

use super::connection::{Connection, Resolved};
use super::failure::{Failure, NONE_ASKED, Problem, Result, SIGN_IN};
use super::output::Out;
use super::session::{Saved, Store};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A little more than the control plane lets a request take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(40);
const TRIES: u32 = 4;
const RETRY_FIRST: Duration = Duration::from_millis(500);
/// The longest that `Retry-After` is followed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(10);
/// No answer of the API's is larger; what is, is not from it.
const ANSWER_BYTES_MAX: usize = 32 << 20;
const PAGE_LIMIT: usize = 200;

/// An answer that is no error.
pub struct Answer {
    /// The document; null where there is none.
    pub body: Value,
    /// The version of what was read, for a change of it.
    pub etag: Option<String>,
}

/// The API.
pub struct Client {
    http: reqwest::Client,
    connection: Resolved,
    idempotency_key: Option<String>,
    /// The sign-in of `mpanel login`, where no token was given.
    signed_in: Option<Mutex<Saved>>,
}

struct Request<'a> {
    method: Method,
    url: Url,
    body: Option<&'a Value>,
    key: Option<String>,
    if_match: Option<&'a str>,
}

/// What may be tried again.
enum Lost {
    /// With the same request, after so long.
    Retry(Failure, Option<Duration>),
    Final(Failure),
}

impl Client {
    /// As the flags say; nothing is sent yet.
    pub fn new(connection: &Connection, idempotency_key: Option<String>, out: Out) -> Result<Self> {
        let connection = connection.resolve()?;
        if connection.is_in_clear {
            out.note(format!("warning: {} is not encrypted: what is sent can be read on its way", connection.url));
        }
        if idempotency_key.as_ref().is_some_and(|key| header::HeaderValue::from_str(key).is_err()) {
            return Err(Failure::usage("--idempotency-key: must be plain text on one line"));
        }
        let http = build(&connection, false)?;
        let client = Self { http, connection, idempotency_key, signed_in: None };
        if client.connection.token.is_some() { Ok(client) } else { client.into_signed_in() }
    }

    /// The same as who has signed in, whatever token was given.
    pub fn into_signed_in(mut self) -> Result<Self> {
        let saved = Store::of_user().map(|store| store.find(self.connection.url.as_str())).transpose()?.flatten();
        self.connection.token = None;
        self.connection.token_source = if saved.is_some() { SIGN_IN } else { "" };
        self.signed_in = saved.map(Mutex::new);
        Ok(self)
    }

    /// Where the token came from; empty where there is none.
    pub fn token_source(&self) -> &'static str {
        self.connection.token_source
    }

    /// Where the control plane is.
    pub fn address(&self) -> String {
        self.connection.url.to_string()
    }

    /// Asks for something that needs no token, and shows none.
    pub async fn post_open(&self, path: &[&str], body: &Value) -> Result<Value> {
        let (method, url) = (Method::POST, self.url(path, &[]));
        let request = Request { method, url, body: Some(body), key: None, if_match: None };
        match self.exchange(&request, None).await {
            Ok(answer) => Ok(answer.body),
            Err(Lost::Retry(failure, _) | Lost::Final(failure)) => Err(failure.with_token_source(NONE_ASKED)),
        }
    }

    /// What to show: the token that was given, or the sign-in's, which is refreshed when it is about to end.
    async fn bearer(&self) -> Result<Option<String>> {
        let Some(signed_in) = &self.signed_in else { return Ok(self.connection.token.clone()) };
        let mut saved = signed_in.lock().await;
        if let Some(token) = saved.fresh() {
            return Ok(Some(token.to_owned()));
        }
        let Some(store) = Store::of_user() else { return Ok(None) };
        let (lock, url) = (store.lock()?, self.address());
        // Another command may have done so meanwhile, or signed out.
        let Some(present) = lock.find(&url)? else { return Ok(None) };
        if present.fresh().is_none() {
            let body = json!({ "refresh_token": present.refresh_token() });
            match self.post_open(&["auth", "refresh"], &body).await {
                Ok(answer) => {
                    *saved = Saved::of(&present.email, &answer)
                        .ok_or_else(|| self.unreachable("its answer holds no tokens".to_owned(), NOT_MPANEL))?;
                    lock.put(&url, Some(saved.clone()))?;
                }
                Err(failure) => {
                    if matches!(&failure, Failure::Problem(problem) if problem.status == 401) {
                        lock.put(&url, None)?;
                    }
                    return Err(failure.with_token_source(SIGN_IN));
                }
            }
        } else {
            *saved = present;
        }
        // Whatever this machine's clock makes of it: it is new.
        Ok(Some(saved.access_token().to_owned()))
    }

    /// The tenant that is meant, by its id.
    pub fn tenant(&self) -> Option<&str> {
        self.connection.tenant.as_deref()
    }

    /// From now on this one is meant, by its id.
    pub fn tenant_set(&mut self, id: Option<String>) {
        self.connection.tenant = id;
    }

    /// Reads.
    pub async fn get(&self, path: &[&str], query: &[(&str, String)]) -> Result<Answer> {
        self.send(Request { method: Method::GET, url: self.url(path, query), body: None, key: None, if_match: None })
            .await
    }

    /// Makes something or starts something.
    pub async fn post(&self, path: &[&str], body: Option<&Value>) -> Result<Answer> {
        let key = self.idempotency_key.clone().unwrap_or_else(|| Uuid::now_v7().to_string());
        let url = self.url(path, &[]);
        self.send(Request { method: Method::POST, url, body, key: Some(key), if_match: None }).await
    }

    /// Changes the version that was read.
    pub async fn patch(&self, path: &[&str], body: &Value, etag: Option<&str>) -> Result<Answer> {
        let url = self.url(path, &[]);
        self.send(Request { method: Method::PATCH, url, body: Some(body), key: None, if_match: etag }).await
    }

    /// Says what something is to be from now on; `etag`: only if it is still the version that was read.
    pub async fn put(&self, path: &[&str], body: &Value, etag: Option<&str>) -> Result<Answer> {
        let url = self.url(path, &[]);
        let key = self.idempotency_key.clone().unwrap_or_else(|| Uuid::now_v7().to_string());
        self.send(Request { method: Method::PUT, url, body: Some(body), key: Some(key), if_match: etag }).await
    }

    /// Removes, or starts to.
    pub async fn delete(&self, path: &[&str]) -> Result<Answer> {
        self.delete_with(path, &[]).await
    }

    /// The same with a query.
    pub async fn delete_with(&self, path: &[&str], query: &[(&str, String)]) -> Result<Answer> {
        let url = self.url(path, query);
        let key = self.idempotency_key.clone().unwrap_or_else(|| Uuid::now_v7().to_string());
        self.send(Request { method: Method::DELETE, url, body: None, key: Some(key), if_match: None }).await
    }

    /// Reads a list, page after page, up to `limit` items, in the shape of one page.
    pub async fn list(&self, path: &[&str], filter: &[(&str, String)], limit: usize) -> Result<Value> {
        let mut items: Vec<Value> = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let mut query = filter.to_vec();
            query.push(("limit", (limit - items.len()).min(PAGE_LIMIT).to_string()));
            query.extend(token.take().map(|token| ("page_token", token)));
            let mut page = self.get(path, &query).await?.body;
            let Some(of_page) = page["items"].as_array_mut() else {
                return Err(self.unreachable("its list has no items".to_owned(), NOT_MPANEL));
            };
            items.append(of_page);
            token = page["next_page_token"].as_str().map(str::to_owned);
            if token.is_none() || items.len() >= limit {
                return Ok(json!({ "items": items, "next_page_token": token }));
            }
        }
    }

    /// Reads a file of any length, and hands over what has come of it. A file that breaks off is not begun again.
    pub async fn download(
        &self,
        path: &[&str],
        query: &[(&str, String)],
        mut taken: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut request = self.http.get(self.url(path, query));
        if let Some(token) = self.bearer().await? {
            request = request.bearer_auth(token);
        }
        let final_of = |lost| match lost {
            Lost::Retry(failure, _) | Lost::Final(failure) => failure,
        };
        let mut response = request.send().await.map_err(|error| final_of(self.lost(&error)))?;
        let (status, headers) = (response.status(), response.headers().clone());
        if status != StatusCode::OK {
            let bytes = response.bytes().await.map_err(|error| final_of(self.lost(&error)))?;
            return match self.understand(status, &headers, &bytes) {
                Ok(_) => Err(self.unreachable(format!("it answers {status}"), NOT_MPANEL)),
                Err(lost) => Err(final_of(lost)),
            };
        }
        loop {
            let next = tokio::time::timeout(REQUEST_TIMEOUT, response.chunk()).await;
            let next = next.map_err(|_| self.broken(&"nothing more came"))?;
            match next.map_err(|error| self.broken(&chain(&error)))? {
                Some(chunk) => taken(&chunk)?,
                None => return Ok(()),
            }
        }
    }

    /// Where a WebSocket of the API is.
    pub fn websocket_url(&self, path: &[&str]) -> Url {
        let mut url = self.url(path, &[]);
        // From one scheme of the web to another: that cannot fail.
        let _ = url.set_scheme(if url.scheme() == "https" { "wss" } else { "ws" });
        url
    }

    /// Opens a WebSocket of the API; `protocols` may hold what lets us in.
    pub async fn websocket(&self, path: &[&str], protocols: &str) -> Result<WebSocketStream<Upgraded>> {
        // HTTP/2, which a proxy may offer, knows no Upgrade.
        let http = build(&self.connection, true)?;
        let key = generate_key();
        let request = http
            .get(self.url(path, &[]))
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, &key)
            .header(header::SEC_WEBSOCKET_PROTOCOL, protocols);
        let refused = |lost| match lost {
            Lost::Retry(failure, _) | Lost::Final(failure) => failure,
        };
        let answer = match tokio::time::timeout(REQUEST_TIMEOUT, request.send()).await {
            Ok(answer) => answer.map_err(|error| refused(self.lost(&error)))?,
            Err(_) => return Err(self.unreachable("it did not answer in time".to_owned(), BROKE)),
        };
        let (status, headers) = (answer.status(), answer.headers().clone());
        let accepted = headers.get(header::SEC_WEBSOCKET_ACCEPT).map(header::HeaderValue::as_bytes);
        if status != StatusCode::SWITCHING_PROTOCOLS || accepted != Some(derive_accept_key(key.as_bytes()).as_bytes()) {
            let bytes = answer.bytes().await.map_err(|error| refused(self.lost(&error)))?;
            return Err(match self.understand(status, &headers, &bytes) {
                Ok(_) => self.unreachable("it opens no WebSocket".to_owned(), WEBSOCKETS),
                Err(lost) => refused(lost),
            });
        }
        let upgraded = answer.upgrade().await.map_err(|error| refused(self.lost(&error)))?;
        Ok(WebSocketStream::from_raw_socket(upgraded, Role::Client, None).await)
    }

    /// A connection that stood broke.
    pub fn broken(&self, error: &impl std::fmt::Display) -> Failure {
        self.unreachable(error.to_string(), BROKE)
    }

    fn url(&self, path: &[&str], query: &[(&str, String)]) -> Url {
        let mut url = self.connection.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("api").extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        // Elsewhere the header says it.
        if let (Some(tenant), Some(&"admin")) = (self.tenant(), path.first()) {
            url.query_pairs_mut().append_pair("tenant_id", tenant);
        }
        url
    }

    async fn send(&self, request: Request<'_>) -> Result<Answer> {
        let mut wait = RETRY_FIRST;
        let mut tries = 1;
        loop {
            let (failure, after) = match self.send_once(&request).await {
                Ok(answer) => return Ok(answer),
                Err(Lost::Final(failure)) => return Err(failure),
                Err(Lost::Retry(failure, after)) => (failure, after),
            };
            if tries == TRIES {
                return Err(failure);
            }
            tries += 1;
            tokio::time::sleep(after.unwrap_or(wait).min(RETRY_AFTER_MAX)).await;
            wait *= 2;
        }
    }

    async fn send_once(&self, request: &Request<'_>) -> Result<Answer, Lost> {
        let token = self.bearer().await.map_err(Lost::Final)?;
        self.exchange(request, token.as_deref()).await
    }

    async fn exchange(&self, request: &Request<'_>, token: Option<&str>) -> Result<Answer, Lost> {
        let mut builder = self.http.request(request.method.clone(), request.url.clone()).timeout(REQUEST_TIMEOUT);
        if let Some(token) = token {
            builder = builder.bearer_auth(token);
        }
        if let Some(tenant) = self.tenant() {
            builder = builder.header("X-Tenant-Id", tenant);
        }
        if let Some(key) = &request.key {
            builder = builder.header("Idempotency-Key", key);
        }
        if let Some(etag) = request.if_match {
            builder = builder.header(header::IF_MATCH, etag);
        }
        if let Some(body) = request.body {
            builder = builder.json(body);
        }
        let mut response = builder.send().await.map_err(|error| self.lost(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.lost(&error))? {
            if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(Lost::Final(self.unreachable("its answer is far too large".to_owned(), NOT_MPANEL)));
            }
            bytes.extend_from_slice(&chunk);
        }
        self.understand(status, &headers, &bytes)
    }

    fn understand(&self, status: StatusCode, headers: &HeaderMap, bytes: &[u8]) -> Result<Answer, Lost> {
        let text = |name: header::HeaderName| headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        if status.is_redirection() {
            let to = text(header::LOCATION).unwrap_or_else(|| "somewhere else".to_owned());
            return Err(Lost::Final(self.unreachable(format!("it sends us to {to}"), "use that address as --url")));
        }
        let body = if bytes.is_empty() { Some(Value::Null) } else { serde_json::from_slice(bytes).ok() };
        let is_problem = body.as_ref().is_some_and(|body| body["code"].is_string() && body["detail"].is_string());
        if status.is_success()
            && let Some(body) = body
        {
            return Ok(Answer { body, etag: text(header::ETAG) });
        }
        let failure = match body {
            Some(body) if is_problem => {
                let token_source = self.connection.token_source;
                Failure::Problem(Box::new(Problem { status: status.as_u16(), body, token_source }))
            }
            _ => self.unreachable(format!("it answers {status}, and not as mPanel does"), NOT_MPANEL),
        };
        let after = text(header::RETRY_AFTER).and_then(|text| text.parse().ok()).map(Duration::from_secs);
        let busy = matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS)
            // Our own first request, whose answer was lost, is still under way.
            || (status == StatusCode::CONFLICT && after.is_some())
            // A proxy's.
            || matches!(status, StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT);
        Err(if busy { Lost::Retry(failure, after) } else { Lost::Final(failure) })
    }

    fn lost(&self, error: &reqwest::Error) -> Lost {
        let cause = chain(error);
        if error.is_connect() {
            let advice = match (self.connection.url.scheme(), cause.contains("certificate")) {
                ("https", true) => "give the authority that signed its certificate with --ca FILE",
                _ => "check that `mpanel serve` runs and that --url (or MPANEL_URL) is where it listens",
            };
            return Lost::Final(self.unreachable(cause, advice));
        }
        Lost::Retry(self.unreachable(cause, "it was tried several times; see the control plane's log"), None)
    }

    fn unreachable(&self, cause: String, advice: &str) -> Failure {
        Failure::Unreachable { url: self.connection.url.to_string(), cause, advice: advice.to_owned() }
    }
}

const NOT_MPANEL: &str = "check that --url (or MPANEL_URL) names an mPanel control plane";
const BROKE: &str = "run it again; see the control plane's log if it goes on";
const WEBSOCKETS: &str = "check that the proxy in front of the control plane lets WebSockets through";

fn build(connection: &Resolved, is_http1_only: bool) -> Result<reqwest::Client> {
    // Fails only where one is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("mpanel/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        // A token follows nobody elsewhere.
        .redirect(reqwest::redirect::Policy::none());
    if is_http1_only {
        builder = builder.http1_only();
    }
    if let Some(pem) = &connection.ca {
        let wrong = |cause: String| Failure::usage(format!("--ca: {cause}"));
        let certificates = reqwest::Certificate::from_pem_bundle(pem)
            .map_err(|error| wrong(format!("is not PEM: {}", chain(&error))))?;
        if certificates.is_empty() {
            return Err(wrong("holds no certificate; it must be a PEM file".to_owned()));
        }
        builder = builder.tls_certs_merge(certificates);
    } else if connection.url.scheme() == "http" {
        // Where nothing is encrypted, a machine without any authorities is none the worse.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(|error| Failure::Unreachable {
        url: connection.url.to_string(),
        cause: chain(&error),
        advice: "install the system's authorities (the package ca-certificates), or give one with --ca FILE".to_owned(),
    })
}

fn chain(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut next: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(cause) = next {
        let said = cause.to_string();
        // Says no more than what comes after it.
        if said != "client error (Connect)" && !text.contains(&said) {
            text = if text.is_empty() { said } else { format!("{text}: {said}") };
        }
        next = cause.source();
    }
    if text.is_empty() { error.to_string() } else { text }
}

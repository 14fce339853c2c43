//! A control plane of one's own, in this process, over a fresh database, and a client that speaks to it.

use std::path::Path;
use std::time::Duration;

use control_plane::app::{App, Surroundings};
use control_plane::clock::Clock;
use control_plane::config::Config;
use control_plane::domain::secrets::Secret;
use control_plane::lifecycle::Running;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, StatusCode};
use serde::Serialize;
use serde_json::Value;
use tempfile::TempDir;

use crate::database::TestDatabase;

/// The platform's token of every test.
pub const TOKEN: &str = "test-token-0123456789-0123456789-abcdef";

/// A control plane that listens on ports of its own. [`TestApp::stop`] ends it and proves that nothing is left running.
pub struct TestApp {
    /// What runs.
    pub running: Running,
    /// Speaks to it with the platform's token.
    pub api: Api,
    /// Goes with it.
    _dir: TempDir,
}

impl TestApp {
    /// Over a fresh SQLite file.
    pub async fn start() -> (Self, TestDatabase) {
        let database = TestDatabase::sqlite();
        (Self::start_on(&database).await, database)
    }

    /// Over this database.
    pub async fn start_on(database: &TestDatabase) -> Self {
        Self::start_with(database, |_| {}).await
    }

    /// Over this database, with what `change` changes of the configuration.
    pub async fn start_with(database: &TestDatabase, change: impl FnOnce(&mut Config)) -> Self {
        Self::start_at(database, Clock::system(), change).await
    }

    /// The same by another clock.
    pub async fn start_at(database: &TestDatabase, clock: Clock, change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut config = config(database, dir.path());
        change(&mut config);
        let surroundings = Surroundings {
            clock,
            bootstrap_token: Some(Secret::new(TOKEN.to_owned())),
            secret_key: Some(Secret::new("00".repeat(32))),
        };
        let running =
            App::start(config, surroundings).await.unwrap_or_else(|error| panic!("no start: {error} {error:?}"));
        let api = Api::new(&running.url(), TOKEN);
        Self { running, api, _dir: dir }
    }

    /// Stops it in an orderly way.
    pub async fn stop(self) {
        let tasks = self.running.app.tasks.clone();
        self.running.shutdown().await;
        assert_eq!(tasks.len(), 0, "tasks are left running");
    }
}

/// A configuration for tests: ports of the system's choice, files in `dir`.
#[must_use]
pub fn config(database: &TestDatabase, dir: &Path) -> Config {
    let mut config = Config::default();
    config.database.url.clone_from(&database.url);
    config.secrets.key_file = Some(dir.join("secret.key"));
    config.http.listen = "127.0.0.1:0".parse().expect("an address");
    config.agents.listen = "127.0.0.1:0".parse().expect("an address");
    config.shutdown_grace = Duration::from_secs(10);
    config
}

/// A client of the REST API.
#[derive(Clone)]
pub struct Api {
    /// Where it is.
    pub url: String,
    token: String,
    client: Client,
}

impl Api {
    /// Of the API at `url`, with this token.
    #[must_use]
    pub fn new(url: &str, token: &str) -> Self {
        // Another test of this process may have done so already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().timeout(Duration::from_mins(1)).build().expect("a client");
        Self { url: url.to_owned(), token: token.to_owned(), client }
    }

    /// The same of an API whose certificate is this one (PEM), of its own making.
    #[must_use]
    pub fn trusting(url: &str, token: &str, pem: &str) -> Self {
        let certificate = reqwest::Certificate::from_pem(pem.as_bytes()).expect("a certificate");
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().timeout(Duration::from_mins(1)).tls_certs_only([certificate]);
        let client = client.build().expect("a client");
        Self { url: url.to_owned(), token: token.to_owned(), client }
    }

    /// The same with another token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    /// A request to be added to.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    /// The same without any token.
    pub fn anonymous(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// A metric as `/metrics` shows it: the sum of its lines that begin so, labels included, as in `x_total{kind=\"a\"`.
    pub async fn metric(&self, begin: &str) -> f64 {
        let answer = self.get("/metrics").await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let lines = answer
            .text
            .lines()
            .filter(|line| line.strip_prefix(begin).is_some_and(|rest| rest.starts_with([' ', '{', ',', '}'])));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    /// POST with a body.
    pub async fn post(&self, path: &str, body: &impl Serialize) -> Answer {
        send(self.request(Method::POST, path).json(body)).await
    }

    /// POST with a body, under an idempotency key.
    pub async fn post_keyed(&self, path: &str, key: &str, body: &impl Serialize) -> Answer {
        send(self.request(Method::POST, path).header("Idempotency-Key", key).json(body)).await
    }

    /// PATCH with a body.
    pub async fn patch(&self, path: &str, body: &impl Serialize) -> Answer {
        send(self.request(Method::PATCH, path).json(body)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        send(self.request(Method::DELETE, path)).await
    }
}

/// Sends a request and reads all of its answer.
pub async fn send(request: reqwest::RequestBuilder) -> Answer {
    try_send(request).await.expect("an answer")
}

/// As [`send`], where the connection may break off.
pub async fn try_send(request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send().await?;
    let (status, headers) = (response.status(), response.headers().clone());
    // A stream of events has no end to wait for.
    let is_stream = headers.get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    let text = if is_stream { String::new() } else { response.text().await? };
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Ok(Answer { status, headers, text, body })
}

/// An answer, read whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub text: String,
    /// The body as JSON; null when it is none.
    pub body: Value,
}

impl Answer {
    /// The body, if the status is this one.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.body
    }

    /// Proves that the status is this one, whatever the body.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    pub fn expect_status(&self, status: u16) {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
    }

    /// Proves that it is a problem document of this status and code.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    pub fn expect_problem(&self, status: u16, code: &str) -> &Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text);
        assert_eq!(self.body["status"], status, "{}", self.text);
        assert_eq!(self.body["code"], code, "{}", self.text);
        assert_eq!(self.body["request_id"], self.header("x-request-id"), "{}", self.text);
        for text in ["type", "title", "detail"] {
            assert!(self.body[text].as_str().is_some_and(|text| !text.is_empty()), "{text}: {}", self.text);
        }
        &self.body
    }

    /// Proves that it is a 422 about this field; what it says of it.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    pub fn expect_field(&self, field: &str) -> String {
        let problem = self.expect_problem(422, "invalid");
        let errors = problem["errors"].as_array().expect("errors");
        let found = errors.iter().find(|error| error["field"] == field);
        let found = found.unwrap_or_else(|| panic!("no error of {field}: {}", self.text));
        found["message"].as_str().expect("a message").to_owned()
    }

    /// A header's text; empty when there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

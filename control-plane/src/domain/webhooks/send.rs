//! Sends one message, to where it may go, and no further.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use reqwest::redirect::Policy;

use super::Config;
use super::address::{Allowed, Guard};
use crate::domain::check::clipped;
use crate::ids::TenantId;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For the whole of it, the answer's beginning included.
const TIMEOUT: Duration = Duration::from_secs(15);
/// So much of an answer is read and kept.
const ANSWER_BYTES_MAX: usize = 1024;

/// The headers of a message.
pub(super) struct Headers {
    pub(super) message: String,
    pub(super) timestamp: i64,
    pub(super) signatures: String,
}

/// What came of a try.
#[derive(Debug)]
pub(super) struct Outcome {
    /// If an answer came.
    pub(super) status: Option<u16>,
    /// Why it failed; `None`: it was taken.
    pub(super) error: Option<String>,
    /// How the answer begins.
    pub(super) answer: String,
}

/// The platform's and the tenants': two, so that no message of a tenant's goes out by a connection that was open for the platform.
#[derive(Clone, Debug)]
pub struct Senders {
    platform: Sender,
    tenants: Sender,
}

impl Senders {
    /// Each sends to public addresses and those that this allows for it.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self { platform: Sender::new(config.for_platform()), tenants: Sender::new(config.for_tenants()) }
    }

    /// The one for webhooks of this owner; `None`: the platform.
    pub(super) fn of(&self, owner: Option<TenantId>) -> &Sender {
        match owner {
            None => &self.platform,
            Some(_) => &self.tenants,
        }
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    allowed: Arc<Allowed>,
    /// Or why there is none: the machine knows no authorities.
    client: Result<Client, String>,
}

impl Sender {
    /// Sends to public addresses and those that are allowed.
    fn new(allowed: Allowed) -> Self {
        let allowed = Arc::new(allowed);
        // Fails only where one is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("mPanel-Webhooks/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(Guard(allowed.clone())))
            // A proxy would resolve the name itself, and a redirect may lead anywhere.
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(1)
            .build()
            .map_err(|error| causes(&error));
        if let Err(error) = &client {
            tracing::warn!(%error, "webhooks cannot be sent: are the system's authorities (ca-certificates) installed?");
        }
        Self { allowed, client }
    }

    /// What may be sent to.
    pub(super) fn allowed(&self) -> &Allowed {
        &self.allowed
    }

    /// Sends it once.
    pub(super) async fn send(&self, url: &str, headers: &Headers, body: &str) -> Outcome {
        let failed = |error: String| Outcome { status: None, error: Some(error), answer: String::new() };
        // The configuration may have changed since; and a literal address is never resolved.
        let url = match self.allowed.url(url) {
            Ok(url) => url,
            Err(error) => return failed(format!("the URL {error}")),
        };
        let client = match &self.client {
            Ok(client) => client,
            Err(error) => return failed(error.clone()),
        };
        let sent = client
            .post(url)
            .header("content-type", "application/json")
            .header("webhook-id", &headers.message)
            .header("webhook-timestamp", headers.timestamp)
            .header("webhook-signature", &headers.signatures)
            .body(body.to_owned())
            .send()
            .await;
        let mut response = match sent {
            Ok(response) => response,
            Err(error) => return failed(clipped(&causes(&error), 500)),
        };
        let status = response.status();
        let mut answer = Vec::new();
        while answer.len() < ANSWER_BYTES_MAX {
            match response.chunk().await {
                Ok(Some(chunk)) => answer.extend_from_slice(&chunk[..chunk.len().min(ANSWER_BYTES_MAX - answer.len())]),
                // What was answered is known; that its body breaks off changes nothing of it.
                Ok(None) | Err(_) => break,
            }
        }
        let error = match status.as_u16() {
            200..=299 => None,
            300..=399 => Some(format!("it answers {status}: redirects are not followed")),
            _ => Some(format!("it answers {status}")),
        };
        // PostgreSQL keeps no NUL.
        let answer = String::from_utf8_lossy(&answer).replace('\0', "\u{fffd}");
        Outcome { status: Some(status.as_u16()), error, answer }
    }
}

/// The innermost cause says most.
fn causes(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it did not answer in time".to_owned();
    }
    let mut text = "it cannot be reached".to_owned();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("it cannot be reached: {cause}");
        next = cause.source();
    }
    text
}

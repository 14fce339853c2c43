//! `Idempotency-Key`: a repeated request has one effect and gets the first answer. What is kept, and why it holds when a
//! process is killed, is in [`crate::domain::idempotency`]; here are the header, the answers and their sealing.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use chacha20poly1305::aead::{Aead as _, KeyInit as _};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tower::ServiceExt as _;
use tracing::Instrument as _;
use zeroize::Zeroizing;

use super::auth::{self, Auth};
use crate::app::App;
use crate::domain::idempotency::{self as keys, Answer, Begun, Claim, Effect};
use crate::error::{Error, Result};

/// The code of the conflict with one's own first request, which is still under way.
pub const RUNNING: &str = "idempotency_running";

const NAME: &str = "Idempotency-Key";
const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const KEY_LENGTH_MAX: usize = 255;
/// A longer answer is not kept; its repetition reads it anew.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
const NONCE_BYTES: usize = 24;
/// The headers that belong to an answer; the others belong to its delivery.
const KEPT: [HeaderName; 3] = [header::CONTENT_TYPE, header::LOCATION, header::ETAG];

/// A request that came with a key.
struct Keyed {
    app: Arc<App>,
    auth: Auth,
    actor: String,
    method: Method,
    path: String,
    seal: Seal,
}

/// What the layer needs: the services, and the routes, to read what a request did whose answer was lost.
#[derive(Clone)]
pub(super) struct Kit {
    pub(super) app: Arc<App>,
    pub(super) routes: Router,
}

/// The layer. A request with a key runs to its end even when its caller hangs up, so that its answer is there for the next.
pub(super) async fn layer(State(kit): State<Kit>, request: Request, next: Next) -> Response {
    if request.method().is_safe() || !request.headers().contains_key(HEADER) {
        return next.run(request).await;
    }
    let Some(auth) = request.extensions().get::<Auth>().cloned() else {
        return next.run(request).await; // Refused by the handler, which asks for one.
    };
    let tasks = kit.app.tasks.clone();
    let work = async move { run(kit, auth, request, next).await.unwrap_or_else(IntoResponse::into_response) };
    match tasks.spawn(work.in_current_span()).await {
        Ok(response) => response,
        Err(error) => Error::internal(error).into_response(),
    }
}

async fn run(Kit { app, routes }: Kit, auth: Auth, request: Request, next: Next) -> Result<Response> {
    let key = key_of(request.headers())?;
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, ANSWER_BYTES_MAX).await.map_err(Error::internal)?;
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str()).to_owned();
    let secret = auth::secret_of(&parts.headers).unwrap_or_default();
    let keyed = Keyed {
        actor: auth.actor.to_string(),
        method: parts.method.clone(),
        path: parts.uri.path().to_owned(),
        seal: Seal::new(&secret, &key),
        auth,
        app,
    };
    let hash = hash_of(&[parts.method.as_str().as_bytes(), target.as_bytes(), &body]);
    let first = keys::Request { actor: &keyed.actor, key: &key, hash };
    match keyed.app.idempotency.key_begin(&first).await? {
        Begun::Run(claim) => Ok(keyed.run(claim, Request::from_parts(parts, Body::from(body)), next).await),
        Begun::Replay(answer) => keyed.replay(answer),
        Begun::Recover(claim, effect) => keyed.recover(claim, effect, &routes).await,
        Begun::Running => Err(Error::conflict(
            RUNNING,
            "the first request with this Idempotency-Key is still under way; ask again for its answer",
        )),
        Begun::Reused => {
            Err(Error::invalid(NAME, "was used for another request; take a new key for a request that differs"))
        }
    }
}

fn key_of(headers: &HeaderMap) -> Result<String> {
    let mut values = headers.get_all(HEADER).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Error::invalid(NAME, "is given twice"));
    };
    let key = value.to_str().unwrap_or_default();
    if !(1..=KEY_LENGTH_MAX).contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        let message = format!("must be 1 to {KEY_LENGTH_MAX} visible ASCII characters without spaces, e.g. a UUID");
        return Err(Error::invalid(NAME, message));
    }
    Ok(key.to_owned())
}

/// Each part with its length, so that no two lists of parts have the same hash.
fn hash_of(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

impl Keyed {
    /// Does it, and keeps the answer. An answer that is an error is not kept: either nothing was done, and a repetition is a
    /// new try, or something was, and a repetition reads what.
    async fn run(self, claim: Claim, mut request: Request, next: Next) -> Response {
        let mut auth = self.auth.clone();
        auth.actor.idempotency_key = Some(claim.clone());
        request.extensions_mut().insert(auth);
        crate::fault::point("idempotency_claimed");
        let response = super::observe::bounded(self.app.config.http.request_timeout, next.run(request)).await;
        crate::fault::point("idempotency_done");
        let (response, kept) = if response.status().is_success() {
            self.keep(&claim, response).await
        } else {
            let released = self.app.idempotency.key_release(&self.actor, &claim).await;
            (response, released)
        };
        if let Err(error) = kept {
            // The effect stands and so does this answer; the claim's lease ends by itself.
            tracing::warn!(%error, cause = ?error, "the answer could not be kept under its idempotency key");
        }
        response
    }

    async fn keep(&self, claim: &Claim, response: Response) -> (Response, Result<()>) {
        let (parts, body) = response.into_parts();
        let body = match to_bytes(body, ANSWER_BYTES_MAX).await {
            Ok(body) => body,
            Err(error) => return (Error::internal(error).into_response(), Ok(())),
        };
        let named = |name: &HeaderName| {
            let value = parts.headers.get(name)?.to_str().ok()?;
            Some((name.as_str().to_owned(), value.to_owned()))
        };
        let headers = KEPT.iter().filter_map(named).collect();
        let kept = match self.seal.seal(&body) {
            Ok(sealed) => {
                let answer = Answer { status: parts.status.as_u16(), headers, body: sealed };
                self.app.idempotency.key_finish(&self.actor, claim, &answer).await
            }
            Err(error) => Err(error),
        };
        (Response::from_parts(parts, Body::from(body)), kept)
    }

    fn replay(&self, answer: Answer) -> Result<Response> {
        let Answer { status, headers, body } = answer;
        let mut response = Response::new(Body::from(self.seal.open(&body)?));
        *response.status_mut() = StatusCode::from_u16(status).map_err(Error::internal)?;
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(Error::internal)?;
            response.headers_mut().insert(name, HeaderValue::from_str(&value).map_err(Error::internal)?);
        }
        Ok(replayed(response))
    }

    /// The answer was lost with the process that had it: it is made again from what the request did, where that can be read.
    async fn recover(&self, claim: Claim, effect: Effect, routes: &Router) -> Result<Response> {
        let (status, location) = match self.recovery(&effect) {
            Recovery::Gone => return Ok(replayed(StatusCode::NO_CONTENT.into_response())),
            Recovery::Lost => return Err(lost(&effect)),
            Recovery::Read { status, location } => (status, location),
        };
        let Some(mut body) = self.read(&location, routes).await? else { return Err(lost(&effect)) };
        // Where a pod was asked for, the answer is the pod and its job.
        if effect.kind == "job" && !self.path.contains("/jobs/") {
            let pod = body["cloudpod_id"].as_str().map(|pod| format!("{PODS}/{pod}"));
            let Some(pod) = pod else { return Err(lost(&effect)) };
            let Some(pod) = self.read(&pod, routes).await? else { return Err(lost(&effect)) };
            body = json!({"cloudpod": pod, "job": body});
        }
        let etag = body["version"].as_i64().and_then(|version| HeaderValue::from_str(&format!("\"{version}\"")).ok());
        let mut response = (status, Json(body)).into_response();
        if status != StatusCode::OK {
            let location = HeaderValue::from_str(&location).map_err(Error::internal)?;
            response.headers_mut().insert(header::LOCATION, location);
        }
        if let Some(etag) = etag {
            response.headers_mut().insert(header::ETAG, etag);
        }
        let (response, kept) = self.keep(&claim, response).await;
        kept?;
        Ok(replayed(response))
    }

    /// How to make the answer again.
    fn recovery(&self, effect: &Effect) -> Recovery {
        let Effect { kind, id } = effect;
        let Some(collection) = collection_of(kind) else { return Recovery::Lost };
        let location = format!("{collection}/{id}");
        match self.method {
            _ if kind == "job" => Recovery::Read { status: StatusCode::ACCEPTED, location },
            Method::DELETE => Recovery::Gone,
            Method::PATCH => Recovery::Read { status: StatusCode::OK, location },
            // A server's answer shows its join token, this once.
            Method::POST if self.path == collection && kind != "server" => {
                Recovery::Read { status: StatusCode::CREATED, location }
            }
            _ => Recovery::Lost,
        }
    }

    /// Reads as the caller would; `None`: there is nothing that it could read.
    async fn read(&self, path: &str, routes: &Router) -> Result<Option<Value>> {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = path.parse().map_err(Error::internal)?;
        request.extensions_mut().insert(self.auth.clone());
        let Ok(response) = routes.clone().oneshot(request).await;
        if response.status().is_server_error() {
            return Err(Error::unavailable("this was done, but its answer cannot be read now; ask again"));
        }
        if !response.status().is_success() {
            return Ok(None);
        }
        let body = to_bytes(response.into_body(), ANSWER_BYTES_MAX).await.map_err(Error::internal)?;
        serde_json::from_slice(&body).map(Some).map_err(Error::internal)
    }
}

/// How a lost answer can be made again.
enum Recovery {
    /// From what is to be read there.
    Read { status: StatusCode, location: String },
    /// There was nothing in it.
    Gone,
    /// Not at all.
    Lost,
}

fn replayed(mut response: Response) -> Response {
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

fn lost(effect: &Effect) -> Error {
    let Effect { kind, id } = effect;
    let mut detail = format!(
        "the first request with this Idempotency-Key was done ({kind} {id}), but its answer was lost; read that {kind}"
    );
    if kind == "server" {
        detail.push_str(", and make a new enrolment token if the answer was to hold one");
    }
    Error::conflict("idempotency_answer_lost", detail)
}

const PODS: &str = "/api/platform/provisioning/cloudpods";

/// Where things of a kind can be read, by their noun in the audit.
fn collection_of(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "job" => "/api/platform/provisioning/jobs",
        "cloudpod" => PODS,
        "server" => "/api/platform/servers",
        "image" => "/api/platform/images",
        "plan" => "/api/platform/plans",
        "ip_pool" => "/api/platform/ip-pools",
        _ => return None,
    })
}

/// Seals answers under the caller's own token and key, neither of which is stored: an answer may hold what is shown once.
struct Seal(Zeroizing<[u8; 32]>);

impl Seal {
    fn new(secret: &str, key: &str) -> Self {
        Self(Zeroizing::new(hash_of(&[b"mpanel idempotent answer", secret.as_bytes(), key.as_bytes()])))
    }

    fn cipher(&self) -> Result<XChaCha20Poly1305> {
        XChaCha20Poly1305::new_from_slice(self.0.as_ref()).map_err(|error| Error::internal(error.to_string()))
    }

    fn seal(&self, body: &[u8]) -> Result<Vec<u8>> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(Error::internal)?;
        let sealed = self.cipher()?.encrypt(&XNonce::from(nonce), body);
        let mut kept = nonce.to_vec();
        kept.extend(sealed.map_err(|error| Error::internal(error.to_string()))?);
        Ok(kept)
    }

    fn open(&self, kept: &[u8]) -> Result<Vec<u8>> {
        let (nonce, sealed) =
            kept.split_first_chunk::<NONCE_BYTES>().ok_or_else(|| Error::internal("answer too short"))?;
        let opened = self.cipher()?.decrypt(&XNonce::from(*nonce), sealed);
        opened.map_err(|error| Error::internal(format!("a kept answer cannot be unsealed: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_opens_under_the_same_token_and_key_only() {
        let sealed = Seal::new("token", "key").seal(b"shown once").unwrap();
        assert!(!sealed.windows(10).any(|window| window == b"shown once"));
        assert_eq!(Seal::new("token", "key").open(&sealed).unwrap(), b"shown once");
        for other in [Seal::new("token", "kez"), Seal::new("tokenk", "ey"), Seal::new("", "key")] {
            assert!(other.open(&sealed).is_err());
        }
        assert!(Seal::new("token", "key").open(&sealed[..10]).is_err());
    }

    #[test]
    fn a_key_is_one_visible_word() {
        let check = |keys: &[&str]| {
            let mut headers = HeaderMap::new();
            for key in keys {
                headers.append(HEADER, HeaderValue::from_str(key).unwrap());
            }
            key_of(&headers).map_err(|error| error.to_string())
        };
        assert_eq!(check(&["a-1"]).unwrap(), "a-1");
        assert!(check(&["a", "b"]).unwrap_err().ends_with("is given twice"));
        for wrong in ["", "a b", &"x".repeat(256)] {
            assert!(check(&[wrong]).unwrap_err().starts_with("Idempotency-Key: must be 1 to 255"), "{wrong}");
        }
    }
}

//! `Idempotency-Key`: a repeated request has one effect and gets the first answer. What is kept, and why it holds when a
//! process is killed, is in [`crate::domain::idempotency`]; here are the header, the answers and their sealing.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tower::ServiceExt as _;
use tracing::Instrument as _;

use super::auth::Auth;
use crate::app::App;
use crate::domain::idempotency::{self as keys, Answer, Begun, Claim, Effect};
use crate::error::{Error, Result};

/// The code of the conflict with one's own first request, which is still under way.
pub const RUNNING: &str = "idempotency_running";

/// The code of the conflict with one's own first request, whose answer is gone.
const LOST: &str = "idempotency_answer_lost";

const NAME: &str = "Idempotency-Key";
const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const KEY_LENGTH_MAX: usize = 255;
/// A longer answer is not kept; its repetition reads it anew.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// The headers that belong to an answer; the others belong to its delivery.
const KEPT: [HeaderName; 3] = [header::CONTENT_TYPE, header::LOCATION, header::ETAG];

/// A request that came with a key.
struct Keyed {
    app: Arc<App>,
    auth: Auth,
    actor: String,
    method: Method,
    path: String,
    /// The name under which its answer is sealed.
    sealed_as: String,
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
    let actor = auth.actor.to_string();
    let sealed_as = sealed_as(&actor, &key);
    let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
    // For another tenant, or of somebody who may do something else by now, it is another request.
    let tenant = auth.scope.tenant().map(|id| id.to_string()).unwrap_or_default();
    let (method_text, grant) = (parts.method.as_str(), auth.grant.bits().to_be_bytes());
    let request: [&[u8]; 5] = [method_text.as_bytes(), target.as_bytes(), tenant.as_bytes(), &grant, &body];
    let (hash, hash_before) = (app.secrets.keyed_hash("idempotent request", &request), hash_of(&request));
    let keyed = Keyed { app, auth, actor, method, path, sealed_as };
    let first = keys::Request { actor: &keyed.actor, key: &key, hash, hash_before };
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

/// Each part with its length, so that no two lists of parts have the same hash. Nothing is kept under it any more.
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
        let kept = match self.app.secrets.seal(&self.sealed_as, &body) {
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
        let Ok(body) = self.app.secrets.unseal(&self.sealed_as, &body) else {
            let text =
                "this was done, but its answer was kept under another key and cannot be read; look for what it did";
            return Err(Error::conflict(LOST, text));
        };
        let mut response = Response::new(Body::from(body.expose().clone()));
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
        let jobs = self.auth.jobs_path();
        let Some(collection) = (if kind == "job" { Some(jobs) } else { collection_of(kind) }) else {
            return Recovery::Lost;
        };
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
    match kind.as_str() {
        "server" => detail.push_str(", and make a new enrolment token if the answer was to hold one"),
        "token" | "invitation" => {
            detail.push_str(", and make another one in its place: its secret was in the answer alone");
        }
        _ => {}
    }
    Error::conflict(LOST, detail)
}

const PODS: &str = "/api/platform/provisioning/cloudpods";

/// Where things of a kind can be read, by their noun in the audit.
fn collection_of(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "cloudpod" => PODS,
        "server" => "/api/platform/servers",
        "image" => "/api/platform/images",
        "plan" => "/api/platform/plans",
        "ip_pool" => "/api/platform/ip-pools",
        _ => return None,
    })
}

/// Answers are sealed under the envelope key, bound to whose they are and to the caller's key: an answer may hold what is shown once.
/// They open for the same caller with whatever token comes after the present one.
fn sealed_as(actor: &str, key: &str) -> String {
    format!("idempotent answer/{actor}/{key}")
}

#[cfg(test)]
mod tests {
    use super::*;

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

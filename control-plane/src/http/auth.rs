//! Who asks. Nothing is ever open: a layer before the routes refuses whoever does not show a valid token, and puts an
//! [`Auth`] into the request; a handler states beside itself what its caller has to be allowed to do.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::json;
use zeroize::Zeroizing;

use super::attempts::Verdict;
use super::observe::Client;
use crate::app::App;
use crate::clock::Ms;
use crate::domain::audit::{Actor, ActorKind, Record, Scope, audit_append};
use crate::error::{Error, Result};

/// The only paths that answer without a token: they say that the process runs, and nothing of what it holds.
pub const OPEN: [&str; 2] = ["/healthz", "/readyz"];

/// Paths that a browser opens, which asks its user for a name (any) and a password (the token). They only show: a
/// credential that browsers send by themselves must not be able to change anything.
const BROWSABLE: [&str; 2] = ["/api/docs", "/api/openapi.json"];

/// Where a ticket is shown instead of a token: the handler takes it.
const TICKETED: &str = "/api/console/";

/// Who asks where a ticket is shown.
#[derive(Clone, Copy, Debug)]
pub struct Caller(Option<Client>);

impl Caller {
    /// A wrong ticket, counted and audited as a wrong token is.
    pub async fn ticket_refused(self, app: &App) -> Error {
        match refuse(app, self.0, "ticket.refused").await {
            Error::Unauthorized(_) => {
                Error::Unauthorized("this ticket is not, or no longer, valid: ask for another one".to_owned())
            }
            other => other,
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(parts.extensions.get::<Client>().copied()))
    }
}

/// The caller, proven.
#[derive(Clone, Debug)]
pub struct Auth {
    /// Who it is, with the request's idempotency key.
    pub actor: Actor,
    /// Whose data it may see.
    pub scope: Scope,
}

impl Auth {
    /// Refuses (403) a caller who may not do `permission`, which is written `noun:read` or `noun:write`.
    pub fn require(&self, permission: &'static str) -> Result<()> {
        match self.actor.kind {
            ActorKind::PlatformToken(_) => Ok(()),
            ActorKind::Agent(_) | ActorKind::System(_) => {
                Err(Error::Forbidden(format!("this needs the permission {permission}")))
            }
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Auth {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        parts.extensions.get::<Self>().cloned().ok_or_else(missing)
    }
}

fn missing() -> Error {
    Error::Unauthorized("show the platform's token: Authorization: Bearer <token>".to_owned())
}

/// The layer.
pub(super) async fn layer(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if OPEN.contains(&path) || path.starts_with(TICKETED) {
        return next.run(request).await;
    }
    let client = request.extensions().get::<Client>().copied();
    let shown = shown(&request);
    match authenticate(&app, shown, client).await {
        Ok(auth) => {
            request.extensions_mut().insert(auth);
            next.run(request).await
        }
        Err(error) => {
            let mut response = error.into_response();
            if BROWSABLE.contains(&request.uri().path()) && response.headers().contains_key(header::WWW_AUTHENTICATE) {
                let basic = HeaderValue::from_static("Basic realm=\"mPanel: any name, the token as password\"");
                response.headers_mut().append(header::WWW_AUTHENTICATE, basic);
            }
            response
        }
    }
}

async fn authenticate(app: &App, shown: Option<Zeroizing<String>>, client: Option<Client>) -> Result<Auth> {
    let shown = shown.ok_or_else(missing)?;
    if let Some(id) = app.tokens.token_verify(&shown).await? {
        let actor = Actor { kind: ActorKind::PlatformToken(id), idempotency_key: None };
        return Ok(Auth { actor, scope: Scope::Platform });
    }
    Err(refuse(app, client, "token.refused").await)
}

/// What the caller shows.
fn shown(request: &Request) -> Option<Zeroizing<String>> {
    let browsable = request.method() == Method::GET && BROWSABLE.contains(&request.uri().path());
    let headers = request.headers();
    secret_of(headers).or_else(|| if browsable { password_of(headers) } else { None })
}

/// The bearer's token.
pub(super) fn secret_of(headers: &HeaderMap) -> Option<Zeroizing<String>> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Zeroizing::new(token.trim().to_owned()))
}

fn password_of(headers: &HeaderMap) -> Option<Zeroizing<String>> {
    let (scheme, pair) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = Zeroizing::new(String::from_utf8(STANDARD.decode(pair.trim()).ok()?).ok()?);
    pair.split_once(':').map(|(_, password)| Zeroizing::new(password.to_owned()))
}

/// A wrong token or ticket: 401, and from an address that tries many, 429. The first of each minute is audited.
async fn refuse(app: &App, client: Option<Client>, action: &'static str) -> Error {
    let address = client.map_or_else(|| "unknown".to_owned(), |client| client.0.to_string());
    let now = app.clock.now();
    match app.attempts.failed(client.map(|client| client.0), now) {
        Verdict::TooMany { retry_after } => return Error::TooMany { retry_after },
        Verdict::Counted => {}
        Verdict::First => {
            let actor = Actor::system("http");
            let record =
                Record { actor: &actor, tenant: None, action, target_kind: "address", target_id: address.clone() };
            tracing::warn!(%address, action, "a wrong token or ticket was shown");
            if let Err(error) = audited(app, now, record).await {
                return error;
            }
        }
    }
    Error::Unauthorized("this token is not, or no longer, valid".to_owned())
}

async fn audited(app: &App, now: Ms, record: Record<'_>) -> Result<()> {
    let mut tx = app.db.begin().await?;
    audit_append(&mut tx, now, record, &json!({})).await?;
    tx.commit().await
}

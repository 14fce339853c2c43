//! Who asks. Nothing is ever open: a layer before the routes refuses whoever does not show a valid token, and puts an
//! [`Auth`] into the request; a handler states beside itself what its caller has to be allowed to do.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, OriginalUri, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::attempts::Verdict;
use super::cookies::{self, Cookie};
use super::observe::{Client, RequestId};
use crate::app::App;
use crate::clock::Ms;
pub use crate::domain::access::Permission;
use crate::domain::access::service::Bearer;
use crate::domain::access::{Door, Permissions, Principal, Reach, Role, Standing, resolve};
use crate::domain::audit::{Actor, ActorKind, Origin, Record, Scope, audit_append};
use crate::domain::sessions::access;
use crate::domain::tokens;
use crate::error::{Error, Result};
use crate::events::{Event, event_append};
use crate::ids::{TenantId, TokenId};

/// The only paths that answer without a token: they say that the process runs, and nothing of what it holds; or what is shown
/// there instead is a proof itself.
pub const OPEN: &[&str] = &[
    "/healthz",
    "/readyz",
    "/api/users/invite/accept",
    "/api/auth/login",
    "/api/auth/refresh",
    "/api/auth/password/forgot",
    "/api/auth/password/reset",
];

/// Where people sign in by a provider, which proves who they are.
const PROVIDERS: &str = "/api/auth/oidc";

/// Whether a path answers without a token.
pub(super) fn is_open(path: &str) -> bool {
    let beyond = path.strip_prefix(PROVIDERS);
    OPEN.contains(&path) || beyond.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Paths that a browser opens, which asks its user for a name (any) and a password (the token). They only show: a
/// credential that browsers send by themselves must not be able to change anything.
const BROWSABLE: [&str; 2] = ["/api/docs", "/api/openapi.json"];

/// Names the tenant where the path is for a tenant's own people.
const TENANT: HeaderName = HeaderName::from_static("x-tenant-id");

/// The list of one's own tenants, which needs none to be named.
const ACROSS: &str = "/api/admin/tenants";

/// Where a ticket is shown instead of a token: the handler takes it.
const TICKETED: &str = "/api/console/";

/// Who asks where a ticket is shown.
#[derive(Clone, Debug)]
pub struct Caller(Option<Origin>);

impl Caller {
    /// Where they ask from.
    #[must_use]
    pub fn origin(&self) -> Option<&Origin> {
        self.0.as_ref()
    }

    /// A wrong ticket, counted and audited as a wrong token is.
    pub async fn ticket_refused(self, app: &App) -> Error {
        self.refused(app, "ticket.refused", "this ticket is not, or no longer, valid: ask for another one").await
    }

    /// Something wrong that was shown instead of a token, counted and audited (as `action`) as a wrong token is.
    pub async fn refused(self, app: &App, action: &'static str, text: &str) -> Error {
        match refuse(app, self.0.as_ref(), action).await {
            Error::Unauthorized(_) => Error::Unauthorized(text.to_owned()),
            other => other,
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(origin_of(&parts.extensions)))
    }
}

/// The caller, proven.
#[derive(Clone, Debug)]
pub struct Auth {
    /// Who it is, with the request's idempotency key.
    pub actor: Actor,
    /// Whose data it may see.
    pub scope: Scope,
    /// What it may do there.
    pub grant: Permissions,
    /// What it is in that tenant; `None`: staff, who are above all roles.
    pub role: Option<Role>,
    /// Whether that tenant is suspended, so that its people may only read.
    pub suspended: bool,
    /// The person; `None`: the holder of the platform's own token.
    pub person: Option<Arc<Principal>>,
}

impl Auth {
    /// Refuses (403) a caller who may not do it.
    pub fn require(&self, permission: Permission) -> Result<()> {
        if self.grant.has(permission) {
            return Ok(());
        }
        if self.suspended && self.role.is_some_and(|role| role.permissions().has(permission)) {
            let text = "this tenant is suspended: everything can be read and nothing changed until the platform reactivates it; ask \
                        the platform";
            return Err(Error::Forbidden(text.to_owned()));
        }
        Err(Error::Forbidden(format!("this needs the permission {permission}")))
    }

    /// The tenants where the caller belongs and has this permission, whichever one they named.
    #[must_use]
    pub fn tenants_with(&self, permission: Permission) -> Vec<TenantId> {
        let theirs = self.person.iter().flat_map(|person| &person.memberships);
        theirs
            .filter(|one| one.standing != Standing::Suspended && one.role.permissions().has(permission))
            .map(|one| one.tenant)
            .collect()
    }

    /// The scope that `?tenant_id=` narrows. 404 for a tenant that is not the caller's.
    pub fn narrowed(&self, tenant: Option<TenantId>) -> Result<Scope> {
        match (self.scope, tenant) {
            (scope, None) => Ok(scope),
            (Scope::Platform, Some(tenant)) => Ok(Scope::Tenant(tenant)),
            (Scope::Tenant(own), Some(tenant)) if own == tenant => Ok(self.scope),
            (Scope::Tenant(_), Some(tenant)) => Err(Error::not_found("tenant", tenant)),
        }
    }

    /// The person who asks. 403 for the holder of the platform's own token, who is none.
    pub fn person(&self) -> Result<&Principal> {
        self.person.as_deref().ok_or_else(|| {
            Error::Forbidden(
                "the platform's own token has no account: make one (`mpanel user create-owner`) and use that"
                    .to_owned(),
            )
        })
    }

    /// Where a caller of this scope reads its jobs.
    #[must_use]
    pub fn jobs_path(&self) -> &'static str {
        match self.scope {
            Scope::Platform => "/api/platform/provisioning/jobs",
            Scope::Tenant(_) => "/api/provisioning/jobs",
        }
    }
}

/// A request that lasts: whether its caller is still let in is asked again and again.
#[derive(Clone, Debug)]
pub struct Lasting {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    origin: Option<Origin>,
}

impl Lasting {
    /// The caller, proven anew.
    pub async fn again(&self, app: &App) -> Result<Auth> {
        let mut request = Request::new(Body::empty());
        request.method_mut().clone_from(&self.method);
        request.uri_mut().clone_from(&self.uri);
        request.headers_mut().clone_from(&self.headers);
        authenticate(app, shown(app, &request), Asked::of(&request), self.origin.clone()).await
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Lasting {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        // The path as it was asked for: a nested router sees only the end of it.
        let uri = parts.extensions.get::<OriginalUri>().map_or_else(|| parts.uri.clone(), |uri| uri.0.clone());
        let (method, headers) = (parts.method.clone(), parts.headers.clone());
        Ok(Self { method, uri, headers, origin: origin_of(&parts.extensions) })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Auth {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        parts.extensions.get::<Self>().cloned().ok_or_else(missing)
    }
}

fn missing() -> Error {
    Error::Unauthorized("sign in, or show a token: Authorization: Bearer <token>".to_owned())
}

/// The layer.
pub(super) async fn layer(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if is_open(path) || path.starts_with(TICKETED) {
        return next.run(request).await;
    }
    let origin = origin_of(request.extensions());
    let (shown, asked) = (shown(&app, &request), Asked::of(&request));
    match authenticate(&app, shown, asked, origin).await {
        Ok(auth) => {
            request.extensions_mut().insert(auth.clone());
            let mut response = next.run(request).await;
            auth.capacity_hidden(&mut response);
            if response.status() == StatusCode::FORBIDDEN {
                // For the audit of refusals.
                response.extensions_mut().insert(auth);
            }
            response
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

/// Where a request goes, and for which tenant.
struct Asked {
    door: Door,
    named: Result<Option<TenantId>>,
}

impl Asked {
    fn of(request: &Request) -> Self {
        let door = door_of(request.uri().path());
        let named = match door {
            Door::Platform => Ok(None),
            Door::Admin => named_in_query(request.uri().query().unwrap_or_default()),
            Door::Tenant | Door::Own => named_in_header(request.headers()),
        };
        // Who belongs to several tenants sees here which they are.
        let across = request.uri().path() == ACROSS && request.method() == Method::GET && matches!(named, Ok(None));
        Self { door: if across { Door::Own } else { door }, named }
    }
}

/// Which door a path is behind.
pub(super) fn door_of(path: &str) -> Door {
    if path.starts_with("/api/platform/") || path == "/metrics" {
        return Door::Platform;
    }
    if path.starts_with("/api/admin/") {
        return Door::Admin;
    }
    if path.starts_with("/api/") && !path.starts_with("/api/auth/") && !BROWSABLE.contains(&path) && !is_open(path) {
        return Door::Tenant;
    }
    Door::Own
}

fn named_in_query(query: &str) -> Result<Option<TenantId>> {
    let pairs = super::query::pairs(query)?;
    let Some((_, id)) = pairs.into_iter().find(|(name, _)| name == "tenant_id") else { return Ok(None) };
    id.parse().map(Some).map_err(|_| Error::invalid("tenant_id", "must be a tenant's id (a UUID)"))
}

fn named_in_header(headers: &HeaderMap) -> Result<Option<TenantId>> {
    let mut values = headers.get_all(TENANT).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let id = value.to_str().ok().filter(|_| values.next().is_none()).and_then(|text| text.trim().parse().ok());
    id.map(Some).ok_or_else(|| Error::invalid("X-Tenant-Id", "must be one tenant's id (a UUID)"))
}

/// Who asks, proven by what was shown.
enum Proven {
    /// The holder of the platform's own token.
    Platform(TokenId),
    /// A person.
    Person(ActorKind, Principal),
}

/// Where a request came from.
pub(super) fn origin_of(extensions: &Extensions) -> Option<Origin> {
    let RequestId(request_id) = extensions.get::<RequestId>()?.clone();
    Some(Origin { address: extensions.get::<Client>().map(|client| client.0), request_id })
}

async fn authenticate(app: &App, shown: Option<Shown>, asked: Asked, origin: Option<Origin>) -> Result<Auth> {
    let Shown { token, by_cookie } = shown.ok_or_else(missing)?;
    let Some(proven) = prove(app, &token).await? else {
        return Err(refuse(app, origin.as_ref(), "token.refused").await);
    };
    if let Some((method, headers)) = by_cookie {
        let Proven::Person(ActorKind::User { session: Some(session), .. }, _) = &proven else { return Err(missing()) };
        cookies::guard(app, &method, &headers, *session).await?;
    }
    let auth = admit(app, proven, asked).await?;
    Ok(Auth { actor: auth.actor.at(origin), ..auth })
}

async fn prove(app: &App, shown: &str) -> Result<Option<Proven>> {
    if access::looks_like_one(shown) {
        let Some((user, session)) = app.sessions.access_verify(shown).await? else { return Ok(None) };
        let principal = app.access.session_bearer(session).await?.filter(|principal| principal.user == user);
        // It was ours, so nobody is guessing.
        let over = || Error::Unauthorized("this sign-in is over: sign in again".to_owned());
        let kind = ActorKind::User { user, session: Some(session) };
        return Ok(Some(Proven::Person(kind, principal.ok_or_else(over)?)));
    }
    Ok(match app.access.token_bearer(&tokens::hash(shown)).await? {
        None => None,
        Some(Bearer::Platform(id)) => Some(Proven::Platform(id)),
        Some(Bearer::Person(principal, last_used_at)) => {
            let Some(token) = principal.limit.as_ref().map(|limit| limit.token) else { return Ok(None) };
            app.tokens.token_used(&app.tasks, token, last_used_at);
            Some(Proven::Person(ActorKind::ApiToken { token, user: principal.user }, principal))
        }
    })
}

/// Resolves, once for the whole request, whose data it may see and what it may do.
async fn admit(app: &App, proven: Proven, Asked { door, named }: Asked) -> Result<Auth> {
    let (kind, reach, person) = match proven {
        Proven::Platform(id) => {
            let scope =
                if door == Door::Tenant { named?.map_or(Scope::Platform, Scope::Tenant) } else { Scope::Platform };
            (
                ActorKind::PlatformToken(id),
                Reach { scope, grant: Permissions::all(), role: None, suspended: false },
                None,
            )
        }
        Proven::Person(kind, principal) => {
            let named = if principal.staff && door == Door::Admin { named.unwrap_or(None) } else { named? };
            (kind, resolve(&principal, door, named)?, Some(Arc::new(principal)))
        }
    };
    let Reach { scope, grant, role, suspended } = reach;
    // Staff reach any tenant, but only one that there is.
    if let (Scope::Tenant(id), None, true) = (scope, role, scope != Scope::NOBODY)
        && !app.tenants.tenant_exists(app.db.read().await?.conn(), id).await?
    {
        return Err(Error::not_found("tenant", id));
    }
    Ok(Auth { actor: Actor::new(kind), scope, grant, role, suspended, person })
}

/// What a caller shows.
struct Shown {
    token: Zeroizing<String>,
    /// A browser sent it by itself, with this method and these headers.
    by_cookie: Option<(Method, HeaderMap)>,
}

/// What the caller shows: a token, or a browser's cookie where there is none.
fn shown(app: &App, request: &Request) -> Option<Shown> {
    let browsable = request.method() == Method::GET && BROWSABLE.contains(&request.uri().path());
    let headers = request.headers();
    let token = secret_of(headers).or_else(|| if browsable { password_of(headers) } else { None });
    if let Some(token) = token {
        return Some(Shown { token, by_cookie: None });
    }
    let token = Cookie::Access.shown(&app.config, headers)?;
    Some(Shown { token, by_cookie: Some((request.method().clone(), headers.clone())) })
}

/// The bearer's token.
fn secret_of(headers: &HeaderMap) -> Option<Zeroizing<String>> {
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
async fn refuse(app: &App, origin: Option<&Origin>, action: &'static str) -> Error {
    let client = origin.and_then(|origin| origin.address);
    let address = client.map_or_else(|| "unknown".to_owned(), |client| client.to_string());
    let now = app.clock.now();
    match app.attempts.failed(client, now) {
        Verdict::TooMany { retry_after } => return Error::TooMany { retry_after },
        Verdict::Counted => {}
        Verdict::First => {
            let actor = Actor::system("http").at(origin.cloned());
            let record =
                Record { actor: &actor, tenant: None, action, target_kind: "address", target_id: address.clone() };
            tracing::warn!(%address, action, "a wrong token or ticket was shown");
            if let Err(error) = audited(app, now, record, &json!({})).await {
                return error;
            }
        }
    }
    Error::Unauthorized("this token is not, or no longer, valid".to_owned())
}

/// Puts a refusal into the audit, where it stands for itself, and tells it as an event.
pub(super) async fn audited(app: &App, now: Ms, record: Record<'_>, detail: &Value) -> Result<()> {
    let mut tx = app.db.begin().await?;
    let event = Event { tenant: record.tenant, name: record.action, subject: record.target_id.clone() };
    event_append(&mut tx, now, event, detail).await?;
    audit_append(&mut tx, now, record, detail).await?;
    tx.commit().await
}

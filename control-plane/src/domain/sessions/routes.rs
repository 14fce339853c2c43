//! Sign-ins over REST.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Session, Shown, SignedIn, Visitor};
use crate::app::App;
use crate::clock::Ms;
use crate::domain::access::{Permission, Permissions, Principal, Role, Standing};
use crate::domain::audit::ActorKind;
use crate::domain::check::Checks;
use crate::domain::credentials::Second;
use crate::domain::secrets::Secret;
use crate::error::{Error, Result};
use crate::http::auth::Auth;
use crate::http::cookies::{self, Cookie};
use crate::http::json::{Body, MaybeBody};
use crate::http::page::{Listing, NoFilter, Page, PageQuery};
use crate::http::path::Path;
use crate::ids::{SessionId, TenantId, UserId};

const TEXT_CHARS_MAX: usize = 1024;

/// Who somebody says that they are, and what shows it.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct SignIn {
    /// Their address.
    #[schema(max_length = 254)]
    email: String,
    /// Their password.
    #[schema(max_length = 1024)]
    password: String,
    /// The present code of their authenticator, if they have one.
    #[schema(max_length = 32)]
    totp_code: Option<String>,
    /// Instead of it a recovery code, which works once.
    #[schema(max_length = 64)]
    recovery_code: Option<String>,
    /// The tokens come as cookies for a browser and not in the answer.
    #[serde(default)]
    cookies: bool,
}

/// How a refresh token is shown by programs; a browser shows its cookie.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Refresh {
    /// The newest refresh token.
    #[schema(max_length = 1024)]
    refresh_token: Option<String>,
}

/// What carries the next requests.
#[derive(Serialize, utoipa::ToSchema)]
struct Tokens {
    /// Which sign-in this is.
    session_id: SessionId,
    /// Who signed in.
    user_id: UserId,
    /// For `Authorization: Bearer`; left out where it is a cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    /// When the access token ends.
    access_expires_at: Ms,
    /// For the next access token, once; left out where it is a cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// When the sign-in ends, however often it is refreshed.
    expires_at: Ms,
    /// With cookies: what the header X-CSRF-Token has to say in requests that change something.
    #[serde(skip_serializing_if = "Option::is_none")]
    csrf_token: Option<String>,
}

/// Who asks.
#[derive(Serialize, utoipa::ToSchema)]
struct Me {
    /// The person; null: the holder of the platform's own token.
    user: Option<Person>,
    /// Which sign-in this is; null: an API token was shown.
    session_id: Option<SessionId>,
    /// Whether they are of the platform's staff.
    staff: bool,
    /// Where they belong.
    memberships: Vec<Membership>,
    /// What they may do in the tenant that they named, or everywhere together.
    #[schema(value_type = Vec<String>)]
    permissions: Permissions,
}

/// A person.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = SignedInPerson)]
struct Person {
    id: UserId,
    email: String,
    name: String,
    /// Whether a second factor is asked for.
    totp_enabled: bool,
    /// How many recovery codes are left.
    recovery_codes_left: i64,
}

/// What somebody is in a tenant.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = OwnMembership)]
struct Membership {
    tenant_id: TenantId,
    tenant_name: String,
    role: Role,
    /// Whether it counts; otherwise it, or its tenant, is suspended.
    active: bool,
}

/// A sign-in that stands.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Session)]
pub struct SessionView {
    id: SessionId,
    /// From where it was last refreshed.
    address: String,
    /// By which program.
    user_agent: String,
    created_at: Ms,
    /// When it was last refreshed.
    last_used_at: Ms,
    /// When it ends by itself.
    expires_at: Ms,
    /// Whether it is the one that asks.
    current: bool,
}

impl SessionView {
    /// Of a sign-in; `asking`: by which the caller asks, if by one.
    #[must_use]
    pub fn new(session: Session, asking: Option<SessionId>) -> Self {
        let Session { id, address, user_agent, created_at, used_at, expires_at } = session;
        Self { id, address, user_agent, created_at, last_used_at: used_at, expires_at, current: asking == Some(id) }
    }
}

/// The routes of this slice.
pub fn router() -> OpenApiRouter<Arc<App>> {
    let routes = OpenApiRouter::new()
        .routes(routes!(sign_in))
        .routes(routes!(refresh))
        .routes(routes!(sign_out))
        .routes(routes!(me))
        .routes(routes!(session_list))
        .routes(routes!(session_end));
    OpenApiRouter::new().nest("/api/auth", routes)
}

/// Signs in by e-mail and password. The address, or the account, that fails often has to wait (429).
#[utoipa::path(post, path = "/login", tag = "Sign-in", request_body = SignIn, responses((status = 200, body = Tokens)))]
async fn sign_in(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    headers: HeaderMap,
    Body(body): Body<SignIn>,
) -> Result<Response> {
    let SignIn { email, password, totp_code, recovery_code, cookies } = body;
    let (password, second) = (Secret::new(password), second_of(totp_code, recovery_code)?);
    let mut checks = Checks::new();
    checks.require((1..=254).contains(&email.len()), "email", "must be an e-mail address");
    checks.require((1..=TEXT_CHARS_MAX).contains(&password.expose().len()), "password", "must be 1 to 1024 bytes");
    checks.finish()?;
    if cookies {
        cookies::require_own_site(&app.config, &headers)?;
    }
    let signed_in = app.sessions.sign_in(Shown { email, password, second }, &visitor).await?;
    answer(&app, &signed_in, cookies)
}

/// Exchanges a refresh token, from the body or from a browser's cookie, for the next one and an access token. Each works once; one
/// that is shown again ends the sign-in.
#[utoipa::path(post, path = "/refresh", tag = "Sign-in", request_body = Option<Refresh>,
    responses((status = 200, body = Tokens)))]
async fn refresh(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    headers: HeaderMap,
    MaybeBody(body): MaybeBody<Refresh>,
) -> Result<Response> {
    if let Some(token) = body.refresh_token.map(Secret::new) {
        return answer(&app, &app.sessions.session_refresh(token.expose(), &visitor).await?, false);
    }
    let Some(token) = Cookie::Refresh.shown(&app.config, &headers) else {
        return Err(Error::Unauthorized("show a refresh token: {\"refresh_token\": …}".to_owned()));
    };
    let session = super::service::session_named(&token)?;
    cookies::guard(&app, &http::Method::POST, &headers, session).await?;
    answer(&app, &app.sessions.session_refresh(&token, &visitor).await?, true)
}

/// Ends the sign-in that asks, and takes a browser's cookies away.
#[utoipa::path(post, path = "/logout", tag = "Sign-in", responses((status = 204)),
    extensions(("x-permission" = json!("account:write"))))]
async fn sign_out(State(app): State<Arc<App>>, auth: Auth) -> Result<Response> {
    auth.require(Permission::AccountWrite)?;
    let (user, session) = signed_in(&auth)?;
    app.sessions.session_end(&auth.actor, user, session).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    cookies::take_away(&app.config, &mut response)?;
    Ok(response)
}

/// Who asks, where they belong and what they may do.
#[utoipa::path(get, path = "/me", tag = "Sign-in", responses((status = 200, body = Me)),
    extensions(("x-permission" = json!("account:read"))))]
async fn me(State(app): State<Arc<App>>, auth: Auth) -> Result<Json<Me>> {
    auth.require(Permission::AccountRead)?;
    let session_id = match auth.actor.kind {
        ActorKind::User { session, .. } => session,
        _ => None,
    };
    let Some(principal) = auth.person.as_deref() else {
        return Ok(Json(Me { user: None, session_id, staff: true, memberships: Vec::new(), permissions: auth.grant }));
    };
    let Principal { user, staff, memberships, limit: _ } = principal;
    let (account, recovery_codes_left) = app.sessions.account_get(*user).await?;
    let person = Person {
        id: account.id,
        email: account.email,
        name: account.name,
        totp_enabled: account.totp_enabled_at.is_some(),
        recovery_codes_left,
    };
    let ids: Vec<_> = memberships.iter().map(|one| one.tenant).collect();
    let mut names = app.tenants.tenant_names(&ids).await?;
    let memberships = memberships.iter().map(|one| Membership {
        tenant_id: one.tenant,
        tenant_name: names.remove(&one.tenant).unwrap_or_default(),
        role: one.role,
        active: one.standing == Standing::Active,
    });
    let memberships = memberships.collect();
    Ok(Json(Me { user: Some(person), session_id, staff: *staff, memberships, permissions: auth.grant }))
}

/// One's own sign-ins that stand, page by page.
#[utoipa::path(get, path = "/sessions", tag = "Sign-in", params(PageQuery),
    responses((status = 200, body = Page<SessionView>)), extensions(("x-permission" = json!("account:read"))))]
async fn session_list(
    State(app): State<Arc<App>>,
    auth: Auth,
    list: Listing<NoFilter>,
) -> Result<Json<Page<SessionView>>> {
    auth.require(Permission::AccountRead)?;
    let user = auth.person()?.user;
    let own = signed_in(&auth).ok().map(|(_, session)| session);
    let sessions = app.sessions.session_list(user, list.page.window()?).await?;
    let page = list.page.page(sessions, |session| session.id)?;
    Ok(Json(page.map(|session| SessionView::new(session, own))))
}

/// Ends one of one's own sign-ins: from this moment on its tokens are no good.
#[utoipa::path(delete, path = "/sessions/{id}", tag = "Sign-in", params(("id" = SessionId, Path)),
    responses((status = 204)), extensions(("x-permission" = json!("account:write"))))]
async fn session_end(State(app): State<Arc<App>>, auth: Auth, Path(id): Path<SessionId>) -> Result<StatusCode> {
    auth.require(Permission::AccountWrite)?;
    app.sessions.session_end(&auth.actor, auth.person()?.user, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who signed in, and by which sign-in. 409 for the bearer of an API token.
pub fn signed_in(auth: &Auth) -> Result<(UserId, SessionId)> {
    match auth.actor.kind {
        ActorKind::User { user, session: Some(session) } => Ok((user, session)),
        _ => Err(Error::conflict(
            "sign_in_needed",
            "this is for people who signed in, and not for an API token: sign in",
        )),
    }
}

/// The second factor that was given, if any.
pub(super) fn second_of(totp_code: Option<String>, recovery_code: Option<String>) -> Result<Option<Second>> {
    let short = |field: &str, text: String| {
        if text.len() > 64 { Err(Error::invalid(field, "is far too long")) } else { Ok(Secret::new(text)) }
    };
    Ok(match (totp_code, recovery_code) {
        (Some(_), Some(_)) => return Err(Error::invalid("recovery_code", "give it or totp_code, and not both")),
        (Some(code), None) => Some(Second::Code(short("totp_code", code)?)),
        (None, Some(code)) => Some(Second::Recovery(short("recovery_code", code)?)),
        (None, None) => None,
    })
}

/// The tokens, in the answer or as cookies.
fn answer(app: &App, signed_in: &SignedIn, cookies: bool) -> Result<Response> {
    let SignedIn { session, user, access, refresh, expires_at } = signed_in;
    let shown = |secret: &Secret<String>| (!cookies).then(|| secret.expose().clone());
    let tokens = Tokens {
        session_id: *session,
        user_id: *user,
        access_token: shown(&access.token),
        access_expires_at: access.expires_at,
        refresh_token: shown(refresh),
        expires_at: *expires_at,
        csrf_token: cookies.then(|| access.csrf.expose().clone()),
    };
    let mut response = Json(tokens).into_response();
    if cookies {
        cookies::give(&app.config, app.clock.now(), signed_in, &mut response)?;
    }
    Ok(response)
}

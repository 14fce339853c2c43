//! People over REST. The same handlers answer under `/api/users` and `/api/admin/users`, which decide only whose people are in scope.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::invitations::Accept;
use super::{By, Invitation, Member, MemberFilter, MemberSort, accounts};
use crate::app::App;
use crate::clock::Ms;
use crate::domain::access::{Permission, Role};
use crate::domain::audit::Actor;
use crate::domain::audit::names::ActorNames;
use crate::domain::credentials::address_of;
use crate::domain::secrets::Secret;
use crate::domain::sessions::routes::signed_in;
use crate::error::{Error, Result};
use crate::http::auth::{Auth, Caller, Lasting};
use crate::http::etag::{IfMatch, Tagged};
use crate::http::json::Body;
use crate::http::page::{Listing, Page, PageQuery};
use crate::http::path::Path;
use crate::http::query::Params;
use crate::ids::{InvitationId, TenantId, UserId};

/// A person as a member of a tenant.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = User)]
struct UserView {
    id: UserId,
    /// Where they are what `role` says.
    tenant_id: TenantId,
    tenant_name: String,
    email: String,
    name: String,
    role: Role,
    state: StateName,
    /// Since when they may not come in.
    suspended_at: Option<Ms>,
    /// Since when the platform's staff let them come in nowhere, whatever `state` says of this tenant.
    account_suspended_at: Option<Ms>,
    last_sign_in_at: Option<Ms>,
    joined_at: Ms,
    /// As in the header `ETag`.
    version: i64,
}

/// Whether somebody may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = UserState)]
pub(super) enum StateName {
    /// They may.
    Active,
    /// They may not.
    Suspended,
}

impl From<Member> for UserView {
    fn from(member: Member) -> Self {
        let Member {
            user,
            tenant,
            tenant_name,
            email,
            name,
            role,
            suspended_at,
            account_suspended_at,
            last_sign_in_at,
            version,
            joined_at,
        } = member;
        let state = if suspended_at.is_some() { StateName::Suspended } else { StateName::Active };
        Self {
            id: user,
            tenant_id: tenant,
            tenant_name,
            email,
            name,
            role,
            state,
            suspended_at,
            account_suspended_at,
            last_sign_in_at,
            joined_at,
            version,
        }
    }
}

/// An invitation that is open.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Invitation)]
struct InvitationView {
    id: InvitationId,
    tenant_id: TenantId,
    tenant_name: String,
    email: String,
    role: Role,
    /// Who invited: `user:` or `token:` and an id.
    invited_by: String,
    /// Their address, or a token's owner and name. Null: they are no longer there; to a tenant's people, the platform's staff.
    invited_by_name: Option<String>,
    /// Whether the link was mailed to the address; otherwise it was shown to who invited.
    mailed: bool,
    created_at: Ms,
    expires_at: Ms,
}

impl InvitationView {
    fn new(invitation: Invitation, tenants: &HashMap<TenantId, String>, actors: &ActorNames) -> Self {
        let Invitation { id, tenant, email, role, invited_by, inviter: _, mailed, created_at, expires_at } = invitation;
        let tenant_name = tenants.get(&tenant).cloned().unwrap_or_default();
        let invited_by_name = actors.get(&invited_by).cloned();
        Self {
            id,
            tenant_id: tenant,
            tenant_name,
            email,
            role,
            invited_by,
            invited_by_name,
            mailed,
            created_at,
            expires_at,
        }
    }
}

/// Invitations with the names of where they lead and of who made them.
async fn named(app: &App, auth: &Auth, invitations: Vec<Invitation>) -> Result<Vec<InvitationView>> {
    let tenants: Vec<_> = invitations.iter().map(|one| one.tenant).collect();
    let tenants = app.tenants.tenant_names(&tenants).await?;
    let inviters = invitations.iter().map(|one| one.invited_by.as_str());
    let actors = app.audit.actor_names(inviters, auth.role.is_none()).await?;
    Ok(invitations.into_iter().map(|one| InvitationView::new(one, &tenants, &actors)).collect())
}

/// An invitation that was made.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = InvitationCreated)]
struct InvitedView {
    invitation: InvitationView,
    /// What whoever is invited accepts with, shown this once: give it to them. Null: it was sent to them by mail.
    token: Option<String>,
}

/// Whom to invite.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InvitationCreate)]
struct InviteBody {
    #[schema(min_length = 3, max_length = 254, example = "anna@example.net")]
    email: String,
    role: Role,
}

/// What somebody who accepts an invitation brings.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InvitationAccept)]
struct AcceptBody {
    /// The invitation's secret.
    #[schema(max_length = 200)]
    token: String,
    /// What they are called. Only for a new account; who has one signs in before they accept.
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    /// Only for a new account.
    #[schema(min_length = 12, max_length = 256)]
    password: Option<String>,
}

/// What somebody is to be.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UserRolePatch)]
struct RoleBody {
    role: Role,
}

/// Which people to list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListFilter {
    /// Of this tenant.
    tenant_id: Option<TenantId>,
    /// Of this role.
    #[param(inline)]
    role: Option<Role>,
    /// In this state.
    #[param(inline)]
    state: Option<StateName>,
    /// Whose address begins so.
    #[param(max_length = 254)]
    email_prefix: Option<String>,
    /// Whose name begins so.
    #[param(max_length = 100)]
    name_prefix: Option<String>,
    /// In which order; by when their accounts were made when left out.
    #[param(inline)]
    sort: Option<MemberSort>,
}

/// In which tenant.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct TenantQuery {
    /// Of this tenant.
    pub(super) tenant_id: Option<TenantId>,
}

/// The routes of this slice.
pub fn router() -> OpenApiRouter<Arc<App>> {
    let users = || {
        OpenApiRouter::new()
            .routes(routes!(user_list))
            .routes(routes!(user_get))
            .routes(routes!(user_invite))
            .routes(routes!(invitation_list))
            .routes(routes!(invitation_revoke))
            .routes(routes!(user_role_set))
            .routes(routes!(user_suspend))
            .routes(routes!(user_reactivate))
            .merge(super::sign_ins::routes::router())
    };
    OpenApiRouter::new()
        .nest("/api/users", users().routes(routes!(invitation_accept)))
        .nest("/api/admin/users", users())
        .merge(accounts::routes::router())
}

pub(super) fn by(auth: &Auth) -> By<'_> {
    let member = auth.person.as_deref().filter(|person| !person.staff).map(|person| person.user);
    By { actor: &auth.actor, member }
}

fn tagged(member: Member) -> Tagged<UserView> {
    Tagged { version: member.version, body: member.into() }
}

/// A tenant's people, page by page.
#[utoipa::path(get, path = "", tag = "Users", params(ListFilter, PageQuery),
    responses((status = 200, body = Page<UserView>)), extensions(("x-permission" = json!("users:read"))))]
async fn user_list(
    State(app): State<Arc<App>>,
    auth: Auth,
    Listing { filter, page }: Listing<ListFilter>,
) -> Result<Json<Page<UserView>>> {
    auth.require(Permission::UsersRead)?;
    let ListFilter { tenant_id, role, state, email_prefix, name_prefix, sort } = filter;
    let suspended = state.map(|state| state == StateName::Suspended);
    let (email_prefix, sort) = (email_prefix.as_deref().map(address_of), sort.unwrap_or_default());
    let filter = MemberFilter { role, suspended, email_prefix, name_prefix, sort };
    let members = app.users.user_list(auth.narrowed(tenant_id)?, &filter, page.window()?).await?;
    Ok(Json(page.page(members, |member| (member.email.clone(), member.user, member.tenant))?.map(UserView::from)))
}

/// One of a tenant's people.
#[utoipa::path(get, path = "/{id}", tag = "Users", params(("id" = UserId, Path), TenantQuery),
    responses((status = 200, body = UserView), (status = 404)), extensions(("x-permission" = json!("users:read"))))]
async fn user_get(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<UserId>,
    Params(query): Params<TenantQuery>,
) -> Result<Tagged<UserView>> {
    auth.require(Permission::UsersRead)?;
    Ok(tagged(app.users.user_get(auth.narrowed(query.tenant_id)?, id).await?))
}

/// Invites somebody to a tenant, by mail where mails are sent; otherwise the answer holds what to give them.
#[utoipa::path(post, path = "/invite", tag = "Users", params(TenantQuery), request_body = InviteBody,
    responses((status = 201, body = InvitedView), (status = 409), (status = 422)),
    extensions(("x-permission" = json!("users:write"))))]
async fn user_invite(
    State(app): State<Arc<App>>,
    auth: Auth,
    Params(query): Params<TenantQuery>,
    Body(body): Body<InviteBody>,
) -> Result<Response> {
    auth.require(Permission::UsersWrite)?;
    let InviteBody { email, role } = body;
    let tenant = auth.narrowed(query.tenant_id)?.tenant();
    let tenant = tenant.ok_or_else(|| Error::invalid("tenant_id", "is missing: to which tenant?"))?;
    let (invitation, secret) = app.users.user_invite(by(&auth), tenant, &email, role).await?;
    let location = format!("/api/users/invitations/{}", invitation.id);
    let token = secret.map(|secret| secret.expose().clone());
    let invitation = named(&app, &auth, vec![invitation]).await?.pop();
    let invitation = invitation.ok_or_else(|| Error::internal("an invitation that was made is not shown"))?;
    Ok(crate::http::created(&location, InvitedView { invitation, token }))
}

/// Accepts an invitation, by its secret: makes the account, or adds the tenant to the one that has the address, which has to have
/// signed in (401 otherwise, 403 for another account).
#[utoipa::path(post, path = "/invite/accept", tag = "Users", request_body = AcceptBody,
    responses((status = 200, body = UserView), (status = 401), (status = 403), (status = 409), (status = 422)))]
async fn invitation_accept(
    State(app): State<Arc<App>>,
    caller: Caller,
    credentials: Lasting,
    Body(body): Body<AcceptBody>,
) -> Result<Json<UserView>> {
    let AcceptBody { token, name, password } = body;
    let token = Secret::new(token);
    let signed_in = match app.users.invitation_has_account(&token).await? {
        Some(true) => Some(accepting(&app, &credentials).await?),
        Some(false) | None => None,
    };
    let accept =
        Accept { token, name, password: password.map(Secret::new), signed_in, origin: caller.origin().cloned() };
    if let Some(member) = app.users.invitation_accept(accept).await? {
        return Ok(Json(member.into()));
    }
    let text =
        "this invitation is not, or no longer, valid: sign in if you have accepted it already, or ask for another one";
    Err(caller.refused(&app, "invitation.refused", text).await)
}

/// Who has signed in to accept an invitation with the account that they have.
async fn accepting(app: &App, credentials: &Lasting) -> Result<(UserId, Actor)> {
    let auth = credentials.again(app).await.map_err(|error| match error {
        Error::Unauthorized(cause) => Error::Unauthorized(format!(
            "the address that was invited has an account: sign in as it, then accept ({cause})"
        )),
        other => other,
    })?;
    let (user, _) = signed_in(&auth)?;
    Ok((user, auth.actor))
}

/// Open invitations, page by page.
#[utoipa::path(get, path = "/invitations", tag = "Users", params(TenantQuery, PageQuery),
    responses((status = 200, body = Page<InvitationView>)), extensions(("x-permission" = json!("users:read"))))]
async fn invitation_list(
    State(app): State<Arc<App>>,
    auth: Auth,
    Listing { filter, page }: Listing<TenantQuery>,
) -> Result<Json<Page<InvitationView>>> {
    auth.require(Permission::UsersRead)?;
    let invitations = app.users.invitation_list(auth.narrowed(filter.tenant_id)?, page.window()?).await?;
    let Page { items, next_page_token } = page.page(invitations, |invitation| invitation.id)?;
    Ok(Json(Page { items: named(&app, &auth, items).await?, next_page_token }))
}

/// Takes an invitation back.
#[utoipa::path(delete, path = "/invitations/{id}", tag = "Users", params(("id" = InvitationId, Path), TenantQuery),
    responses((status = 204, description = "It can no longer be accepted"), (status = 404)),
    extensions(("x-permission" = json!("users:write"))))]
async fn invitation_revoke(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<InvitationId>,
    Params(query): Params<TenantQuery>,
) -> Result<StatusCode> {
    auth.require(Permission::UsersWrite)?;
    app.users.invitation_revoke(by(&auth), auth.narrowed(query.tenant_id)?, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes somebody something else in a tenant. With `If-Match`, only if they are still as they were read.
#[utoipa::path(patch, path = "/{id}/role", tag = "Users", params(("id" = UserId, Path), TenantQuery),
    request_body = RoleBody, responses((status = 200, body = UserView), (status = 404), (status = 409), (status = 412)),
    extensions(("x-permission" = json!("users:write"))))]
async fn user_role_set(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<UserId>,
    Params(query): Params<TenantQuery>,
    if_match: IfMatch,
    Body(RoleBody { role }): Body<RoleBody>,
) -> Result<Tagged<UserView>> {
    auth.require(Permission::UsersWrite)?;
    let scope = auth.narrowed(query.tenant_id)?;
    Ok(tagged(app.users.user_role_set(by(&auth), scope, id, role, if_match.version()).await?))
}

/// Shuts somebody out of a tenant at once. Their API tokens for it end, and all their sign-ins if no other tenant lets them in.
#[utoipa::path(post, path = "/{id}/suspend", tag = "Users", params(("id" = UserId, Path), TenantQuery),
    responses((status = 200, body = UserView), (status = 404), (status = 409)),
    extensions(("x-permission" = json!("users:write"))))]
async fn user_suspend(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<UserId>,
    Params(query): Params<TenantQuery>,
) -> Result<Tagged<UserView>> {
    auth.require(Permission::UsersWrite)?;
    Ok(tagged(app.users.user_suspend(by(&auth), auth.narrowed(query.tenant_id)?, id).await?))
}

/// Lets somebody in again. Tokens and sign-ins that ended stay ended.
#[utoipa::path(post, path = "/{id}/reactivate", tag = "Users", params(("id" = UserId, Path), TenantQuery),
    responses((status = 200, body = UserView), (status = 404)), extensions(("x-permission" = json!("users:write"))))]
async fn user_reactivate(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<UserId>,
    Params(query): Params<TenantQuery>,
) -> Result<Tagged<UserView>> {
    auth.require(Permission::UsersWrite)?;
    Ok(tagged(app.users.user_reactivate(by(&auth), auth.narrowed(query.tenant_id)?, id).await?))
}

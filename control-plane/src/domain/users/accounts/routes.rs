//! Accounts over REST, for the platform's staff.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Account, AccountFilter, Recovery};
use crate::app::App;
use crate::clock::Ms;
use crate::domain::access::{Permission, Role};
use crate::domain::credentials::address_of;
use crate::domain::secrets::Secret;
use crate::domain::users::UserCreate;
use crate::domain::users::routes::StateName;
use crate::error::Result;
use crate::http::auth::Auth;
use crate::http::etag::{IfMatch, Tagged};
use crate::http::json::Body;
use crate::http::page::{Listing, Page, PageQuery};
use crate::http::path::Path;
use crate::ids::{TenantId, UserId};

/// An account, whatever its person belongs to.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Account)]
struct AccountView {
    id: UserId,
    email: String,
    name: String,
    /// Whether they are of the platform's staff, who may do everything.
    staff: bool,
    /// Whether the address has been shown to be theirs: staff made the account, or a mailed link was used.
    email_proven: bool,
    /// Whether a second factor is asked for.
    totp_enabled: bool,
    state: StateName,
    /// Since when they may come in nowhere.
    suspended_at: Option<Ms>,
    last_sign_in_at: Option<Ms>,
    created_at: Ms,
    /// As in the header `ETag`.
    version: i64,
}

impl From<Account> for AccountView {
    fn from(account: Account) -> Self {
        let Account {
            id,
            email,
            name,
            staff,
            email_proven,
            totp_enabled,
            suspended_at,
            last_sign_in_at,
            version,
            created_at,
        } = account;
        let state = if suspended_at.is_some() { StateName::Suspended } else { StateName::Active };
        Self {
            id,
            email,
            name,
            staff,
            email_proven,
            totp_enabled,
            state,
            suspended_at,
            last_sign_in_at,
            created_at,
            version,
        }
    }
}

/// Which accounts to list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct AccountListFilter {
    /// Those of the platform's staff, or all others.
    staff: Option<bool>,
    /// In this state.
    #[param(inline)]
    state: Option<StateName>,
    /// Whose address is this one.
    #[param(max_length = 254)]
    email: Option<String>,
    /// Whose address begins so.
    #[param(max_length = 254)]
    email_prefix: Option<String>,
}

/// An account to be made without an invitation.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AccountCreate)]
struct CreateBody {
    #[schema(min_length = 3, max_length = 254, example = "anna@example.net")]
    email: String,
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// Left out: they choose one by a link that is mailed to them ("password forgotten"), or sign in by an OIDC provider.
    #[schema(min_length = 12, max_length = 256)]
    password: Option<String>,
    /// Where they are to belong.
    tenant_id: Option<TenantId>,
    /// What they are to be there; `OWNER` when left out.
    role: Option<Role>,
    /// Whether they are to be of the platform's staff.
    #[serde(default)]
    staff: bool,
}

/// What is to become of an account.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AccountPatch)]
struct PatchBody {
    /// Whether they are to be of the platform's staff.
    staff: bool,
}

/// How somebody comes in again.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AccountRecovery)]
struct RecoveryView {
    account: AccountView,
    /// What stands after `#` in the link to the console's page `/reset-password`, shown this once: give it to them. Null: the link was
    /// sent to them by mail.
    secret: Option<String>,
    /// Until when the link is good.
    expires_at: Ms,
}

impl From<Recovery> for RecoveryView {
    fn from(Recovery { account, secret, expires_at }: Recovery) -> Self {
        Self { account: account.into(), secret: secret.map(|secret| secret.expose().clone()), expires_at }
    }
}

/// The routes of this folder.
pub fn router() -> OpenApiRouter<Arc<App>> {
    let routes = OpenApiRouter::new()
        .routes(routes!(account_list, account_create))
        .routes(routes!(account_get, account_staff_set))
        .routes(routes!(account_suspend))
        .routes(routes!(account_reactivate))
        .routes(routes!(account_recover));
    OpenApiRouter::new().nest("/api/platform/users", routes)
}

fn tagged(account: Account) -> Tagged<AccountView> {
    Tagged { version: account.version, body: account.into() }
}

/// All accounts, page by page: with `staff=true` those of the platform's staff.
#[utoipa::path(get, path = "", tag = "Users", params(AccountListFilter, PageQuery),
    responses((status = 200, body = Page<AccountView>)), extensions(("x-permission" = json!("users:manage"))))]
async fn account_list(
    State(app): State<Arc<App>>,
    auth: Auth,
    Listing { filter, page }: Listing<AccountListFilter>,
) -> Result<Json<Page<AccountView>>> {
    auth.require(Permission::UsersManage)?;
    let AccountListFilter { staff, state, email, email_prefix } = filter;
    let suspended = state.map(|state| state == StateName::Suspended);
    let (email, email_prefix) = (email.as_deref().map(address_of), email_prefix.as_deref().map(address_of));
    let filter = AccountFilter { staff, suspended, email, email_prefix };
    let accounts = app.users.account_list(&filter, page.window()?).await?;
    Ok(Json(page.page(accounts, |account| account.id)?.map(AccountView::from)))
}

/// Makes an account without an invitation: a tenant's first owner, or one of the platform's staff.
#[utoipa::path(post, path = "", tag = "Users", request_body = CreateBody,
    responses((status = 201, body = AccountView), (status = 409), (status = 422)),
    extensions(("x-permission" = json!("users:manage"))))]
async fn account_create(State(app): State<Arc<App>>, auth: Auth, Body(body): Body<CreateBody>) -> Result<Response> {
    auth.require(Permission::UsersManage)?;
    let CreateBody { email, name, password, tenant_id, role, staff } = body;
    let membership = tenant_id.map(|tenant| (tenant, role.unwrap_or(Role::Owner)));
    let input = UserCreate { email, name, password: password.map(Secret::new), membership, staff };
    let (user, _) = app.users.user_create(&auth.actor, input).await?;
    let location = format!("/api/platform/users/{}", user.id);
    Ok(crate::http::created(&location, AccountView::from(app.users.account_get(user.id).await?)))
}

/// One account.
#[utoipa::path(get, path = "/{id}", tag = "Users", params(("id" = UserId, Path)),
    responses((status = 200, body = AccountView), (status = 404)), extensions(("x-permission" = json!("users:manage"))))]
async fn account_get(State(app): State<Arc<App>>, auth: Auth, Path(id): Path<UserId>) -> Result<Tagged<AccountView>> {
    auth.require(Permission::UsersManage)?;
    Ok(tagged(app.users.account_get(id).await?))
}

/// Makes somebody one of the platform's staff, or no longer, which ends their sign-ins and API tokens at once. With `If-Match`, only if the
/// account is still as it was read. 409 for one's own account and for the last of the staff.
#[utoipa::path(patch, path = "/{id}", tag = "Users", params(("id" = UserId, Path)), request_body = PatchBody,
    responses((status = 200, body = AccountView), (status = 404), (status = 409), (status = 412)),
    extensions(("x-permission" = json!("users:manage"))))]
async fn account_staff_set(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<UserId>,
    if_match: IfMatch,
    Body(PatchBody { staff }): Body<PatchBody>,
) -> Result<Tagged<AccountView>> {
    auth.require(Permission::UsersManage)?;
    Ok(tagged(app.users.account_staff_set(&auth.actor, id, staff, if_match.version()).await?))
}

/// Shuts somebody out everywhere, at once: their sign-ins, API tokens and the invitations that they gave end. 409 for one's own account
/// and for the last of the staff.
#[utoipa::path(post, path = "/{id}/suspend", tag = "Users", params(("id" = UserId, Path)),
    responses((status = 200, body = AccountView), (status = 404), (status = 409)),
    extensions(("x-permission" = json!("users:manage"))))]
async fn account_suspend(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<UserId>,
) -> Result<Tagged<AccountView>> {
    auth.require(Permission::UsersManage)?;
    Ok(tagged(app.users.account_suspend(&auth.actor, id).await?))
}

/// Lets somebody in again where they belong. What ended with the suspension stays ended.
#[utoipa::path(post, path = "/{id}/reactivate", tag = "Users", params(("id" = UserId, Path)),
    responses((status = 200, body = AccountView), (status = 404), (status = 409)),
    extensions(("x-permission" = json!("users:manage"))))]
async fn account_reactivate(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<UserId>,
) -> Result<Tagged<AccountView>> {
    auth.require(Permission::UsersManage)?;
    Ok(tagged(app.users.account_reactivate(&auth.actor, id).await?))
}

/// Lets somebody in anew who has lost their second factor, their password or both: takes both away, ends their sign-ins and API tokens, and
/// mails them a link for a new password. Where no mails are sent, the answer holds what to give them.
#[utoipa::path(post, path = "/{id}/recover", tag = "Users", params(("id" = UserId, Path)),
    responses((status = 200, body = RecoveryView), (status = 404), (status = 409)),
    extensions(("x-permission" = json!("users:manage"))))]
async fn account_recover(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<UserId>,
) -> Result<Json<RecoveryView>> {
    auth.require(Permission::UsersManage)?;
    Ok(Json(app.users.account_recover(&auth.actor, id).await?.into()))
}

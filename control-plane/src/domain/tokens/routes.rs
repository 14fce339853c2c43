//! API tokens over REST: one's own, and for those who run a tenant everybody's in it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::owned::{ApiToken, TokenCreate, Whose};
use crate::app::App;
use crate::clock::Ms;
use crate::domain::access::{Permission, Permissions};
use crate::error::{Error, Result};
use crate::http::auth::Auth;
use crate::http::json::Body;
use crate::http::page::{Listing, NoFilter, Page, PageQuery};
use crate::http::path::Path;
use crate::http::query::Params;
use crate::ids::{TenantId, TokenId, UserId};

const PATH: &str = "/api/auth/tokens";

/// A token, without its secret.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ApiToken)]
struct TokenView {
    id: TokenId,
    name: String,
    /// Whose it is.
    user_id: UserId,
    /// Their address.
    user_email: String,
    /// Where it counts; null: everywhere (staff).
    tenant_id: Option<TenantId>,
    tenant_name: Option<String>,
    /// What it may do, as far as its user may at that moment.
    permissions: Vec<Permission>,
    created_at: Ms,
    expires_at: Ms,
    /// To the minute.
    last_used_at: Option<Ms>,
}

impl From<ApiToken> for TokenView {
    fn from(token: ApiToken) -> Self {
        let ApiToken {
            id,
            name,
            user,
            user_email,
            tenant,
            tenant_name,
            permissions,
            created_at,
            expires_at,
            last_used_at,
        } = token;
        Self {
            id,
            name,
            user_id: user,
            user_email,
            tenant_id: tenant,
            tenant_name,
            permissions: permissions.iter().collect(),
            created_at,
            expires_at,
            last_used_at,
        }
    }
}

/// A token that was made.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ApiTokenCreated)]
struct CreatedView {
    /// To be sent as `Authorization: Bearer …`. It is shown this once.
    secret: String,
    token: TokenView,
}

/// A token to be made.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ApiTokenCreate)]
struct CreateBody {
    #[schema(min_length = 1, max_length = 100, example = "nightly backups")]
    name: String,
    /// Where it counts. Left out: the caller's only tenant; for staff everywhere.
    tenant_id: Option<TenantId>,
    /// Never more than the caller's own.
    #[schema(min_items = 1)]
    permissions: Vec<Permission>,
    /// 90 when left out, at most 365; for staff 3650.
    #[schema(minimum = 1, maximum = 3650)]
    expires_in_days: Option<u32>,
}

/// Whose tokens.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct TenantQuery {
    /// Of this tenant.
    tenant_id: Option<TenantId>,
}

/// Whose tokens, and of whom of them.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Of this tenant.
    tenant_id: Option<TenantId>,
    /// Of this person.
    user_id: Option<UserId>,
}

/// The routes of this slice.
pub fn router() -> OpenApiRouter<Arc<App>> {
    let own = OpenApiRouter::new().routes(routes!(token_list, token_create)).routes(routes!(token_revoke));
    let all = OpenApiRouter::new().routes(routes!(token_list_all)).routes(routes!(token_revoke_any));
    OpenApiRouter::new().nest(PATH, own).nest("/api/admin/tokens", all)
}

/// One's own API tokens that are good.
#[utoipa::path(get, path = "", tag = "Tokens", params(PageQuery), responses((status = 200, body = Page<TokenView>)),
    extensions(("x-permission" = json!("tokens:read"))))]
async fn token_list(State(app): State<Arc<App>>, auth: Auth, list: Listing<NoFilter>) -> Result<Json<Page<TokenView>>> {
    auth.require(Permission::TokensRead)?;
    let tokens = app.tokens.token_list(Whose::own(auth.person()?), list.page.window()?).await?;
    Ok(Json(list.page.page(tokens, |token| token.id)?.map(TokenView::from)))
}

/// Makes an API token. Its secret is shown in this answer alone.
#[utoipa::path(post, path = "", tag = "Tokens", request_body = CreateBody,
    responses((status = 201, body = CreatedView), (status = 409), (status = 422)),
    extensions(("x-permission" = json!("tokens:write"))))]
async fn token_create(State(app): State<Arc<App>>, auth: Auth, Body(body): Body<CreateBody>) -> Result<Response> {
    auth.require(Permission::TokensWrite)?;
    let CreateBody { name, tenant_id, permissions, expires_in_days } = body;
    let maker = auth.person()?;
    if let (true, Some(id)) = (maker.staff, tenant_id)
        && !app.tenants.tenant_exists(app.db.read().await?.conn(), id).await?
    {
        return Err(Error::not_found("tenant", id));
    }
    let permissions: Permissions = permissions.into_iter().collect();
    let input = TokenCreate { name, tenant: tenant_id, permissions, expires_in_days };
    let (token, secret) = app.tokens.token_create(&auth.actor, maker, input).await?;
    let location = format!("{PATH}/{}", token.id);
    Ok(crate::http::created(&location, CreatedView { secret: secret.expose().clone(), token: token.into() }))
}

/// Revokes one of one's own API tokens, with all that were made with it.
#[utoipa::path(delete, path = "/{id}", tag = "Tokens", params(("id" = TokenId, Path)),
    responses((status = 204, description = "It is no longer good"), (status = 404)),
    extensions(("x-permission" = json!("tokens:write"))))]
async fn token_revoke(State(app): State<Arc<App>>, auth: Auth, Path(id): Path<TokenId>) -> Result<StatusCode> {
    auth.require(Permission::TokensWrite)?;
    app.tokens.token_revoke(&auth.actor, Whose::own(auth.person()?), id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Everybody's API tokens of a tenant that are good.
#[utoipa::path(get, path = "", tag = "Tokens", params(ListQuery, PageQuery),
    responses((status = 200, body = Page<TokenView>)), extensions(("x-permission" = json!("tokens:manage"))))]
async fn token_list_all(
    State(app): State<Arc<App>>,
    auth: Auth,
    Listing { filter, page }: Listing<ListQuery>,
) -> Result<Json<Page<TokenView>>> {
    auth.require(Permission::TokensManage)?;
    let scope = auth.narrowed(filter.tenant_id)?;
    let whose = match filter.user_id {
        None => Whose::All(scope),
        Some(user) => Whose::Of(user, scope),
    };
    let tokens = app.tokens.token_list(whose, page.window()?).await?;
    Ok(Json(page.page(tokens, |token| token.id)?.map(TokenView::from)))
}

/// Revokes anybody's API token of a tenant, with all that were made with it.
#[utoipa::path(delete, path = "/{id}", tag = "Tokens", params(("id" = TokenId, Path), TenantQuery),
    responses((status = 204, description = "It is no longer good"), (status = 404)),
    extensions(("x-permission" = json!("tokens:manage"))))]
async fn token_revoke_any(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<TokenId>,
    Params(query): Params<TenantQuery>,
) -> Result<StatusCode> {
    auth.require(Permission::TokensManage)?;
    let scope = auth.narrowed(query.tenant_id)?;
    app.tokens.token_revoke(&auth.actor, Whose::All(scope), id).await?;
    Ok(StatusCode::NO_CONTENT)
}

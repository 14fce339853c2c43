//! The sign-ins of a tenant's people over REST.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::domain::access::Permission;
use crate::domain::sessions::routes::{SessionView, signed_in};
use crate::domain::users::routes::{TenantQuery, by};
use crate::error::Result;
use crate::http::auth::Auth;
use crate::http::page::{Listing, Page, PageQuery};
use crate::http::path::Path;
use crate::http::query::Params;
use crate::ids::{SessionId, UserId};

/// The routes of this part.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(user_session_list)).routes(routes!(user_session_end))
}

/// Somebody's sign-ins that stand, page by page. For a tenant's people: of somebody who belongs to that tenant alone.
#[utoipa::path(get, path = "/{id}/sessions", tag = "Users", params(("id" = UserId, Path), TenantQuery, PageQuery),
    responses((status = 200, body = Page<SessionView>), (status = 403), (status = 404)),
    extensions(("x-permission" = json!("users:write"))))]
async fn user_session_list(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<UserId>,
    Listing { filter, page }: Listing<TenantQuery>,
) -> Result<Json<Page<SessionView>>> {
    auth.require(Permission::UsersWrite)?;
    let scope = auth.narrowed(filter.tenant_id)?;
    let sessions = app.users.user_sessions(by(&auth), scope, id, page.window()?).await?;
    let asking = signed_in(&auth).ok().map(|(_, session)| session);
    Ok(Json(page.page(sessions, |session| session.id)?.map(|session| SessionView::new(session, asking))))
}

/// Ends one of somebody's sign-ins: from this moment on its tokens are no good.
#[utoipa::path(delete, path = "/{id}/sessions/{session_id}", tag = "Users",
    params(("id" = UserId, Path), ("session_id" = SessionId, Path), TenantQuery),
    responses((status = 204, description = "It has ended"), (status = 403), (status = 404)),
    extensions(("x-permission" = json!("users:write"))))]
async fn user_session_end(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path((id, session)): Path<(UserId, SessionId)>,
    Params(query): Params<TenantQuery>,
) -> Result<StatusCode> {
    auth.require(Permission::UsersWrite)?;
    let scope = auth.narrowed(query.tenant_id)?;
    app.users.user_session_end(by(&auth), scope, id, session).await?;
    Ok(StatusCode::NO_CONTENT)
}

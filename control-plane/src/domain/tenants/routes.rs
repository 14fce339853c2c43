//! Tenants over REST.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Tenant;
use crate::app::App;
use crate::clock::Ms;
use crate::domain::access::Permission;
use crate::error::Result;
use crate::http::auth::Auth;
use crate::http::page::{Listing, NoFilter, Page, PageQuery};
use crate::ids::TenantId;

/// A customer account.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Tenant)]
struct TenantView {
    id: TenantId,
    name: String,
    created_at: Ms,
}

/// The routes of this slice.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().nest("/api/admin/tenants", OpenApiRouter::new().routes(routes!(tenant_list)))
}

/// Tenants, page by page: all of them for staff, one's own otherwise.
#[utoipa::path(get, path = "", tag = "Tenants", params(PageQuery), responses((status = 200, body = Page<TenantView>)),
    extensions(("x-permission" = json!("tenants:read"))))]
async fn tenant_list(
    State(app): State<Arc<App>>,
    auth: Auth,
    list: Listing<NoFilter>,
) -> Result<Json<Page<TenantView>>> {
    auth.require(Permission::TenantsRead)?;
    let tenants = app.tenants.tenant_list(auth.scope, list.page.window()?).await?;
    let page = list.page.page(tenants, |tenant| tenant.id)?;
    Ok(Json(page.map(|Tenant { id, name, created_at }| TenantView { id, name, created_at })))
}

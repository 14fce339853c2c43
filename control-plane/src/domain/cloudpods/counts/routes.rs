//! How many pods there are, over REST, beside their list.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Shared;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Counts;
use crate::app::App;
use crate::domain::access::Permission;
use crate::domain::cloudpods::routes::{TenantQuery, narrowed};
use crate::error::Result;
use crate::http::auth::Auth;
use crate::http::query::Params;

/// The routes of this part.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(cloudpod_counts))
}

/// How many CloudPods there are, by state, and the active ones by power; the deleted are not counted.
#[utoipa::path(get, path = "/cloudpods/counts", tag = "CloudPods", params(TenantQuery),
    responses((status = 200, body = Counts)), extensions(("x-permission" = json!("cloudpods:read"))))]
async fn cloudpod_counts(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Params(query): Params<TenantQuery>,
) -> Result<Json<Counts>> {
    auth.require(Permission::CloudpodsRead)?;
    Ok(Json(app.cloudpods.cloudpod_counts(narrowed(&auth, query.tenant_id)?).await?))
}

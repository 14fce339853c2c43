//! The fleet at a glance over REST, for platform staff.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Overview;
use crate::app::App;
use crate::domain::access::Permission;
use crate::error::Result;
use crate::http::auth::Auth;

/// The routes of this part of the slice.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().nest("/api/platform", OpenApiRouter::new().routes(routes!(overview_get)))
}

/// The fleet at a glance: how many servers are how, what of them is reserved, and which are the fullest.
#[utoipa::path(get, path = "/overview", tag = "Servers", responses((status = 200, body = Overview)),
    extensions(("x-permission" = json!("servers:read"))))]
async fn overview_get(State(app): State<Arc<App>>, auth: Auth) -> Result<Json<Overview>> {
    auth.require(Permission::ServersRead)?;
    Ok(Json(app.servers.overview_get().await?))
}

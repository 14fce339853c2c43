//! The invariants over REST, for platform staff.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Report;
use crate::app::App;
use crate::domain::access::Permission;
use crate::error::Result;
use crate::http::auth::Auth;

/// The routes of this slice.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().nest("/api/platform", OpenApiRouter::new().routes(routes!(invariants_check)))
}

/// What must hold, and whether it does: leaked or doubly held addresses and capacity, jobs that nobody works on, drift, and
/// more; each finding with since when and what to do.
#[utoipa::path(get, path = "/invariants", tag = "Operations", responses((status = 200, body = Report)),
    extensions(("x-permission" = json!("invariants:read"))))]
async fn invariants_check(State(app): State<Arc<App>>, auth: Auth) -> Result<Response> {
    auth.require(Permission::InvariantsRead)?;
    let report = app.invariants.invariants_check().await?;
    Ok(Json(report.as_ref()).into_response())
}

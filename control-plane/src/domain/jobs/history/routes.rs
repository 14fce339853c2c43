//! How many jobs ended when, over REST, beside their list.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::History;
use crate::app::App;
use crate::clock::Ms;
use crate::domain::access::Permission;
use crate::error::Result;
use crate::http::auth::Auth;
use crate::http::query::Params;

/// Which time, in which steps.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct HistoryQuery {
    /// The steps that begin at this time or later; 288 steps before `until` when left out.
    since: Option<Ms>,
    /// Up to the step that this time falls into; now when left out.
    until: Option<Ms>,
    /// How long each step is, in seconds: 60, 300 or 3600.
    #[param(default = 300)]
    step: Option<u32>,
}

/// The routes of this part.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(job_history))
}

/// How many jobs ended in each step of time, and how; at most 288 steps.
#[utoipa::path(get, path = "/jobs/history", tag = "Provisioning", params(HistoryQuery),
    responses((status = 200, body = History), (status = 422)),
    extensions(("x-permission" = json!("provisioning:read"))))]
async fn job_history(
    State(app): State<Arc<App>>,
    auth: Auth,
    Params(HistoryQuery { since, until, step }): Params<HistoryQuery>,
) -> Result<Json<History>> {
    auth.require(Permission::ProvisioningRead)?;
    Ok(Json(app.jobs.job_history(auth.scope, since, until, step).await?))
}

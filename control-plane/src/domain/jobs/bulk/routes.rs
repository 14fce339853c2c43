//! Retrying and cancelling many jobs over REST.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Done, Operation, Selection};
use crate::app::App;
use crate::domain::access::Permission;
use crate::domain::jobs::JobState;
use crate::domain::jobs::service::JobFilter;
use crate::error::{Error, Result};
use crate::http::auth::Auth;
use crate::http::json::Body;
use crate::ids::JobId;

/// Which jobs: `ids` or `filter`.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = JobSelection)]
struct SelectionBody {
    /// At most 200.
    ids: Option<Vec<JobId>>,
    /// Of those that it finds at most 200, the newest.
    filter: Option<FilterBody>,
}

/// Which jobs a bulk operation is for.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = JobSelectionFilter)]
struct FilterBody {
    /// `queued`, `running`, `undoing` or `stuck`.
    state: JobState,
    /// Of this kind, e.g. `provision`.
    #[schema(max_length = 64)]
    kind: Option<String>,
    /// On this server: its id or name.
    #[schema(max_length = 63)]
    server: Option<String>,
}

/// What became of each.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = JobsDone)]
struct DoneView {
    items: Vec<ItemView>,
    /// How many it was done with.
    done: usize,
    /// How many it could not be done with.
    refused: usize,
    /// The filter finds more: ask again.
    more: bool,
}

/// What became of one job.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = JobDone)]
struct ItemView {
    id: JobId,
    ok: bool,
    /// The job's state afterwards; null where nothing was done.
    state: Option<JobState>,
    /// Stable, for programs; null where it was done.
    code: Option<&'static str>,
    /// Why nothing was done; null where it was.
    detail: Option<String>,
}

/// The routes of this part.
pub fn router() -> OpenApiRouter<Arc<App>> {
    let jobs = || OpenApiRouter::new().routes(routes!(jobs_retry)).routes(routes!(jobs_cancel));
    OpenApiRouter::new().nest("/api/provisioning", jobs()).nest("/api/platform/provisioning", jobs())
}

async fn operate(app: &App, auth: &Auth, operation: Operation, body: SelectionBody) -> Result<Json<DoneView>> {
    let selection = match body {
        SelectionBody { ids: Some(ids), filter: None } => Selection::Ids(ids),
        SelectionBody { ids: None, filter: Some(FilterBody { state, kind, server }) } => {
            let server = auth.server_named(app, "filter.server", server.as_deref()).await?;
            Selection::Filter(JobFilter { kind, server, state: Some(state), ..JobFilter::default() })
        }
        _ => return Err(Error::invalid("ids", "give either ids or filter")),
    };
    let (items, more) = app.jobs.jobs_operate(&auth.actor, (auth.scope, auth.grant), operation, selection).await?;
    let items: Vec<ItemView> = items.into_iter().map(ItemView::from).collect();
    let done = items.iter().filter(|item| item.ok).count();
    Ok(Json(DoneView { done, refused: items.len() - done, items, more }))
}

impl From<Done> for ItemView {
    fn from(done: Done) -> Self {
        let Done { id, outcome } = done;
        match outcome {
            Ok(job) => Self { id, ok: true, state: Some(job.state), code: None, detail: None },
            Err(error) => {
                Self { id, ok: false, state: None, code: Some(error.code()), detail: Some(error.to_string()) }
            }
        }
    }
}

/// Tries many jobs again, each with a result of its own: resumes stuck undos, ends waits for a next try.
#[utoipa::path(post, path = "/jobs/retry", tag = "Provisioning", request_body = SelectionBody,
    responses((status = 200, body = DoneView), (status = 422)), extensions(("x-permission" = json!("provisioning:write"))))]
async fn jobs_retry(
    State(app): State<Arc<App>>,
    auth: Auth,
    Body(body): Body<SelectionBody>,
) -> Result<Json<DoneView>> {
    auth.require(Permission::ProvisioningWrite)?;
    operate(&app, &auth, Operation::Retry, body).await
}

/// Cancels many jobs, each with a result of its own.
#[utoipa::path(post, path = "/jobs/cancel", tag = "Provisioning", request_body = SelectionBody,
    responses((status = 200, body = DoneView), (status = 422)), extensions(("x-permission" = json!("provisioning:write"))))]
async fn jobs_cancel(
    State(app): State<Arc<App>>,
    auth: Auth,
    Body(body): Body<SelectionBody>,
) -> Result<Json<DoneView>> {
    auth.require(Permission::ProvisioningWrite)?;
    operate(&app, &auth, Operation::Cancel, body).await
}

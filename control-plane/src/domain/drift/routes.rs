//! Drift over REST, for platform staff.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Action, Drift, Filter, Kind};
use crate::app::App;
use crate::clock::Ms;
use crate::domain::access::Permission;
use crate::domain::check::Checks;
use crate::domain::jobs::Job;
use crate::domain::jobs::routes::JobView;
use crate::error::{Error, Result};
use crate::http::auth::Auth;
use crate::http::json::Body;
use crate::http::page::{Listing, Page, PageQuery};
use crate::http::path::Path;
use crate::ids::{CloudPodId, DriftId, JobId, ServerId, TenantId};

/// What a host shows against what is wanted.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Drift)]
struct DriftView {
    id: DriftId,
    kind: Kind,
    /// The pod of the VM's stamp; null name: there never was such a pod.
    cloudpod: PodRef,
    tenant_id: Option<TenantId>,
    /// Where the VM is, or should be.
    server: ServerRef,
    vmid: u32,
    since: Ms,
    last_seen: Ms,
    /// Null: it is open.
    closed_at: Option<Ms>,
    /// It has not lasted long enough to count: an inventory may be older than what a job did meanwhile.
    settling: bool,
    /// What is wanted.
    #[schema(value_type = Object)]
    expected: serde_json::Value,
    /// What is seen.
    #[schema(value_type = Object)]
    seen: serde_json::Value,
    /// What can be done here.
    actions: Vec<Action>,
    /// What to do, for people.
    cure: &'static str,
    /// How often it was tried to put it right.
    heal_tries: u32,
    /// The newest job that tries.
    heal_job_id: Option<JobId>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = DriftCloudPod)]
struct PodRef {
    id: CloudPodId,
    name: Option<String>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = DriftServer)]
struct ServerRef {
    id: ServerId,
    name: String,
}

/// What was done about a difference, and the job that does the rest.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = DriftAndJob)]
struct DriftAndJob {
    drift: DriftView,
    /// Null: it is done.
    job: Option<JobView>,
}

/// Which differences to list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Of this kind; `orphan` for VMs that bear our stamp and are nobody's.
    #[param(inline)]
    kind: Option<Kind>,
    /// On this server: its id or name.
    server_id: Option<String>,
    /// Of this pod.
    cloudpod_id: Option<CloudPodId>,
    /// Those that are over instead of those that are open.
    #[serde(default)]
    closed: bool,
}

/// A typed confirmation.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DriftConfirm)]
struct ConfirmBody {
    /// `SERVER/VMID` of the VM.
    #[schema(example = "pve1/10012", max_length = 100)]
    confirm: String,
}

impl ConfirmBody {
    fn checked(self) -> Result<String> {
        let mut checks = Checks::new();
        checks.text("confirm", &self.confirm, 0..=100);
        checks.finish()?;
        Ok(self.confirm)
    }
}

/// The routes of this slice.
pub fn router() -> OpenApiRouter<Arc<App>> {
    let drift = OpenApiRouter::new()
        .routes(routes!(drift_list))
        .routes(routes!(drift_get))
        .routes(routes!(drift_accept))
        .routes(routes!(drift_heal))
        .routes(routes!(drift_release))
        .routes(routes!(drift_destroy));
    OpenApiRouter::new().nest("/api/platform/drift", drift)
}

fn view(app: &App, drift: Drift) -> DriftView {
    let settling = app.drift.is_settling(&drift);
    let Drift {
        id,
        kind,
        pod,
        pod_name,
        tenant,
        server,
        server_name,
        vmid,
        expected,
        seen,
        since,
        last_seen,
        closed_at,
        heal_tries,
        healed_at: _,
        heal_job,
    } = drift;
    DriftView {
        id,
        kind,
        cloudpod: PodRef { id: pod, name: pod_name },
        tenant_id: tenant,
        server: ServerRef { id: server, name: server_name },
        vmid,
        since,
        last_seen,
        closed_at,
        settling,
        expected,
        seen,
        actions: if closed_at.is_none() { kind.actions().to_vec() } else { Vec::new() },
        cure: kind.cure(),
        heal_tries,
        heal_job_id: heal_job,
    }
}

fn answer(app: &App, drift: Drift, job: Option<Job>) -> Response {
    let drift = view(app, drift);
    match job {
        None => Json(DriftAndJob { drift, job: None }).into_response(),
        Some(job) => {
            let location = format!("/api/platform/provisioning/jobs/{}", job.id);
            let names = app.jobs.step_names(&job);
            let job = Some(JobView::new(job, Vec::new(), &names));
            crate::http::accepted(&location, DriftAndJob { drift, job })
        }
    }
}

/// What hosts show against what is wanted, the newest first.
#[utoipa::path(get, path = "", tag = "Drift", params(ListQuery, PageQuery),
    responses((status = 200, body = Page<DriftView>)), extensions(("x-permission" = json!("drift:read"))))]
async fn drift_list(
    State(app): State<Arc<App>>,
    auth: Auth,
    Listing { filter, page }: Listing<ListQuery>,
) -> Result<Json<Page<DriftView>>> {
    auth.require(Permission::DriftRead)?;
    let ListQuery { kind, server_id, cloudpod_id, closed } = filter;
    let server = match server_id {
        None => None,
        Some(server) => Some(match app.servers.server_show(&server).await {
            Err(Error::NotFound { .. }) => Err(Error::invalid("server_id", format!("there is no server {server}"))),
            found => found.map(|server| server.id),
        }?),
    };
    let filter = Filter { kind, server, pod: cloudpod_id, closed };
    let drifts = app.drift.drift_list(&filter, page.window()?).await?;
    Ok(Json(page.page(drifts, |drift| drift.id)?.map(|drift| view(&app, drift))))
}

/// One difference; also one that is over.
#[utoipa::path(get, path = "/{id}", tag = "Drift", params(("id" = DriftId, Path)),
    responses((status = 200, body = DriftView), (status = 404)), extensions(("x-permission" = json!("drift:read"))))]
async fn drift_get(State(app): State<Arc<App>>, auth: Auth, Path(id): Path<DriftId>) -> Result<Json<DriftView>> {
    auth.require(Permission::DriftRead)?;
    let drift = app.drift.drift_get(id).await?;
    Ok(Json(view(&app, drift)))
}

/// Makes what is seen what is wanted: power, size, name and autostart at once; the new place of a moved VM, or an orphan for its failed
/// pod, by a job that has the hosts confirm it first.
#[utoipa::path(post, path = "/{id}/accept", tag = "Drift", params(("id" = DriftId, Path)),
    responses((status = 200, body = DriftAndJob), (status = 202, body = DriftAndJob), (status = 404), (status = 409)),
    extensions(("x-permission" = json!("drift:write"))))]
async fn drift_accept(State(app): State<Arc<App>>, auth: Auth, Path(id): Path<DriftId>) -> Result<Response> {
    auth.require(Permission::DriftWrite)?;
    let (drift, job) = app.drift.drift_accept(&auth.actor, id).await?;
    Ok(answer(&app, drift, job))
}

/// Makes a job that puts the pod back as it is wanted.
#[utoipa::path(post, path = "/{id}/heal", tag = "Drift", params(("id" = DriftId, Path)),
    responses((status = 202, body = DriftAndJob), (status = 404), (status = 409)),
    extensions(("x-permission" = json!("drift:write"))))]
async fn drift_heal(State(app): State<Arc<App>>, auth: Auth, Path(id): Path<DriftId>) -> Result<Response> {
    auth.require(Permission::DriftWrite)?;
    let (drift, job) = app.drift.drift_heal(&auth.actor, id).await?;
    Ok(answer(&app, drift, Some(job)))
}

/// Takes our stamp off an orphan, or off a second VM of a pod, and changes nothing else of it: it is a foreign VM afterwards, which
/// can be adopted.
#[utoipa::path(post, path = "/{id}/release", tag = "Drift", params(("id" = DriftId, Path)), request_body = ConfirmBody,
    responses((status = 202, body = DriftAndJob), (status = 404), (status = 409), (status = 422)),
    extensions(("x-permission" = json!("drift:write"))))]
async fn drift_release(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<DriftId>,
    Body(body): Body<ConfirmBody>,
) -> Result<Response> {
    auth.require(Permission::DriftWrite)?;
    let confirm = body.checked()?;
    let (drift, job) = app.drift.drift_release(&auth.actor, id, &confirm).await?;
    Ok(answer(&app, drift, Some(job)))
}

/// Removes an orphan, or a second VM of a pod: its agent destroys it only if it bears the very stamp.
#[utoipa::path(post, path = "/{id}/destroy", tag = "Drift", params(("id" = DriftId, Path)), request_body = ConfirmBody,
    responses((status = 202, body = DriftAndJob), (status = 404), (status = 409), (status = 422)),
    extensions(("x-permission" = json!("drift:write"))))]
async fn drift_destroy(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<DriftId>,
    Body(body): Body<ConfirmBody>,
) -> Result<Response> {
    auth.require(Permission::DriftWrite)?;
    let confirm = body.checked()?;
    let (drift, job) = app.drift.drift_destroy(&auth.actor, id, &confirm).await?;
    Ok(answer(&app, drift, Some(job)))
}

//! Jobs over REST: looking, retrying, cancelling. The prefix decides whose jobs the caller sees, nothing else.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::service::JobFilter;
use super::{Job, JobError, JobNames, JobState, LogLine, Phase, StepRow, overall_percent};
use crate::app::App;
use crate::clock::Ms;
use crate::domain::access::Permission;
use crate::domain::audit::names::ActorNames;
use crate::domain::sort::Age;
use crate::error::{NO_CAPACITY, NO_ROOM, Result};
use crate::http::auth::Auth;
use crate::http::page::{Listing, NoFilter, Page, PageQuery};
use crate::http::path::Path;
use crate::ids::{CloudPodId, JobId, ServerId, TenantId};

/// A job as the API shows it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Job)]
pub struct JobView {
    id: JobId,
    /// Null: the platform's own.
    tenant_id: Option<TenantId>,
    /// Null also where the job is told beside its pod, and not read by itself.
    tenant_name: Option<String>,
    /// `provision`, `start`, `destroy`, …
    kind: String,
    cloudpod_id: Option<CloudPodId>,
    /// Null also where the job is told beside its pod, and not read by itself.
    cloudpod_name: Option<String>,
    server_id: Option<ServerId>,
    /// Null also where the caller is not shown servers, or the job is not read by itself.
    server_name: Option<String>,
    state: JobState,
    /// 0 to 100 of the whole.
    #[schema(minimum = 0, maximum = 100)]
    progress: u8,
    /// The step that is next or under way.
    step: Option<String>,
    /// Which try of that step this is, from 1.
    attempt: u32,
    attempts_max: u32,
    /// Not before this time.
    run_at: Ms,
    /// Whether `retry` does something: it is stuck, or it waits for its next try.
    retryable: bool,
    cancel_requested: bool,
    /// Null: it waits for nobody.
    waits_for: Option<WaitsFor>,
    /// The newest error: the cause in full, in Proxmox's own words where it is Proxmox's.
    error: Option<JobError>,
    /// In order; only where one job is read, not in lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    steps: Vec<StepView>,
    created_by: String,
    /// A person's address, a token's owner and name. Null: a part of the control plane; who is no longer there; to a tenant's people,
    /// the platform's staff; or the job is not read by itself.
    created_by_name: Option<String>,
    created_at: Ms,
    started_at: Option<Ms>,
    finished_at: Option<Ms>,
    updated_at: Ms,
}

/// What a job waits for.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct WaitsFor {
    /// `null` to whom hosts are not shown.
    server_id: Option<ServerId>,
    /// For people.
    detail: String,
}

/// A step of a job.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct StepView {
    name: String,
    /// `pending`, `running`, `done`, `failed`, `undoing` or `undone`.
    state: String,
    attempt: u32,
    started_at: Option<Ms>,
    finished_at: Option<Ms>,
    /// What it did, or why it failed.
    detail: String,
}

fn waits_detail(server: &str) -> String {
    format!(
        "server {server} is offline: the job goes on when its agent is back; see `mpanel server test-connection {server}`"
    )
}

impl JobView {
    /// Of a job, the steps that have begun, and the names of all of them.
    #[must_use]
    pub fn new(job: Job, begun: Vec<StepRow>, names: &[&str]) -> Self {
        let step = (!job.state.is_final()).then(|| names.get(job.step).map(|name| (*name).to_owned())).flatten();
        let mut steps: Vec<StepView> = names.iter().map(|name| StepView::pending(name)).collect();
        for row in begun {
            let StepRow { index, name, state, attempt, started_at, finished_at, detail } = row;
            let view = StepView { name, state, attempt, started_at, finished_at, detail };
            match steps.get_mut(index) {
                Some(pending) => *pending = view,
                None => steps.push(view),
            }
        }
        Self { step, steps, ..Self::brief(job) }
    }

    fn named(mut self, names: &HashMap<JobId, JobNames>, actors: &ActorNames) -> Self {
        self.created_by_name = actors.get(&self.created_by).cloned();
        if let Some(JobNames { tenant, pod, server }) = names.get(&self.id).cloned() {
            (self.tenant_name, self.cloudpod_name, self.server_name) = (tenant, pod, server);
        }
        if let (Some(waits), Some(name)) = (&mut self.waits_for, &self.server_name)
            && waits.server_id == self.server_id
        {
            waits.detail = waits_detail(name);
        }
        self
    }

    /// The same as it is told to this caller: what it says of hosts, only to whom they are shown.
    #[must_use]
    pub fn told_to(mut self, auth: &Auth) -> Self {
        if auth.sees_hosts() {
            return self;
        }
        (self.server_id, self.server_name) = (None, None);
        // What was done is told by the pod itself; where and under which number is the platform's to know.
        self.steps.iter_mut().filter(|step| step.state != "failed").for_each(|step| step.detail.clear());
        if let Some(waits) = &mut self.waits_for {
            waits.server_id = None;
            "its server is offline: the job goes on when that is back".clone_into(&mut waits.detail);
        }
        if let Some(error) = self.error.as_mut().filter(|error| error.code == NO_CAPACITY) {
            NO_ROOM.clone_into(&mut error.detail);
            self.steps.iter_mut().filter(|step| step.state == "failed").for_each(|step| step.detail.clear());
        }
        self
    }

    fn brief(job: Job) -> Self {
        let progress = overall_percent(&job);
        let retryable = matches!(job.state, JobState::Stuck)
            || (job.attempt > 1 && matches!(job.state, JobState::Queued | JobState::Undoing));
        let Job {
            id,
            tenant,
            kind,
            pod,
            server,
            state,
            params: _,
            step: _,
            step_count: _,
            attempt,
            attempts_max,
            retries: _,
            run_at,
            epoch: _,
            command: _,
            waits_for,
            cancel_requested,
            step_progress: _,
            error,
            created_by,
            created_at,
            started_at,
            finished_at,
            updated_at,
        } = job;
        Self {
            id,
            tenant_id: tenant,
            tenant_name: None,
            kind,
            cloudpod_id: pod,
            cloudpod_name: None,
            server_id: server,
            server_name: None,
            state,
            progress,
            step: None,
            attempt,
            attempts_max,
            run_at,
            retryable,
            cancel_requested,
            waits_for: waits_for
                .map(|server_id| WaitsFor { server_id: Some(server_id), detail: waits_detail(&server_id.to_string()) }),
            error,
            steps: Vec::new(),
            created_by,
            created_by_name: None,
            created_at,
            started_at,
            finished_at,
            updated_at,
        }
    }
}

impl StepView {
    fn pending(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            state: "pending".to_owned(),
            attempt: 0,
            started_at: None,
            finished_at: None,
            detail: String::new(),
        }
    }
}

/// A line of a job's log.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct LogLineView {
    at: Ms,
    step: String,
    /// Whether the step was being done or undone; null in logs from before this was written down.
    phase: Option<Phase>,
    /// Which try, from 1 in each phase and after each retry.
    attempt: u32,
    /// How often an undo that was stuck had been begun anew by then; 0: not yet.
    retry: u32,
    /// `info`, `warn` or `error`.
    level: String,
    line: String,
}

/// Which jobs to list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct JobListFilter {
    /// Of this pod.
    cloudpod_id: Option<CloudPodId>,
    /// On this server.
    server_id: Option<ServerId>,
    /// Of this kind, e.g. `provision`.
    kind: Option<String>,
    /// In this state.
    state: Option<JobState>,
    /// That waits for this server's agent.
    waits_for: Option<ServerId>,
    /// In which order; the newest first when left out.
    #[param(inline)]
    sort: Option<Age>,
}

/// How much is queued.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct QueueView {
    queued: i64,
    running: i64,
    undoing: i64,
    /// Undos that cannot finish: each needs somebody to look at it, then `retry`.
    stuck: i64,
}

/// The routes of this slice.
pub fn router() -> OpenApiRouter<Arc<App>> {
    let jobs = || {
        OpenApiRouter::new()
            .routes(routes!(job_list))
            .merge(super::history::routes::router())
            .routes(routes!(job_get))
            .routes(routes!(job_log))
            .routes(routes!(job_retry))
            .routes(routes!(job_cancel))
    };
    OpenApiRouter::new()
        .nest("/api/provisioning", jobs())
        .nest("/api/platform/provisioning", jobs())
        .nest("/api/admin/provisioning", OpenApiRouter::new().routes(routes!(queue_get)))
}

async fn view(app: &App, auth: &Auth, id: JobId) -> Result<JobView> {
    let (job, begun) = app.jobs.job_get(auth.scope, id).await?;
    let steps = app.jobs.step_names(&job);
    let names = app.jobs.job_names(std::slice::from_ref(&job)).await?;
    let actors = app.audit.actor_names(std::iter::once(job.created_by.as_str()), auth.role.is_none()).await?;
    Ok(JobView::new(job, begun, &steps).named(&names, &actors).told_to(auth))
}

/// Jobs, page by page.
#[utoipa::path(get, path = "/jobs", tag = "Provisioning", params(PageQuery, JobListFilter),
    responses((status = 200, body = Page<JobView>)), extensions(("x-permission" = json!("provisioning:read"))))]
async fn job_list(
    State(app): State<Arc<App>>,
    auth: Auth,
    list: Listing<JobListFilter>,
) -> Result<Json<Page<JobView>>> {
    auth.require(Permission::ProvisioningRead)?;
    let JobListFilter { cloudpod_id, server_id, kind, state, waits_for, sort } = list.filter;
    let sort = sort.unwrap_or_default();
    let filter = JobFilter { pod: cloudpod_id, server: server_id, kind, state, waits_for, sort };
    let jobs = app.jobs.job_list(auth.scope, &filter, list.page.window()?).await?;
    let names = app.jobs.job_names(&jobs).await?;
    let actors = app.audit.actor_names(jobs.iter().map(|job| job.created_by.as_str()), auth.role.is_none()).await?;
    let view = |job| JobView::brief(job).named(&names, &actors).told_to(&auth);
    Ok(Json(list.page.page(jobs, |job| job.id)?.map(view)))
}

/// One job with its steps.
#[utoipa::path(get, path = "/jobs/{id}", tag = "Provisioning", params(("id" = JobId, Path)),
    responses((status = 200, body = JobView)), extensions(("x-permission" = json!("provisioning:read"))))]
async fn job_get(State(app): State<Arc<App>>, auth: Auth, Path(id): Path<JobId>) -> Result<Json<JobView>> {
    auth.require(Permission::ProvisioningRead)?;
    Ok(Json(view(&app, &auth, id).await?))
}

/// What a job said, oldest first: each attempt of each step, and Proxmox's task log. To whom hosts are not shown only what went wrong:
/// the rest speaks of storages, paths and numbers.
#[utoipa::path(get, path = "/jobs/{id}/log", tag = "Provisioning", params(("id" = JobId, Path), PageQuery),
    responses((status = 200, body = Page<LogLineView>)), extensions(("x-permission" = json!("provisioning:read"))))]
async fn job_log(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<JobId>,
    list: Listing<NoFilter>,
) -> Result<Json<Page<LogLineView>>> {
    auth.require(Permission::ProvisioningRead)?;
    let lines = app.jobs.job_log(auth.scope, id, auth.sees_hosts(), list.page.window()?).await?;
    Ok(Json(list.page.page(lines, |line| line.id)?.map(|line| {
        let LogLine { id: _, step, phase, attempt, retry, level, mut line, at } = line;
        if !auth.sees_hosts() && line.ends_with(&format!("({NO_CAPACITY})")) {
            NO_ROOM.clone_into(&mut line);
        }
        LogLineView { at, step, phase, attempt, retry, level, line }
    })))
}

/// Tries again now: resumes a stuck undo, or ends the wait for the next try.
#[utoipa::path(post, path = "/jobs/{id}/retry", tag = "Provisioning", params(("id" = JobId, Path)),
    responses((status = 202, body = JobView), (status = 403), (status = 404), (status = 409)),
    extensions(("x-permission" = json!("provisioning:write"))))]
async fn job_retry(State(app): State<Arc<App>>, auth: Auth, Path(id): Path<JobId>) -> Result<axum::response::Response> {
    auth.require(Permission::ProvisioningWrite)?;
    app.jobs.job_permit(auth.scope, auth.grant, id).await?;
    app.jobs.job_retry(&auth.actor, auth.scope, id).await?;
    Ok(crate::http::accepted(&format!("{}/{id}", auth.jobs_path()), view(&app, &auth, id).await?))
}

/// Cancels: at once before a step; during one, the step ends or is aborted. What was done is undone.
#[utoipa::path(post, path = "/jobs/{id}/cancel", tag = "Provisioning", params(("id" = JobId, Path)),
    responses((status = 202, body = JobView), (status = 403), (status = 404), (status = 409)),
    extensions(("x-permission" = json!("provisioning:write"))))]
async fn job_cancel(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<JobId>,
) -> Result<axum::response::Response> {
    auth.require(Permission::ProvisioningWrite)?;
    app.jobs.job_permit(auth.scope, auth.grant, id).await?;
    app.jobs.job_cancel(&auth.actor, auth.scope, id).await?;
    Ok(crate::http::accepted(&format!("{}/{id}", auth.jobs_path()), view(&app, &auth, id).await?))
}

/// How much is queued, running, being undone and stuck.
#[utoipa::path(get, path = "/queue", tag = "Provisioning",
    responses((status = 200, body = QueueView)), extensions(("x-permission" = json!("provisioning:manage"))))]
async fn queue_get(State(app): State<Arc<App>>, auth: Auth) -> Result<Json<QueueView>> {
    auth.require(Permission::ProvisioningManage)?;
    let counts = app.jobs.counts_by_state().await?;
    let of = |state: JobState| counts.iter().find(|(name, _)| name == state.as_str()).map_or(0, |(_, count)| *count);
    Ok(Json(QueueView {
        queued: of(JobState::Queued),
        running: of(JobState::Running),
        undoing: of(JobState::Undoing),
        stuck: of(JobState::Stuck),
    }))
}

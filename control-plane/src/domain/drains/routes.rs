//! Opening, locking and draining servers over REST, for platform staff. A path takes a server's id or its name.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::service::StatusWish;
use super::{Detail, Drain, DrainPod, DrainState, Kind, Options, PlanRow, PodState};
use crate::app::App;
use crate::clock::Ms;
use crate::domain::access::Permission;
use crate::domain::cloudpods::Named;
use crate::domain::servers::routes::view;
use crate::domain::servers::view::ServerView;
use crate::domain::servers::{Method, SchedulingState, StatusChange};
use crate::error::Result;
use crate::http::auth::Auth;
use crate::http::etag::IfMatch;
use crate::http::json::{Body, MaybeBody};
use crate::http::path::Path;
use crate::ids::{CloudPodId, DrainId, JobId, ServerId};

const PATH: &str = "/api/platform/servers";
/// How long a guest gets to shut down when the caller does not say, in seconds.
const SHUTDOWN_S_DEFAULT: u64 = 180;

/// What is wanted of a server from now on.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ServerStatusChange)]
struct StatusBody {
    status: SchedulingState,
    /// Why; shown with the state.
    #[serde(default)]
    reason: String,
    /// When a drain is to be over: no move begins after it.
    deadline: Option<Ms>,
    /// For a drain: whether guests of VMs that cannot be moved while they run may be asked to shut down. They are started again.
    #[serde(default)]
    allow_shutdown: bool,
    /// How long a guest gets for that, in seconds.
    #[schema(minimum = 5, maximum = 3600, default = 180)]
    shutdown_s: Option<u64>,
    /// For `online`: whether the pods come back that drains have moved away since it was last open.
    #[serde(default)]
    fill_back: bool,
}

/// What a drain would be allowed.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DrainPreviewRequest)]
struct PreviewBody {
    /// Whether guests of VMs that cannot be moved while they run may be asked to shut down.
    #[serde(default)]
    allow_shutdown: bool,
}

/// What a change of status came to.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ServerStatus)]
struct StatusView {
    server: ServerView,
    /// What happens now, and what does not.
    detail: String,
    /// What was begun; null: nothing.
    drain: Option<DrainView>,
}

/// A drain and its plan.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Drain)]
struct DrainView {
    id: DrainId,
    server: Named<ServerId>,
    kind: Kind,
    state: DrainState,
    reason: String,
    deadline: Option<Ms>,
    allow_shutdown: bool,
    shutdown_s: u64,
    /// Why it is where it is; null: there is nothing to say.
    note: Option<String>,
    counts: CountsView,
    created_by: String,
    created_at: Ms,
    updated_at: Ms,
    finished_at: Option<Ms>,
    pods: Vec<DrainPodView>,
}

/// How many pods of a drain are where.
#[derive(Default, Serialize, utoipa::ToSchema)]
#[schema(as = DrainCounts)]
struct CountsView {
    planned: u64,
    moving: u64,
    moved: u64,
    gone: u64,
    blocked: u64,
    left: u64,
}

/// A pod of a drain.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = DrainPod)]
struct DrainPodView {
    cloudpod: Named<CloudPodId>,
    state: PodState,
    /// Null: it cannot be moved.
    method: Option<Method>,
    /// Where it goes, or went.
    target: Option<Named<ServerId>>,
    /// The server that it is on now; null: it is deleted.
    server_id: Option<ServerId>,
    /// What has to be copied; null: not known.
    bytes: Option<u64>,
    /// What keeps it where it is; null: nothing.
    blocker: Option<String>,
    job_id: Option<JobId>,
    /// Of its job, 0 to 100; null: it has none.
    progress: Option<u8>,
    /// How often it was tried in vain.
    attempts: u32,
    /// Why the last try failed; null: none did.
    error: Option<String>,
}

/// What a drain would do.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = DrainPreview)]
struct PreviewView {
    server: Named<ServerId>,
    /// How many pods could be moved.
    movable: u64,
    /// How many could not.
    blocked: u64,
    /// What would have to be copied in all, as far as it is known.
    bytes: u64,
    pods: Vec<PlanView>,
}

/// What a drain would do with a pod.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = DrainPlan)]
struct PlanView {
    cloudpod: Named<CloudPodId>,
    /// Null: it could not be moved.
    method: Option<Method>,
    target: Option<Named<ServerId>>,
    /// What would have to be copied; null: not known.
    bytes: Option<u64>,
    /// What would keep it; null: nothing.
    blocker: Option<String>,
}

fn said(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

impl From<Detail> for DrainView {
    fn from(detail: Detail) -> Self {
        let Detail { drain, server: server_name, pods } = detail;
        let Drain {
            id,
            server,
            kind,
            state,
            reason,
            deadline,
            options: Options { allow_shutdown, shutdown_s },
            note,
            created_by,
            created_at,
            updated_at,
            finished_at,
        } = drain;
        let mut counts = CountsView::default();
        for pod in &pods {
            *match pod.state {
                PodState::Planned => &mut counts.planned,
                PodState::Moving => &mut counts.moving,
                PodState::Moved => &mut counts.moved,
                PodState::Gone => &mut counts.gone,
                PodState::Blocked => &mut counts.blocked,
                PodState::Left => &mut counts.left,
            } += 1;
        }
        Self {
            id,
            server: Named { id: server, name: server_name },
            kind,
            state,
            reason,
            deadline,
            allow_shutdown,
            shutdown_s,
            note: said(note),
            counts,
            created_by,
            created_at,
            updated_at,
            finished_at,
            pods: pods.into_iter().map(DrainPodView::from).collect(),
        }
    }
}

impl From<DrainPod> for DrainPodView {
    fn from(row: DrainPod) -> Self {
        let DrainPod {
            pod,
            name,
            pod_state: _,
            at,
            state,
            method,
            target,
            bytes,
            blocker,
            job,
            job_state: _,
            job_error: _,
            progress,
            attempts,
            avoid: _,
            error,
            run_at: _,
        } = row;
        Self {
            cloudpod: Named { id: pod, name },
            state,
            method,
            target,
            server_id: at,
            bytes,
            blocker: said(blocker),
            job_id: job,
            progress,
            attempts,
            error: said(error),
        }
    }
}

impl From<PlanRow> for PlanView {
    fn from(row: PlanRow) -> Self {
        let PlanRow { pod, name, method, target, bytes, blocker, refused: _ } = row;
        Self { cloudpod: Named { id: pod, name }, method, target, bytes, blocker: said(blocker) }
    }
}

/// The routes of this slice.
pub fn router() -> OpenApiRouter<Arc<App>> {
    let drains = OpenApiRouter::new()
        .routes(routes!(server_status_set))
        .routes(routes!(drain_get, drain_cancel))
        .routes(routes!(drain_preview));
    OpenApiRouter::new().nest(PATH, drains)
}

/// Opens, locks or drains a server. `locked` and `draining` keep everything new away at once; `locked` leaves what runs, a drain
/// moves it to other servers. Asked again, a drain takes up its new deadline and tries what it had given up.
#[utoipa::path(post, path = "/{id}/status", tag = "Servers", params(("id" = String, Path, description = "Id or name")),
    request_body = StatusBody,
    responses((status = 200, body = StatusView), (status = 202, body = StatusView, description = "Pods are being moved")),
    extensions(("x-permission" = json!("servers:write"))))]
async fn server_status_set(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<String>,
    if_match: IfMatch,
    Body(body): Body<StatusBody>,
) -> Result<Response> {
    auth.require(Permission::ServersWrite)?;
    let StatusBody { status, reason, deadline, allow_shutdown, shutdown_s, fill_back } = body;
    let id = app.servers.server_show(&id).await?.id;
    let wish = StatusWish {
        change: StatusChange { status, reason, deadline },
        options: Options { allow_shutdown, shutdown_s: shutdown_s.unwrap_or(SHUTDOWN_S_DEFAULT) },
        fill_back,
    };
    let (server, drain) = app.drains.status_set(&auth.actor, id, if_match.version(), wish).await?;
    let (pods, moves) = (server.reserved.pods, drain.as_ref().map_or(0, |drain| drain.pods.len()));
    let detail = match status {
        SchedulingState::Online if moves > 0 => format!("new pods may be placed on it, and {moves} pod(s) come back"),
        SchedulingState::Online => "new pods may be placed on it".to_owned(),
        SchedulingState::Locked => format!("nothing new is placed on it; the {pods} pod(s) on it stay and run on"),
        SchedulingState::Draining if moves == 0 => {
            "nothing new is placed on it, and no pod is on it: it is empty".to_owned()
        }
        SchedulingState::Draining => {
            format!("nothing new is placed on it, and the {moves} pod(s) on it are moved to other servers one by one")
        }
    };
    let body = StatusView { server: view(&app, server).await?, detail, drain: drain.map(DrainView::from) };
    Ok(if body.drain.is_some() {
        crate::http::accepted(&format!("{PATH}/{id}/drain"), body)
    } else {
        Json(body).into_response()
    })
}

/// The newest drain of a server, or the filling after it: where each pod is, and what keeps it.
#[utoipa::path(get, path = "/{id}/drain", tag = "Servers", params(("id" = String, Path, description = "Id or name")),
    responses((status = 200, body = DrainView), (status = 404)), extensions(("x-permission" = json!("servers:read"))))]
async fn drain_get(State(app): State<Arc<App>>, auth: Auth, Path(id): Path<String>) -> Result<Json<DrainView>> {
    auth.require(Permission::ServersRead)?;
    let id = app.servers.server_show(&id).await?.id;
    Ok(Json(app.drains.drain_get(id).await?.into()))
}

/// Cancels a drain: no further move begins, and those under way end. The server stays locked.
#[utoipa::path(delete, path = "/{id}/drain", tag = "Servers", params(("id" = String, Path, description = "Id or name")),
    responses((status = 200, body = DrainView), (status = 404), (status = 409)),
    extensions(("x-permission" = json!("servers:write"))))]
async fn drain_cancel(State(app): State<Arc<App>>, auth: Auth, Path(id): Path<String>) -> Result<Json<DrainView>> {
    auth.require(Permission::ServersWrite)?;
    let id = app.servers.server_show(&id).await?.id;
    Ok(Json(app.drains.drain_cancel(&auth.actor, id).await?.into()))
}

/// What a drain would do with each pod. Nothing is written, nothing is held.
#[utoipa::path(post, path = "/{id}/drain/preview", tag = "Servers",
    params(("id" = String, Path, description = "Id or name")), request_body = Option<PreviewBody>,
    responses((status = 200, body = PreviewView), (status = 404)), extensions(("x-permission" = json!("servers:read"))))]
async fn drain_preview(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<String>,
    MaybeBody(PreviewBody { allow_shutdown }): MaybeBody<PreviewBody>,
) -> Result<Json<PreviewView>> {
    auth.require(Permission::ServersRead)?;
    let server = app.servers.server_show(&id).await?;
    let options = Options { allow_shutdown, shutdown_s: SHUTDOWN_S_DEFAULT };
    let rows = app.drains.drain_preview(server.id, &options).await?;
    let blocked = rows.iter().filter(|row| !row.blocker.is_empty()).count() as u64;
    Ok(Json(PreviewView {
        server: Named { id: server.id, name: server.name },
        movable: rows.len() as u64 - blocked,
        blocked,
        bytes: rows.iter().filter_map(|row| row.bytes).sum(),
        pods: rows.into_iter().map(PlanView::from).collect(),
    }))
}

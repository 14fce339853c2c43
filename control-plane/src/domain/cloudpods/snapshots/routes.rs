//! A pod's snapshots over REST.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Shared;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::clock::Ms;
use crate::domain::access::Permission;
use crate::domain::cloudpods::routes::{PodAndJob, TenantQuery, answer, narrowed};
use crate::domain::snapshots::{Snapshot, SnapshotState};
use crate::error::Result;
use crate::http::auth::Auth;
use crate::http::json::Body;
use crate::http::page::{Listing, Page, PageQuery};
use crate::http::path::Path;
use crate::http::query::Params;
use crate::ids::CloudPodId;

/// The routes of this part, below a pod.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(snapshot_list, snapshot_create))
        .routes(routes!(snapshot_rollback))
        .routes(routes!(snapshot_delete))
}

/// A snapshot of a CloudPod.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Snapshot)]
struct SnapshotView {
    name: String,
    description: String,
    /// With the guest's memory.
    memory: bool,
    /// The one before it.
    parent: Option<String>,
    /// creating, ready or deleting
    state: SnapshotState,
    created_at: Ms,
}

impl From<Snapshot> for SnapshotView {
    fn from(snapshot: Snapshot) -> Self {
        let Snapshot { pod: _, name, description, memory, parent, state, created_at } = snapshot;
        Self { name, description, memory, parent, state, created_at }
    }
}

/// A snapshot to be taken.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SnapshotCreate)]
struct CreateBody {
    /// 2 to 40 letters, digits, `_` or `-`, beginning with a letter; not `current`.
    #[schema(min_length = 2, max_length = 40, example = "before-upgrade")]
    name: String,
    /// For people.
    #[serde(default)]
    #[schema(max_length = 256)]
    description: String,
    /// The guest's memory too: going back to it, the guest goes on where it was.
    #[serde(default)]
    memory: bool,
}

/// A CloudPod's snapshots, in the order of their making, as its host last told.
#[utoipa::path(get, path = "/cloudpods/{id}/snapshots", tag = "CloudPods",
    params(("id" = CloudPodId, Path), TenantQuery, PageQuery),
    responses((status = 200, body = Page<SnapshotView>), (status = 404)),
    extensions(("x-permission" = json!("cloudpods:read"))))]
async fn snapshot_list(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path(id): Path<CloudPodId>,
    Listing { filter, page }: Listing<TenantQuery>,
) -> Result<Json<Page<SnapshotView>>> {
    auth.require(Permission::CloudpodsRead)?;
    let scope = narrowed(&auth, filter.tenant_id)?;
    let snapshots = app.cloudpods.snapshot_list(scope, id, &page.window()?).await?;
    Ok(Json(page.page(snapshots, |s| (s.created_at, s.name.clone()))?.map(SnapshotView::from)))
}

/// Takes a snapshot of a CloudPod.
#[utoipa::path(post, path = "/cloudpods/{id}/snapshots", tag = "CloudPods",
    params(("id" = CloudPodId, Path), TenantQuery), request_body = CreateBody,
    responses((status = 202, body = PodAndJob), (status = 404), (status = 409), (status = 422)),
    extensions(("x-permission" = json!("cloudpods:write"))))]
async fn snapshot_create(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path(id): Path<CloudPodId>,
    Params(query): Params<TenantQuery>,
    Body(body): Body<CreateBody>,
) -> Result<Response> {
    auth.require(Permission::CloudpodsWrite)?;
    let scope = narrowed(&auth, query.tenant_id)?;
    let CreateBody { name, description, memory } = body;
    let made = app.cloudpods.snapshot_create(&auth.actor, scope, id, &name, &description, memory).await?;
    Ok(answer(&app, &auth, made))
}

/// Takes a CloudPod back to a snapshot. What came after it is lost; its power is afterwards as it is wanted.
#[utoipa::path(post, path = "/cloudpods/{id}/snapshots/{name}/rollback", tag = "CloudPods",
    params(("id" = CloudPodId, Path), ("name" = String, Path), TenantQuery),
    responses((status = 202, body = PodAndJob), (status = 404), (status = 409)),
    extensions(("x-permission" = json!("cloudpods:write"))))]
async fn snapshot_rollback(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path((id, name)): Path<(CloudPodId, String)>,
    Params(query): Params<TenantQuery>,
) -> Result<Response> {
    auth.require(Permission::CloudpodsWrite)?;
    let scope = narrowed(&auth, query.tenant_id)?;
    Ok(answer(&app, &auth, app.cloudpods.snapshot_rollback(&auth.actor, scope, id, &name).await?))
}

/// Deletes a snapshot of a CloudPod, which stays as it is.
#[utoipa::path(delete, path = "/cloudpods/{id}/snapshots/{name}", tag = "CloudPods",
    params(("id" = CloudPodId, Path), ("name" = String, Path), TenantQuery),
    responses((status = 202, body = PodAndJob), (status = 404), (status = 409)),
    extensions(("x-permission" = json!("cloudpods:write"))))]
async fn snapshot_delete(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path((id, name)): Path<(CloudPodId, String)>,
    Params(query): Params<TenantQuery>,
) -> Result<Response> {
    auth.require(Permission::CloudpodsWrite)?;
    let scope = narrowed(&auth, query.tenant_id)?;
    Ok(answer(&app, &auth, app.cloudpods.snapshot_delete(&auth.actor, scope, id, &name).await?))
}

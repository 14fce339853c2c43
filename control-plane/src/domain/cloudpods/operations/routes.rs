//! The operations over REST, beside a pod's other routes.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::response::Response;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Resize;
use crate::app::App;
use crate::domain::cloudpods::routes::{PodAndJob, TenantQuery, answer, narrowed};
use crate::error::Result;
use crate::http::auth::Auth;
use crate::http::json::Body;
use crate::http::path::Path;
use crate::http::query::Params;
use crate::ids::CloudPodId;

/// How long a guest gets to shut down before its power is cut, in seconds.
const SUSPEND_GUEST_S_DEFAULT: u64 = 60;

/// The routes of this file, below `/api/admin/hosting`.
pub(in crate::domain::cloudpods) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(cloudpod_suspend))
        .routes(routes!(cloudpod_unsuspend))
        .routes(routes!(cloudpod_resize))
}

/// Why a pod is suspended.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CloudPodSuspend)]
struct SuspendBody {
    /// Shown with the pod.
    #[schema(min_length = 1, max_length = 500, example = "invoice 2026-118 is overdue")]
    reason: String,
    /// How long the guest gets to shut down before its power is cut, in seconds.
    #[schema(minimum = 5, maximum = 3600, default = 60)]
    timeout_s: Option<u64>,
}

/// A new size: that of a plan, or single figures.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CloudPodResize)]
struct ResizeBody {
    /// The plan's id or name.
    #[schema(max_length = 63, example = "large")]
    plan: Option<String>,
    #[schema(minimum = 1, maximum = 512)]
    vcpu: Option<u32>,
    #[schema(minimum = 16)]
    memory_mib: Option<u64>,
    /// Disks only grow.
    #[schema(minimum = 1)]
    disk_gib: Option<u64>,
    /// Restart it, if the new size needs that; otherwise `restart_needed` says so.
    #[serde(default)]
    restart: bool,
}

/// Locks a CloudPod against its customer and powers it off.
#[utoipa::path(post, path = "/cloudpods/{id}/suspend", tag = "CloudPods",
    params(("id" = CloudPodId, Path), TenantQuery), request_body = SuspendBody,
    responses((status = 202, body = PodAndJob), (status = 404), (status = 409), (status = 422)),
    extensions(("x-permission" = json!("cloudpods:manage"))))]
async fn cloudpod_suspend(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path(id): Path<CloudPodId>,
    Params(query): Params<TenantQuery>,
    Body(body): Body<SuspendBody>,
) -> Result<Response> {
    auth.require("cloudpods:manage")?;
    let scope = narrowed(&auth, query.tenant_id)?;
    let SuspendBody { reason, timeout_s } = body;
    let timeout_s = timeout_s.unwrap_or(SUSPEND_GUEST_S_DEFAULT);
    Ok(answer(&app, app.cloudpods.cloudpod_suspend(&auth.actor, scope, id, &reason, timeout_s).await?))
}

/// Gives a suspended CloudPod back to its customer, and starts it if it ran before.
#[utoipa::path(post, path = "/cloudpods/{id}/unsuspend", tag = "CloudPods",
    params(("id" = CloudPodId, Path), TenantQuery), responses((status = 202, body = PodAndJob), (status = 404), (status = 409)),
    extensions(("x-permission" = json!("cloudpods:manage"))))]
async fn cloudpod_unsuspend(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path(id): Path<CloudPodId>,
    Params(query): Params<TenantQuery>,
) -> Result<Response> {
    auth.require("cloudpods:manage")?;
    let scope = narrowed(&auth, query.tenant_id)?;
    Ok(answer(&app, app.cloudpods.cloudpod_unsuspend(&auth.actor, scope, id).await?))
}

/// Changes a CloudPod's size. The disk only grows.
#[utoipa::path(post, path = "/cloudpods/{id}/resize", tag = "CloudPods",
    params(("id" = CloudPodId, Path), TenantQuery), request_body = ResizeBody,
    responses((status = 202, body = PodAndJob), (status = 404), (status = 409), (status = 422),
        (status = 507, description = "Its server has no room for what it would grow by. Nothing was changed.")),
    extensions(("x-permission" = json!("cloudpods:write"))))]
async fn cloudpod_resize(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path(id): Path<CloudPodId>,
    Params(query): Params<TenantQuery>,
    Body(body): Body<ResizeBody>,
) -> Result<Response> {
    auth.require("cloudpods:write")?;
    let scope = narrowed(&auth, query.tenant_id)?;
    let ResizeBody { plan, vcpu, memory_mib, disk_gib, restart } = body;
    let input = Resize { plan, vcpu, memory_mib, disk_gib, restart };
    Ok(answer(&app, app.cloudpods.cloudpod_resize(&auth.actor, scope, id, &input).await?))
}

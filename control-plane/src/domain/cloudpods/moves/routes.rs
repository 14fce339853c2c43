//! Moving a CloudPod over REST.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::response::Response;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::routes::{PodAndJob, TenantQuery, answer, narrowed};
use super::Migrate;
use crate::app::App;
use crate::domain::access::Permission;
use crate::domain::servers::Method;
use crate::error::Result;
use crate::http::auth::Auth;
use crate::http::json::MaybeBody;
use crate::http::path::Path;
use crate::http::query::Params;
use crate::ids::CloudPodId;

/// How long a guest gets to shut down when the caller does not say, in seconds.
const SHUTDOWN_S_DEFAULT: u64 = 180;

/// How a pod is to be moved.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = CloudPodMigrate)]
struct MigrateBody {
    /// Id or name of the server that it goes to; left out: wherever it fits best.
    server: Option<String>,
    /// The storage of its disk there; left out: the same if the servers share it, otherwise the one that fits best.
    /// Another one than that which they share is refused: within a cluster such a disk stays where it is.
    storage: Option<String>,
    /// Left out: live if it runs, otherwise offline; to another Proxmox cluster only if its own has no room.
    method: Option<Method>,
    /// Whether disks on a storage of its host alone may be copied.
    with_local_disks: bool,
    /// Whether its guest may be asked to shut down if it cannot be moved while it runs. It is started again afterwards.
    allow_shutdown: bool,
    /// How long the guest gets for that, in seconds.
    #[schema(minimum = 5, maximum = 3600, default = 180)]
    shutdown_s: u64,
}

impl Default for MigrateBody {
    fn default() -> Self {
        Self {
            server: None,
            storage: None,
            method: None,
            with_local_disks: true,
            allow_shutdown: false,
            shutdown_s: SHUTDOWN_S_DEFAULT,
        }
    }
}

/// The routes of this part of the slice.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().nest("/api/admin/hosting", OpenApiRouter::new().routes(routes!(cloudpod_migrate)))
}

/// Moves a CloudPod to another server: 202 with the job. It holds room on both until both agents have confirmed the move.
#[utoipa::path(post, path = "/cloudpods/{id}/migrate", tag = "CloudPods",
    params(("id" = CloudPodId, Path), TenantQuery), request_body = Option<MigrateBody>,
    responses((status = 202, body = PodAndJob), (status = 404), (status = 409), (status = 422),
        (status = 507, description = "No server can take it; the reason per server. Nothing was begun.")),
    extensions(("x-permission" = json!("cloudpods:manage"))))]
async fn cloudpod_migrate(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path(id): Path<CloudPodId>,
    Params(query): Params<TenantQuery>,
    MaybeBody(body): MaybeBody<MigrateBody>,
) -> Result<Response> {
    auth.require(Permission::CloudpodsManage)?;
    let scope = narrowed(&auth, query.tenant_id)?;
    let MigrateBody { server, storage, method, with_local_disks, allow_shutdown, shutdown_s } = body;
    let input = Migrate { server, storage, method, with_local_disks, allow_shutdown, shutdown_s };
    Ok(answer(&app, &auth, app.cloudpods.cloudpod_migrate(&auth.actor, scope, id, input).await?))
}

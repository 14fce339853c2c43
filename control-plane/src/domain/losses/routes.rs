//! Declaring a host lost, over REST, for platform staff.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Declared;
use crate::app::App;
use crate::domain::access::Permission;
use crate::error::Result;
use crate::http::auth::Auth;
use crate::http::json::Body;
use crate::http::path::Path;
use crate::ids::ServerId;

/// A declaration that a host will not come back.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ServerDeclareLost)]
struct DeclareBody {
    /// Why; kept in the audit.
    #[schema(min_length = 1, max_length = 500, example = "mainboard burnt, disks gone")]
    reason: String,
    /// The server's name, typed.
    #[schema(max_length = 63, example = "pve1")]
    confirm: String,
}

/// What a declaration did.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ServerDeclaredLost)]
struct DeclaredView {
    server_id: ServerId,
    name: String,
    generation: u64,
    /// Pods that were on it: failed now, holding their addresses alone.
    cloudpods: usize,
    /// Jobs that waited for it: they end now.
    jobs: u64,
    /// What comes next, for people.
    detail: String,
}

/// The routes of this slice.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().nest("/api/platform/servers", OpenApiRouter::new().routes(routes!(server_declare_lost)))
}

/// Declares a server lost, which frees what its VMs held there, whether or not they still run. Only while its agent is not
/// connected. When it returns, its agent stops these VMs before it is given any order.
#[utoipa::path(post, path = "/{id}/declare-lost", tag = "Servers", params(("id" = String, Path, description = "Id or name")),
    request_body = DeclareBody, responses((status = 200, body = DeclaredView), (status = 404), (status = 409), (status = 422)),
    extensions(("x-permission" = json!("servers:manage"))))]
async fn server_declare_lost(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<String>,
    Body(DeclareBody { reason, confirm }): Body<DeclareBody>,
) -> Result<Json<DeclaredView>> {
    auth.require(Permission::ServersManage)?;
    let id = app.servers.server_show(&id).await?.id;
    let Declared { server, cloudpods, jobs, already } =
        app.losses.server_declare_lost(&auth.actor, id, &reason, &confirm).await?;
    let detail = match already {
        Some((since, fenced)) => format!(
            "it was declared lost already at {}; {fenced} VM(s) are fenced. Nothing was changed",
            since.to_rfc3339()
        ),
        None => format!(
            "{cloudpods} pod(s) that were on it are failed and keep their addresses: restore them elsewhere, or destroy them; \
             {jobs} job(s) that waited for it end. Should it return, its agent stops what it still runs of them first"
        ),
    };
    let view = DeclaredView {
        server_id: server.id,
        name: server.name,
        generation: server.generation,
        cloudpods,
        jobs,
        detail,
    };
    Ok(Json(view))
}

//! Adoption over REST.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::response::Response;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::CloudPodAdopt;
use crate::app::App;
use crate::domain::access::Permission;
use crate::domain::check::Checks;
use crate::domain::cloudpods::routes::{PodAndJob, TenantQuery, answer};
use crate::error::Result;
use crate::http::auth::Auth;
use crate::http::json::Body;
use crate::http::query::Params;

/// The routes of this part.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().nest("/api/admin/hosting", OpenApiRouter::new().routes(routes!(cloudpod_adopt)))
}

/// A VM that is to become a pod.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CloudPodAdopt)]
struct AdoptBody {
    /// On which server it is: its id or name.
    #[schema(max_length = 63, example = "pve1")]
    server: String,
    /// Its number there.
    #[schema(minimum = 100, maximum = 999_999_999)]
    vmid: u32,
    /// A DNS label; no two live pods of a tenant have the same.
    #[schema(max_length = 63, example = "web-1")]
    name: String,
    /// What it is sold as: the plan's id or name. Its size stays what it is.
    #[schema(max_length = 63, example = "small")]
    plan: String,
    /// What it was made from, or the nearest to it: the image's id or name.
    #[schema(max_length = 63, example = "debian-13")]
    image: String,
    /// The storage that its disk is on; left out: the server's only one for pods.
    #[schema(max_length = 100)]
    storage: Option<String>,
    /// Addresses that it uses, to be held for it in the pools that they are of.
    #[serde(default)]
    addresses: Vec<String>,
}

/// Makes a CloudPod of a VM that somebody else made: 202 with the job that puts our stamp on it. Nothing else of the VM is
/// changed. Its network cards and its cloud-init user stay what they are until it is rebuilt.
#[utoipa::path(post, path = "/cloudpods/adopt", tag = "CloudPods", params(TenantQuery), request_body = AdoptBody,
    responses((status = 202, body = PodAndJob), (status = 409), (status = 422)),
    extensions(("x-permission" = json!("cloudpods:manage"))))]
async fn cloudpod_adopt(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Params(query): Params<TenantQuery>,
    Body(body): Body<AdoptBody>,
) -> Result<Response> {
    auth.require(Permission::CloudpodsManage)?;
    let AdoptBody { server, vmid, name, plan, image, storage, addresses } = body;
    let mut checks = Checks::new();
    if let Some(storage) = &storage {
        checks.storage_name("storage", storage);
    }
    checks.range("vmid", vmid, 100..=999_999_999);
    checks.finish()?;
    let input = CloudPodAdopt { tenant: query.tenant_id, name, server, vmid, plan, image, storage, addresses };
    Ok(answer(&app, &auth, app.cloudpods.cloudpod_adopt(&auth.actor, auth.scope, input).await?))
}

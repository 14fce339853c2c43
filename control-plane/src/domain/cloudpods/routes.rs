//! CloudPods over REST. The same handlers answer under three prefixes, which decide only whose pods are in scope.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State as Shared;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::views::{CloudPodView, PlacedView, PlacementView};
use super::{CloudPodCreate, CloudPodPatch, Detail, Find, PlacementInput};
use crate::app::App;
use crate::domain::access::Permission;
use crate::domain::audit::Scope;
use crate::domain::jobs::Job;
use crate::domain::jobs::routes::JobView;
use crate::domain::scheduling::Placement;
use crate::domain::sort::AgeOrName;
use crate::error::Result;
use crate::http::accepted;
use crate::http::auth::Auth;
use crate::http::etag::{IfMatch, Tagged};
use crate::http::json::{Body, MaybeBody};
use crate::http::page::{Listing, Page, PageQuery};
use crate::http::patch::clearable;
use crate::http::path::Path;
use crate::http::query::Params;
use crate::ids::{CloudPodId, TenantId};

/// How long a guest gets to shut down or restart when the caller does not say, in seconds.
const GUEST_S_DEFAULT: u64 = 180;

/// The routes of this slice.
pub fn router() -> OpenApiRouter<Arc<App>> {
    let read = || {
        OpenApiRouter::new()
            .routes(routes!(cloudpod_list))
            .routes(routes!(cloudpod_get))
            .routes(routes!(placement_get))
            .merge(super::counts::routes::router())
    };
    let all = OpenApiRouter::new()
        .routes(routes!(cloudpod_list, cloudpod_create))
        .routes(routes!(cloudpod_get, cloudpod_update, cloudpod_destroy))
        .routes(routes!(placement_get))
        .routes(routes!(cloudpod_start))
        .routes(routes!(cloudpod_stop))
        .routes(routes!(cloudpod_shutdown))
        .routes(routes!(cloudpod_reboot))
        .merge(super::counts::routes::router())
        .merge(super::offers::routes::plans())
        .merge(super::snapshots::routes::router())
        .merge(super::operations::routes::router())
        .merge(super::backups::routes::router())
        .merge(super::capture::routes::router());
    OpenApiRouter::new()
        .nest("/api/admin/hosting", all)
        .nest("/api/platform/provisioning", read().routes(routes!(placement_preview)))
        .nest("/api/provisioning", read().merge(super::offers::routes::router()))
}

/// A pod to be made.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CloudPodCreate)]
struct CreateBody {
    /// A DNS label; no two live pods of a tenant have the same.
    #[schema(max_length = 63, example = "web-1")]
    name: String,
    /// The plan's id or name.
    #[schema(max_length = 63, example = "small")]
    plan: String,
    /// The image's id or name.
    #[schema(max_length = 63, example = "debian-13")]
    image: String,
    /// OpenSSH public keys for the user; at most 32.
    #[serde(default)]
    ssh_keys: Vec<String>,
    /// The user that cloud-init makes; left out: the image's.
    #[schema(max_length = 32, example = "debian")]
    user: Option<String>,
    /// Where it may go; left out: anywhere.
    #[serde(default)]
    placement: PlacementBody,
    /// Ids or names of the pools that give it an address each; left out: as the region's public pools allow. Private ones take the
    /// permission servers:read.
    #[serde(default)]
    ip_pools: Vec<String>,
}

/// Where a pod may go.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CloudPodPlacement)]
pub(super) struct PlacementBody {
    /// Only in this region.
    region: Option<String>,
    /// Only on this server: its id or name. Takes the permission servers:read.
    server: Option<String>,
    /// Only on a storage of this name. Takes the permission servers:read.
    storage: Option<String>,
    /// Only on servers that bear all of these labels.
    #[serde(default)]
    labels: BTreeMap<String, String>,
    /// Never on a server that holds another pod of the tenant; nor does another one of it come there later.
    #[serde(default)]
    anti_affinity: bool,
}

/// A pod that is only thought of.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PlacementPreview)]
pub(super) struct PreviewBody {
    /// The plan's id or name.
    pub(super) plan: String,
    /// The image's id or name.
    pub(super) image: String,
    /// Where it may go; left out: anywhere.
    #[serde(default)]
    pub(super) placement: PlacementBody,
}

/// What may be changed of a pod.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CloudPodPatch)]
#[expect(clippy::option_option, reason = "a field left out and a field that is null mean different things")]
struct PatchBody {
    /// A new name for its record; the VM keeps the name that it was made with.
    #[schema(max_length = 63)]
    name: Option<String>,
    /// The only server that it may be on, by id or name, which holds for drains too; null: any. It is moved nowhere by this.
    /// Takes the permission servers:read.
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<String>)]
    server: Option<Option<String>>,
}

/// How a guest is asked to shut down.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CloudPodShutdown)]
struct ShutdownBody {
    /// How long the guest gets, in seconds.
    #[schema(minimum = 5, maximum = 3600, default = 180)]
    timeout_s: Option<u64>,
    /// Cut the power if the guest is not down by then.
    #[serde(default)]
    force: bool,
}

/// How a guest is asked to restart.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CloudPodReboot)]
struct RebootBody {
    /// How long the guest gets, in seconds.
    #[schema(minimum = 5, maximum = 3600, default = 180)]
    timeout_s: Option<u64>,
}

/// Whose pods.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct TenantQuery {
    /// The tenant. Staff who name none see the pods of all, and make new ones for the default tenant.
    pub tenant_id: Option<TenantId>,
}

/// Which pods.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Of this tenant.
    tenant_id: Option<TenantId>,
    /// In this state; left out: all but the deleted.
    #[param(inline)]
    state: Option<StateName>,
    /// On this server: its id or name.
    server_id: Option<String>,
    /// Of this plan: its id or name.
    plan_id: Option<String>,
    /// Whose name begins so.
    #[param(max_length = 63)]
    name_prefix: Option<String>,
    /// That holds this IP address.
    #[param(value_type = Option<String>)]
    address: Option<IpAddr>,
    /// In which order; the newest first when left out. Deleted ones are not sorted by name.
    #[param(inline)]
    sort: Option<AgeOrName>,
}

/// The states of a pod.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum StateName {
    Requested,
    Provisioning,
    Active,
    Suspended,
    Deleting,
    Deleted,
    Failed,
}

/// A pod, and the job that works on it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = CloudPodAndJob)]
pub(super) struct PodAndJob {
    pub(super) cloudpod: CloudPodView,
    pub(super) job: JobView,
}

impl StateName {
    fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Provisioning => "provisioning",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
            Self::Failed => "failed",
        }
    }
}

impl PlacementBody {
    /// Refuses (403) what is not this caller's to choose.
    pub(super) fn permit(&self, auth: &Auth) -> Result<()> {
        auth.host_choice("placement.server", self.server.as_ref())?;
        auth.host_choice("placement.storage", self.storage.as_ref())
    }
}

impl From<PlacementBody> for PlacementInput {
    fn from(body: PlacementBody) -> Self {
        let PlacementBody { region, server, storage, labels, anti_affinity } = body;
        Self { region, server, storage, labels, anti_affinity }
    }
}

/// The scope that `?tenant_id=` narrows.
pub fn narrowed(auth: &Auth, tenant: Option<TenantId>) -> Result<Scope> {
    auth.narrowed(tenant)
}

pub(super) fn answer(app: &App, auth: &Auth, asked: (Detail, Job)) -> Response {
    let (location, body) = pod_and_job(app, auth, asked);
    accepted(&location, body)
}

/// Where the job can be watched, and what is answered.
pub(super) fn pod_and_job(app: &App, auth: &Auth, (detail, job): (Detail, Job)) -> (String, PodAndJob) {
    let location = format!("{}/{}", auth.jobs_path(), job.id);
    let names = app.jobs.step_names(&job);
    let job = JobView::new(job, Vec::new(), &names).told_to(auth);
    (location, PodAndJob { cloudpod: detail.into(), job })
}

/// CloudPods, page by page.
#[utoipa::path(get, path = "/cloudpods", tag = "CloudPods", params(ListQuery, PageQuery),
    responses((status = 200, body = Page<CloudPodView>)),
    extensions(("x-permission" = json!("cloudpods:read"))))]
async fn cloudpod_list(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Listing { filter, page }: Listing<ListQuery>,
) -> Result<Json<Page<CloudPodView>>> {
    auth.require(Permission::CloudpodsRead)?;
    let ListQuery { tenant_id, state, server_id, plan_id, name_prefix, address, sort } = filter;
    let scope = narrowed(&auth, tenant_id)?;
    let server_id = auth.server_named(&app, "server_id", server_id.as_deref()).await?;
    let state = state.map(StateName::as_str);
    let find = Find { state, server: server_id, plan: plan_id, name_prefix, address, sort };
    let pods = app.cloudpods.cloudpod_list(scope, find, page.window()?).await?;
    Ok(Json(page.page(pods, |detail| (detail.pod.name.clone(), detail.pod.id))?.map(CloudPodView::from)))
}

/// One CloudPod; also one that is deleted.
#[utoipa::path(get, path = "/cloudpods/{id}", tag = "CloudPods", params(("id" = CloudPodId, Path), TenantQuery),
    responses((status = 200, body = CloudPodView), (status = 404)),
    extensions(("x-permission" = json!("cloudpods:read"))))]
async fn cloudpod_get(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path(id): Path<CloudPodId>,
    Params(query): Params<TenantQuery>,
) -> Result<Tagged<CloudPodView>> {
    auth.require(Permission::CloudpodsRead)?;
    let detail = app.cloudpods.cloudpod_get(narrowed(&auth, query.tenant_id)?, id).await?;
    Ok(Tagged { version: detail.pod.version, body: detail.into() })
}

/// Why a CloudPod is on its server and not on another; without the permission servers:read, in which region it is.
#[utoipa::path(get, path = "/cloudpods/{id}/placement", tag = "CloudPods",
    params(("id" = CloudPodId, Path), TenantQuery), responses((status = 200, body = PlacedView), (status = 404)),
    extensions(("x-permission" = json!("cloudpods:read"))))]
async fn placement_get(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path(id): Path<CloudPodId>,
    Params(query): Params<TenantQuery>,
) -> Result<Json<PlacedView>> {
    auth.require(Permission::CloudpodsRead)?;
    let (placement, region) = app.cloudpods.placement_get(narrowed(&auth, query.tenant_id)?, id).await?;
    let Placement { decided_at, server, explanation } = placement;
    let (server, explanation) = if auth.sees_hosts() { (server, Some(explanation)) } else { (None, None) };
    Ok(Json(PlacedView { decided_at, region, server, explanation }))
}

/// Where a CloudPod would go at present, and why not elsewhere. Nothing is reserved.
#[utoipa::path(post, path = "/placement-preview", tag = "CloudPods", params(TenantQuery), request_body = PreviewBody,
    responses((status = 200, body = PlacementView), (status = 422)),
    extensions(("x-permission" = json!("servers:read"))))]
async fn placement_preview(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Params(query): Params<TenantQuery>,
    Body(body): Body<PreviewBody>,
) -> Result<Json<PlacementView>> {
    auth.require(Permission::ServersRead)?;
    let PreviewBody { plan, image, placement } = body;
    let input = CloudPodCreate {
        tenant: query.tenant_id,
        plan,
        image,
        placement: placement.into(),
        ..CloudPodCreate::default()
    };
    Ok(Json(app.cloudpods.placement_preview(auth.scope, input).await?.into()))
}

/// Makes a CloudPod: 202 with the job that provisions it.
#[utoipa::path(post, path = "/cloudpods", tag = "CloudPods", params(TenantQuery), request_body = CreateBody,
    responses((status = 202, body = PodAndJob), (status = 403), (status = 409), (status = 422),
        (status = 507, description = "No server can take it; the reason per server, to whom servers are shown. Nothing was made.")),
    extensions(("x-permission" = json!("cloudpods:write"))))]
async fn cloudpod_create(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Params(query): Params<TenantQuery>,
    Body(body): Body<CreateBody>,
) -> Result<Response> {
    auth.require(Permission::CloudpodsWrite)?;
    let CreateBody { name, plan, image, ssh_keys, user, placement, ip_pools } = body;
    placement.permit(&auth)?;
    let (tenant, placement, private_pools) = (query.tenant_id, placement.into(), auth.sees_hosts());
    let input = CloudPodCreate { tenant, name, plan, image, ssh_keys, user, placement, ip_pools, private_pools };
    Ok(answer(&app, &auth, app.cloudpods.cloudpod_create(&auth.actor, auth.scope, input).await?))
}

/// Changes a CloudPod's record: its name, and the server that it is pinned to.
#[utoipa::path(patch, path = "/cloudpods/{id}", tag = "CloudPods", params(("id" = CloudPodId, Path), TenantQuery),
    request_body = PatchBody, responses((status = 200, body = CloudPodView), (status = 404), (status = 409),
        (status = 412), (status = 422)),
    extensions(("x-permission" = json!("cloudpods:write"))))]
async fn cloudpod_update(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path(id): Path<CloudPodId>,
    Params(query): Params<TenantQuery>,
    if_match: IfMatch,
    Body(body): Body<PatchBody>,
) -> Result<Tagged<CloudPodView>> {
    auth.require(Permission::CloudpodsWrite)?;
    let scope = narrowed(&auth, query.tenant_id)?;
    let PatchBody { name, server } = body;
    auth.host_choice("server", server.as_ref())?;
    let patch = CloudPodPatch { name, server };
    let detail = app.cloudpods.cloudpod_update(&auth.actor, scope, id, if_match.version(), patch).await?;
    Ok(Tagged { version: detail.pod.version, body: detail.into() })
}

/// Removes a CloudPod: 202 with the job that destroys its VM. What it held is free once its VM is known to be absent.
#[utoipa::path(delete, path = "/cloudpods/{id}", tag = "CloudPods", params(("id" = CloudPodId, Path), TenantQuery),
    responses((status = 202, body = PodAndJob), (status = 404), (status = 409)),
    extensions(("x-permission" = json!("cloudpods:write"))))]
async fn cloudpod_destroy(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path(id): Path<CloudPodId>,
    Params(query): Params<TenantQuery>,
) -> Result<Response> {
    auth.require(Permission::CloudpodsWrite)?;
    let scope = narrowed(&auth, query.tenant_id)?;
    Ok(answer(&app, &auth, app.cloudpods.cloudpod_destroy(&auth.actor, (scope, auth.grant), id).await?))
}

/// Starts a CloudPod.
#[utoipa::path(post, path = "/cloudpods/{id}/start", tag = "CloudPods",
    params(("id" = CloudPodId, Path), TenantQuery), responses((status = 202, body = PodAndJob), (status = 404), (status = 409)),
    extensions(("x-permission" = json!("cloudpods:write"))))]
async fn cloudpod_start(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path(id): Path<CloudPodId>,
    Params(query): Params<TenantQuery>,
) -> Result<Response> {
    auth.require(Permission::CloudpodsWrite)?;
    let scope = narrowed(&auth, query.tenant_id)?;
    Ok(answer(&app, &auth, app.cloudpods.cloudpod_start(&auth.actor, scope, id).await?))
}

/// Cuts a CloudPod's power.
#[utoipa::path(post, path = "/cloudpods/{id}/stop", tag = "CloudPods",
    params(("id" = CloudPodId, Path), TenantQuery), responses((status = 202, body = PodAndJob), (status = 404), (status = 409)),
    extensions(("x-permission" = json!("cloudpods:write"))))]
async fn cloudpod_stop(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path(id): Path<CloudPodId>,
    Params(query): Params<TenantQuery>,
) -> Result<Response> {
    auth.require(Permission::CloudpodsWrite)?;
    let scope = narrowed(&auth, query.tenant_id)?;
    Ok(answer(&app, &auth, app.cloudpods.cloudpod_stop(&auth.actor, scope, id).await?))
}

/// Asks a CloudPod's guest to shut down.
#[utoipa::path(post, path = "/cloudpods/{id}/shutdown", tag = "CloudPods",
    params(("id" = CloudPodId, Path), TenantQuery), request_body = Option<ShutdownBody>,
    responses((status = 202, body = PodAndJob), (status = 404), (status = 409), (status = 422)),
    extensions(("x-permission" = json!("cloudpods:write"))))]
async fn cloudpod_shutdown(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path(id): Path<CloudPodId>,
    Params(query): Params<TenantQuery>,
    MaybeBody(body): MaybeBody<ShutdownBody>,
) -> Result<Response> {
    auth.require(Permission::CloudpodsWrite)?;
    let scope = narrowed(&auth, query.tenant_id)?;
    let ShutdownBody { timeout_s, force } = body;
    let timeout_s = timeout_s.unwrap_or(GUEST_S_DEFAULT);
    Ok(answer(&app, &auth, app.cloudpods.cloudpod_shutdown(&auth.actor, scope, id, timeout_s, force).await?))
}

/// Asks a CloudPod's guest to restart.
#[utoipa::path(post, path = "/cloudpods/{id}/reboot", tag = "CloudPods",
    params(("id" = CloudPodId, Path), TenantQuery), request_body = Option<RebootBody>,
    responses((status = 202, body = PodAndJob), (status = 404), (status = 409), (status = 422)),
    extensions(("x-permission" = json!("cloudpods:write"))))]
async fn cloudpod_reboot(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path(id): Path<CloudPodId>,
    Params(query): Params<TenantQuery>,
    MaybeBody(body): MaybeBody<RebootBody>,
) -> Result<Response> {
    auth.require(Permission::CloudpodsWrite)?;
    let scope = narrowed(&auth, query.tenant_id)?;
    let timeout_s = body.timeout_s.unwrap_or(GUEST_S_DEFAULT);
    Ok(answer(&app, &auth, app.cloudpods.cloudpod_reboot(&auth.actor, scope, id, timeout_s).await?))
}

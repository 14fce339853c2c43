//! Servers over REST, for platform staff. A path takes a server's id or its name.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::service::ServerFilter;
use super::view::ServerView;
use super::{
    Check, CheckState, ConnectionState, EnrolmentCommand, HealthStep, SchedulingState, Server, ServerCreate,
    ServerPatch, StorageOffer, TestReport,
};
use crate::app::App;
use crate::clock::Ms;
use crate::domain::access::Permission;
use crate::domain::sort::AgeOrName;
use crate::error::{Error, Result};
use crate::http::auth::Auth;
use crate::http::etag::{IfMatch, Tagged};
use crate::http::json::Body;
use crate::http::page::{Listing, Page, PageQuery};
use crate::http::patch::clearable;
use crate::http::path::Path;
use crate::http::query::Params;

const PATH: &str = "/api/platform/servers";
/// Samples that one answer holds when the caller does not say, and at most.
const SAMPLES: u32 = 500;
const SAMPLES_MAX: u32 = 3000;

/// A server to be registered.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ServerCreate)]
struct CreateBody {
    /// Unique; 1 to 63 letters, digits, `.`, `_` or `-`.
    #[schema(example = "pve-1")]
    name: String,
    /// Where it stands; `default` when left out.
    region: Option<String>,
    /// At most 32.
    #[serde(default)]
    labels: BTreeMap<String, String>,
    /// The bridge that pods are attached to; `vmbr0` when left out.
    bridge: Option<String>,
    /// The lowest VMID for pods; 10000 when left out.
    vmid_min: Option<u32>,
    /// The highest; 999999 when left out.
    vmid_max: Option<u32>,
    /// Threads to count with; as the agent reports when left out.
    cpu_threads: Option<u32>,
    /// Virtual CPUs per thread; 1 when left out.
    cpu_overcommit: Option<f64>,
    /// Memory for pods; as the agent reports when left out.
    memory_mib: Option<u64>,
    /// The most pods; no limit when left out.
    pod_limit: Option<u32>,
    /// The storage that backups go to when a request names none.
    #[schema(example = "backups")]
    backup_storage: Option<String>,
    /// The storages that pods may be placed on.
    #[serde(default)]
    storages: Vec<StorageBody>,
}

/// A storage that pods may be placed on.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StorageOffer)]
struct StorageBody {
    /// Proxmox's id of it.
    #[schema(example = "local-lvm")]
    name: String,
    /// What may be reserved of it; as the agent reports when left out.
    disk_gib: Option<u64>,
}

/// A change of a server; what is left out stays, `null` takes a limit away.
#[expect(clippy::option_option, reason = "a field left out and a field that is null mean different things")]
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ServerPatch)]
struct PatchBody {
    name: Option<String>,
    region: Option<String>,
    /// All labels anew.
    labels: Option<BTreeMap<String, String>>,
    bridge: Option<String>,
    vmid_min: Option<u32>,
    vmid_max: Option<u32>,
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<u32>)]
    cpu_threads: Option<Option<u32>>,
    cpu_overcommit: Option<f64>,
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<u64>)]
    memory_mib: Option<Option<u64>>,
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<u32>)]
    pod_limit: Option<Option<u32>>,
    /// The storage that backups go to when a request names none.
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<String>)]
    backup_storage: Option<Option<String>>,
    /// All offered storages anew. What is left out is offered no more; what is on it stays.
    storages: Option<Vec<StorageBody>>,
}

/// A registered server, and what to paste on its host.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ServerCreated)]
struct CreatedView {
    server: ServerView,
    enrolment: EnrolmentCommand,
}

/// What a connection test found.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ConnectionTest)]
struct TestView {
    /// The worst of all checks.
    state: CheckState,
    /// Milliseconds that the whole test took.
    took_ms: u64,
    checks: Vec<Check>,
}

/// Samples of a server's health, oldest first.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ServerHealth)]
struct HealthView {
    /// How long the step of each item is, in seconds; null: each item is one sample.
    step_s: Option<u32>,
    /// A step in which nothing was heard has none.
    items: Vec<HealthStep>,
    /// There are older ones in the time that was asked for: ask again with `until` set to the first one's `at`.
    truncated: bool,
}

/// Which servers to list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListFilter {
    #[param(inline)]
    connection: Option<ConnectionState>,
    scheduling: Option<SchedulingState>,
    region: Option<String>,
    /// One label, as `key=value`.
    label: Option<String>,
    /// Whose name begins so.
    #[param(max_length = 63)]
    name_prefix: Option<String>,
    #[param(inline)]
    sort: Option<AgeOrName>,
}

/// Which samples.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct HealthQuery {
    /// From this time on; a day before `until` when left out.
    since: Option<Ms>,
    /// Before this time; now when left out.
    until: Option<Ms>,
    /// At most so many, the newest; not with `step`.
    #[param(minimum = 1, maximum = 3000, default = 500)]
    limit: Option<u32>,
    /// The samples of so many seconds as one: 60, 300, 3600, 10800 or 86400. At most 300 steps; left out, `since` is as many before
    /// `until`.
    step: Option<u32>,
}

/// The routes of this slice.
pub fn router() -> OpenApiRouter<Arc<App>> {
    let servers = OpenApiRouter::new()
        .routes(routes!(server_list, server_create))
        .routes(routes!(server_get, server_update, server_delete))
        .routes(routes!(server_test_connection))
        .routes(routes!(server_health))
        .routes(routes!(enrolment_token_create))
        .routes(routes!(certificates_revoke));
    OpenApiRouter::new().nest(PATH, servers)
}

/// As the API shows it.
pub async fn view(app: &App, server: Server) -> Result<ServerView> {
    let mut read = app.db.read().await?;
    let waiting = app.jobs.waiting_counts(read.conn()).await?;
    let certificates = app.servers.certificates_newest(read.conn(), &[server.id]).await?;
    Ok(record(app, server).beside(&waiting, &certificates))
}

fn record(app: &App, server: Server) -> ServerView {
    let newest = app.servers.heartbeat_newest(server.id);
    let suspect = app.servers.is_suspect(&server);
    ServerView::new(server, newest, suspect)
}

async fn tagged(app: &App, server: Server) -> Result<Tagged<ServerView>> {
    Ok(Tagged { version: server.version, body: view(app, server).await? })
}

fn offers(storages: Vec<StorageBody>) -> Vec<StorageOffer> {
    storages.into_iter().map(|StorageBody { name, disk_gib }| StorageOffer { name, disk_gib }).collect()
}

/// Servers, page by page.
#[utoipa::path(get, path = "", tag = "Servers", params(PageQuery, ListFilter),
    responses((status = 200, body = Page<ServerView>)), extensions(("x-permission" = json!("servers:read"))))]
async fn server_list(
    State(app): State<Arc<App>>,
    auth: Auth,
    list: Listing<ListFilter>,
) -> Result<Json<Page<ServerView>>> {
    auth.require(Permission::ServersRead)?;
    let ListFilter { connection, scheduling, region, label, name_prefix, sort } = list.filter;
    let label = match label.as_deref().map(|text| text.split_once('=')) {
        None => None,
        Some(Some((key, value))) => Some((key.to_owned(), value.to_owned())),
        Some(None) => return Err(Error::invalid("label", "must be key=value, such as disk=ssd")),
    };
    let filter = ServerFilter { connection, scheduling, region, label, name_prefix };
    let servers = app.servers.server_list(&filter, sort.unwrap_or(AgeOrName::Oldest), list.page.window()?).await?;
    let page = list.page.page(servers, |server| (server.name.clone(), server.id))?;
    let ids: Vec<_> = page.items.iter().map(|server| server.id).collect();
    let mut read = app.db.read().await?;
    let waiting = app.jobs.waiting_counts(read.conn()).await?;
    let certificates = app.servers.certificates_newest(read.conn(), &ids).await?;
    Ok(Json(page.map(|server| record(&app, server).beside(&waiting, &certificates))))
}

/// Registers a server. The answer holds the command to paste on the host; it is shown this once.
#[utoipa::path(post, path = "", tag = "Servers", request_body = CreateBody,
    responses((status = 201, body = CreatedView)), extensions(("x-permission" = json!("servers:write"))))]
async fn server_create(State(app): State<Arc<App>>, auth: Auth, Body(body): Body<CreateBody>) -> Result<Response> {
    auth.require(Permission::ServersWrite)?;
    let CreateBody {
        name,
        region,
        labels,
        bridge,
        vmid_min,
        vmid_max,
        cpu_threads,
        cpu_overcommit,
        memory_mib,
        pod_limit,
        backup_storage,
        storages,
    } = body;
    let input = ServerCreate {
        name,
        region,
        labels,
        bridge,
        vmid_min,
        vmid_max,
        cpu_threads,
        cpu_overcommit,
        memory_mib,
        pod_limit,
        backup_storage,
        storages: offers(storages),
    };
    let (server, enrolment) = app.servers.server_create(&auth.actor, input).await?;
    let location = format!("{PATH}/{}", server.id);
    Ok(crate::http::created(&location, CreatedView { server: view(&app, server).await?, enrolment }))
}

/// One server.
#[utoipa::path(get, path = "/{id}", tag = "Servers", params(("id" = String, Path, description = "Id or name")),
    responses((status = 200, body = ServerView)), extensions(("x-permission" = json!("servers:read"))))]
async fn server_get(State(app): State<Arc<App>>, auth: Auth, Path(id): Path<String>) -> Result<Tagged<ServerView>> {
    auth.require(Permission::ServersRead)?;
    tagged(&app, app.servers.server_show(&id).await?).await
}

/// Changes a server. With `If-Match`, only if it is still as it was read.
#[utoipa::path(patch, path = "/{id}", tag = "Servers", params(("id" = String, Path, description = "Id or name")),
    request_body = PatchBody, responses((status = 200, body = ServerView)),
    extensions(("x-permission" = json!("servers:write"))))]
async fn server_update(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<String>,
    if_match: IfMatch,
    Body(body): Body<PatchBody>,
) -> Result<Tagged<ServerView>> {
    auth.require(Permission::ServersWrite)?;
    let PatchBody {
        name,
        region,
        labels,
        bridge,
        vmid_min,
        vmid_max,
        cpu_threads,
        cpu_overcommit,
        memory_mib,
        pod_limit,
        backup_storage,
        storages,
    } = body;
    let patch = ServerPatch {
        name,
        region,
        labels,
        bridge,
        vmid_min,
        vmid_max,
        cpu_threads,
        cpu_overcommit,
        memory_mib,
        pod_limit,
        backup_storage,
        storages: storages.map(offers),
    };
    let id = app.servers.server_show(&id).await?.id;
    let server = app.servers.server_update(&auth.actor, id, if_match.version(), patch).await?;
    tagged(&app, server).await
}

/// Whether a server may be deleted that nobody can look at any more.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct DeleteQuery {
    /// The server's name: needed for one that was declared lost while VMs of CloudPods were on it. Nothing stops them if it ever runs
    /// again
    confirm: Option<String>,
}

/// Deletes a server on which no pod holds anything. Its agent's certificates are void from then on.
#[utoipa::path(delete, path = "/{id}", tag = "Servers", params(("id" = String, Path, description = "Id or name"), DeleteQuery),
    responses((status = 204, description = "It is gone")), extensions(("x-permission" = json!("servers:write"))))]
async fn server_delete(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<String>,
    Params(query): Params<DeleteQuery>,
    if_match: IfMatch,
) -> Result<StatusCode> {
    auth.require(Permission::ServersWrite)?;
    let id = app.servers.server_show(&id).await?.id;
    app.servers.server_delete(&auth.actor, id, if_match.version(), query.confirm.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tests the connection to a server and what is needed on it; answers within 10 s.
#[utoipa::path(post, path = "/{id}/test-connection", tag = "Servers",
    params(("id" = String, Path, description = "Id or name")), responses((status = 200, body = TestView)),
    extensions(("x-permission" = json!("servers:read"))))]
async fn server_test_connection(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<String>,
) -> Result<Json<TestView>> {
    auth.require(Permission::ServersRead)?;
    let server = app.servers.server_show(&id).await?;
    let templates = {
        let mut read = app.db.read().await?;
        app.images.templates_expected(read.conn(), server.id).await?
    };
    let TestReport { state, checks, took } = app.servers.server_test_connection(&server, templates).await?;
    Ok(Json(TestView { state, took_ms: took.as_millis() as u64, checks }))
}

/// How a server was doing, in samples of at least 30 s distance, or in steps of time.
#[utoipa::path(get, path = "/{id}/health", tag = "Servers",
    params(("id" = String, Path, description = "Id or name"), HealthQuery),
    responses((status = 200, body = HealthView)), extensions(("x-permission" = json!("servers:read"))))]
async fn server_health(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<String>,
    Params(HealthQuery { since, until, limit, step }): Params<HealthQuery>,
) -> Result<Json<HealthView>> {
    auth.require(Permission::ServersRead)?;
    if let Some(step_s) = step {
        if limit.is_some() {
            return Err(Error::invalid("limit", "does not go with step: leave one of them out"));
        }
        let id = app.servers.server_show(&id).await?.id;
        let items = app.servers.server_health_steps(id, since, until, step_s).await?;
        return Ok(Json(HealthView { step_s: step, items, truncated: false }));
    }
    let until = until.unwrap_or_else(|| app.clock.now());
    let since = since.unwrap_or_else(|| until.minus(Duration::from_hours(24)));
    if since > until {
        return Err(Error::invalid("since", "is after until; ask for a time that goes forward"));
    }
    let limit = limit.unwrap_or(SAMPLES);
    if !(1..=SAMPLES_MAX).contains(&limit) {
        return Err(Error::invalid("limit", format!("must be from 1 to {SAMPLES_MAX}")));
    }
    let server = app.servers.server_show(&id).await?;
    let mut read = app.db.read().await?;
    let mut items = app.servers.server_health(read.conn(), server.id, since, until, limit + 1).await?;
    let truncated = items.len() > limit as usize;
    if truncated {
        items.remove(0);
    }
    Ok(Json(HealthView { step_s: None, items: items.into_iter().map(HealthStep::from).collect(), truncated }))
}

/// Makes a new one-time join token; those made before and not used are void.
#[utoipa::path(post, path = "/{id}/enrolment-token", tag = "Servers",
    params(("id" = String, Path, description = "Id or name")), responses((status = 201, body = EnrolmentCommand)),
    extensions(("x-permission" = json!("servers:write"))))]
async fn enrolment_token_create(State(app): State<Arc<App>>, auth: Auth, Path(id): Path<String>) -> Result<Response> {
    auth.require(Permission::ServersWrite)?;
    let id = app.servers.server_show(&id).await?.id;
    let command = app.servers.enrolment_token_create(&auth.actor, id).await?;
    Ok(crate::http::created(&format!("{PATH}/{id}"), command))
}

/// Voids every certificate and join token of a server and ends its session. Its agent has to enrol again with a new token.
#[utoipa::path(post, path = "/{id}/revoke", tag = "Servers", params(("id" = String, Path, description = "Id or name")),
    responses((status = 204, description = "Nobody can speak for the server any more")),
    extensions(("x-permission" = json!("servers:write"))))]
async fn certificates_revoke(State(app): State<Arc<App>>, auth: Auth, Path(id): Path<String>) -> Result<StatusCode> {
    auth.require(Permission::ServersWrite)?;
    let id = app.servers.server_show(&id).await?.id;
    app.servers.certificates_revoke(&auth.actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

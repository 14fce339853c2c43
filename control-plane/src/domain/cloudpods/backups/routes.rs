//! Backups and backup policies over REST.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Shared;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{BackupCreate, PolicyPatch, Recreate};
use crate::app::App;
use crate::clock::Ms;
use crate::domain::access::Permission;
use crate::domain::backups::{Backup, BackupPolicy, BackupState};
use crate::domain::cloudpods::Named;
use crate::domain::cloudpods::routes::{PlacementBody, PodAndJob, TenantQuery, answer, narrowed};
use crate::domain::jobs::command::BackupMode;
use crate::error::Result;
use crate::http::auth::Auth;
use crate::http::etag::{IfMatch, Tagged};
use crate::http::json::{Body, MaybeBody};
use crate::http::page::{Listing, Page, PageQuery};
use crate::http::patch::clearable;
use crate::http::path::Path;
use crate::http::query::Params;
use crate::ids::{BackupId, CloudPodId, ServerId, TenantId};

/// The routes of this part.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(backup_list))
        .routes(routes!(pod_backup_list, backup_create))
        .routes(routes!(backup_update, backup_delete))
        .routes(routes!(backup_restore))
        .routes(routes!(cloudpod_recreate))
        .routes(routes!(policy_get, policy_update))
}

/// A backup of a CloudPod.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Backup)]
struct BackupView {
    id: BackupId,
    tenant_id: TenantId,
    /// Of which CloudPod; it may be deleted.
    cloudpod: Named<CloudPodId>,
    /// Whose agent made it.
    server: Named<ServerId>,
    storage: String,
    /// Proxmox's name of it; null while it is being made.
    volid: Option<String>,
    /// Null while it is being made.
    size_bytes: Option<u64>,
    mode: BackupMode,
    note: String,
    /// Made by the CloudPod's policy.
    scheduled: bool,
    /// Never pruned, and not deleted before this is taken away.
    protected: bool,
    /// creating, ready or deleting
    state: BackupState,
    /// Pruned after this, and not before; null: as the CloudPod's policy says.
    kept_until: Option<Ms>,
    created_at: Ms,
    /// By the host's clock.
    made_at: Option<Ms>,
}

impl From<Backup> for BackupView {
    fn from(backup: Backup) -> Self {
        let Backup {
            id,
            tenant,
            pod,
            pod_name,
            server,
            server_name,
            storage,
            vmid: _,
            volid,
            size_bytes,
            mode,
            note,
            scheduled,
            protected,
            state,
            kept_until,
            created_at,
            made_at,
        } = backup;
        Self {
            id,
            tenant_id: tenant,
            cloudpod: Named { id: pod, name: pod_name },
            server: Named { id: server, name: server_name },
            storage,
            volid,
            size_bytes,
            mode,
            note,
            scheduled,
            protected,
            state,
            kept_until,
            created_at,
            made_at,
        }
    }
}

/// A backup to be made.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BackupCreate)]
struct CreateBody {
    /// Where to, which takes the permission servers:read; left out: the server's backup storage.
    #[schema(max_length = 100, example = "backups")]
    storage: Option<String>,
    /// Left out: snapshot, while it runs.
    mode: Option<BackupMode>,
    /// For people.
    #[serde(default)]
    #[schema(max_length = 256)]
    note: String,
    /// Never pruned, and not deleted before this is taken away.
    #[serde(default)]
    protected: bool,
    /// Pruned after so many days; left out: as the CloudPod's policy says.
    #[schema(minimum = 1, maximum = 36500)]
    keep_days: Option<u32>,
}

/// Whether and how long a backup is kept; what is left out stays.
#[expect(clippy::option_option, reason = "a field left out and a field that is null mean different things")]
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BackupPatch)]
struct PatchBody {
    protected: Option<bool>,
    /// Null: as the CloudPod's policy says.
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<Ms>)]
    kept_until: Option<Option<Ms>>,
}

/// Where a CloudPod is restored.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BackupRestore)]
struct RestoreBody {
    /// For a CloudPod whose host was declared lost: only on this server, by id or name, which takes the permission servers:read.
    /// Left out: wherever there is room.
    #[schema(max_length = 63)]
    server: Option<String>,
}

/// A CloudPod to be made of a backup. What is left out is as the CloudPod is, or was, that the backup is of.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BackupRecreate)]
struct RecreateBody {
    /// A DNS label; no two live pods of a tenant have the same.
    #[schema(max_length = 63, example = "web-1")]
    name: String,
    /// The plan's id or name, for another size; its disk must be at least as large as that CloudPod's.
    #[schema(max_length = 63, example = "small")]
    plan: Option<String>,
    /// The image's id or name, for its record: its disk is the backup's.
    #[schema(max_length = 63)]
    image: Option<String>,
    /// OpenSSH public keys for the user; at most 32.
    ssh_keys: Option<Vec<String>>,
    /// Where it may go; left out: anywhere where the backup is seen.
    #[serde(default)]
    placement: PlacementBody,
    /// Ids or names of the pools that give it an address each; left out: as the region's pools allow.
    #[serde(default)]
    ip_pools: Vec<String>,
}

/// When backups of a CloudPod are made by themselves, and how long they are kept. What any of the two rules keeps is kept.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = BackupPolicy)]
struct PolicyView {
    /// Null: none are made by themselves.
    every_hours: Option<u32>,
    /// Null: the server's backup storage.
    storage: Option<String>,
    mode: BackupMode,
    /// The newest so many are kept.
    keep_last: Option<u32>,
    /// Those younger than so many days are kept.
    keep_days: Option<u32>,
    /// When the next one is due.
    next_at: Option<Ms>,
    /// As in the header `ETag`.
    version: i64,
}

impl From<BackupPolicy> for PolicyView {
    fn from(policy: BackupPolicy) -> Self {
        let BackupPolicy { pod: _, every_hours, storage, mode, keep_last, keep_days, next_at, version } = policy;
        Self { every_hours, storage, mode, keep_last, keep_days, next_at, version }
    }
}

/// A change of a backup policy; what is left out stays, null takes away.
#[expect(clippy::option_option, reason = "a field left out and a field that is null mean different things")]
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BackupPolicyPatch)]
struct PolicyBody {
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 8784)]
    every_hours: Option<Option<u32>>,
    /// Takes the permission servers:read.
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<String>)]
    storage: Option<Option<String>>,
    mode: Option<BackupMode>,
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    keep_last: Option<Option<u32>>,
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 36500)]
    keep_days: Option<Option<u32>>,
}

/// Which backups.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Of this tenant.
    tenant_id: Option<TenantId>,
    /// Of this CloudPod.
    cloudpod_id: Option<CloudPodId>,
}

/// A tenant's backups, the newest first, also those of CloudPods that are deleted.
#[utoipa::path(get, path = "/backups", tag = "Backups", params(ListQuery, PageQuery),
    responses((status = 200, body = Page<BackupView>)),
    extensions(("x-permission" = json!("cloudpods:read"))))]
async fn backup_list(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Listing { filter, page }: Listing<ListQuery>,
) -> Result<Json<Page<BackupView>>> {
    auth.require(Permission::CloudpodsRead)?;
    let ListQuery { tenant_id, cloudpod_id } = filter;
    let backups = app.cloudpods.backup_list(narrowed(&auth, tenant_id)?, cloudpod_id, page.window()?).await?;
    Ok(Json(page.page(backups, |backup| backup.id)?.map(BackupView::from)))
}

/// A CloudPod's backups, the newest first.
#[utoipa::path(get, path = "/cloudpods/{id}/backups", tag = "Backups",
    params(("id" = CloudPodId, Path), TenantQuery, PageQuery),
    responses((status = 200, body = Page<BackupView>), (status = 404)),
    extensions(("x-permission" = json!("cloudpods:read"))))]
async fn pod_backup_list(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path(id): Path<CloudPodId>,
    Listing { filter, page }: Listing<TenantQuery>,
) -> Result<Json<Page<BackupView>>> {
    auth.require(Permission::CloudpodsRead)?;
    let scope = narrowed(&auth, filter.tenant_id)?;
    let backups = app.cloudpods.backup_list(scope, Some(id), page.window()?).await?;
    Ok(Json(page.page(backups, |backup| backup.id)?.map(BackupView::from)))
}

/// Makes a backup of a CloudPod.
#[utoipa::path(post, path = "/cloudpods/{id}/backups", tag = "Backups",
    params(("id" = CloudPodId, Path), TenantQuery), request_body = Option<CreateBody>,
    responses((status = 202, body = PodAndJob), (status = 403), (status = 404), (status = 409), (status = 422)),
    extensions(("x-permission" = json!("cloudpods:write"))))]
async fn backup_create(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path(id): Path<CloudPodId>,
    Params(query): Params<TenantQuery>,
    MaybeBody(body): MaybeBody<CreateBody>,
) -> Result<Response> {
    auth.require(Permission::CloudpodsWrite)?;
    let scope = narrowed(&auth, query.tenant_id)?;
    let CreateBody { storage, mode, note, protected, keep_days } = body;
    auth.host_choice("storage", storage.as_ref())?;
    let mode = mode.unwrap_or(BackupMode::Snapshot);
    let input = BackupCreate { storage, mode, note, protected, keep_days };
    Ok(answer(&app, &auth, app.cloudpods.backup_create(&auth.actor, scope, id, input).await?))
}

/// Says whether and how long a backup is kept.
#[utoipa::path(patch, path = "/cloudpods/{id}/backups/{backup}", tag = "Backups",
    params(("id" = CloudPodId, Path), ("backup" = BackupId, Path), TenantQuery), request_body = PatchBody,
    responses((status = 200, body = BackupView), (status = 404), (status = 422)),
    extensions(("x-permission" = json!("cloudpods:write"))))]
async fn backup_update(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path((id, backup)): Path<(CloudPodId, BackupId)>,
    Params(query): Params<TenantQuery>,
    Body(body): Body<PatchBody>,
) -> Result<Json<BackupView>> {
    auth.require(Permission::CloudpodsWrite)?;
    let scope = narrowed(&auth, query.tenant_id)?;
    let PatchBody { protected, kept_until } = body;
    let after = app.cloudpods.backup_update(&auth.actor, scope, id, backup, protected, kept_until).await?;
    Ok(Json(after.into()))
}

/// Deletes a backup that is not protected. Its CloudPod may be deleted already.
#[utoipa::path(delete, path = "/cloudpods/{id}/backups/{backup}", tag = "Backups",
    params(("id" = CloudPodId, Path), ("backup" = BackupId, Path), TenantQuery),
    responses((status = 202, body = PodAndJob), (status = 404), (status = 409)),
    extensions(("x-permission" = json!("cloudpods:write"))))]
async fn backup_delete(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path((id, backup)): Path<(CloudPodId, BackupId)>,
    Params(query): Params<TenantQuery>,
) -> Result<Response> {
    auth.require(Permission::CloudpodsWrite)?;
    let scope = narrowed(&auth, query.tenant_id)?;
    Ok(answer(&app, &auth, app.cloudpods.backup_delete(&auth.actor, scope, id, backup).await?))
}

/// Takes a CloudPod back to a backup; what it was since is lost. One whose host was declared lost is restored elsewhere.
#[utoipa::path(post, path = "/cloudpods/{id}/backups/{backup}/restore", tag = "Backups",
    params(("id" = CloudPodId, Path), ("backup" = BackupId, Path), TenantQuery), request_body = Option<RestoreBody>,
    responses((status = 202, body = PodAndJob), (status = 403), (status = 404), (status = 409), (status = 422)),
    extensions(("x-permission" = json!("cloudpods:write"))))]
async fn backup_restore(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path((id, backup)): Path<(CloudPodId, BackupId)>,
    Params(query): Params<TenantQuery>,
    MaybeBody(body): MaybeBody<RestoreBody>,
) -> Result<Response> {
    auth.require(Permission::CloudpodsWrite)?;
    let scope = narrowed(&auth, query.tenant_id)?;
    auth.host_choice("server", body.server.as_ref())?;
    let server = body.server.as_deref();
    Ok(answer(&app, &auth, app.cloudpods.backup_restore(&auth.actor, (scope, auth.grant), id, backup, server).await?))
}

/// Makes a new CloudPod of a backup, whose own CloudPod may be deleted: its disk, with addresses, MAC addresses and a firewall of its
/// own.
#[utoipa::path(post, path = "/backups/{backup}/recreate", tag = "Backups",
    params(("backup" = BackupId, Path), TenantQuery), request_body = RecreateBody,
    responses((status = 202, body = PodAndJob), (status = 403), (status = 404), (status = 409), (status = 422),
        (status = 507, description = "No server that sees the backup can take it; the reason per server, to whom servers are shown. Nothing was made.")),
    extensions(("x-permission" = json!("cloudpods:write"))))]
async fn cloudpod_recreate(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path(backup): Path<BackupId>,
    Params(query): Params<TenantQuery>,
    Body(body): Body<RecreateBody>,
) -> Result<Response> {
    auth.require(Permission::CloudpodsWrite)?;
    let scope = narrowed(&auth, query.tenant_id)?;
    let RecreateBody { name, plan, image, ssh_keys, placement, ip_pools } = body;
    placement.permit(&auth)?;
    let (placement, private_pools) = (placement.into(), auth.sees_hosts());
    let input = Recreate { name, plan, image, ssh_keys, placement, ip_pools, private_pools };
    Ok(answer(&app, &auth, app.cloudpods.cloudpod_recreate(&auth.actor, (scope, auth.grant), backup, input).await?))
}

/// When backups of a CloudPod are made by themselves, and how long they are kept.
#[utoipa::path(get, path = "/cloudpods/{id}/backup-policy", tag = "Backups",
    params(("id" = CloudPodId, Path), TenantQuery), responses((status = 200, body = PolicyView), (status = 404)),
    extensions(("x-permission" = json!("cloudpods:read"))))]
async fn policy_get(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path(id): Path<CloudPodId>,
    Params(query): Params<TenantQuery>,
) -> Result<Tagged<PolicyView>> {
    auth.require(Permission::CloudpodsRead)?;
    let policy = app.cloudpods.policy_get(narrowed(&auth, query.tenant_id)?, id).await?;
    Ok(Tagged { version: policy.version, body: policy.into() })
}

/// Changes when backups of a CloudPod are made by themselves, and how long they are kept.
#[utoipa::path(patch, path = "/cloudpods/{id}/backup-policy", tag = "Backups",
    params(("id" = CloudPodId, Path), TenantQuery), request_body = PolicyBody,
    responses((status = 200, body = PolicyView), (status = 403), (status = 404), (status = 412), (status = 422)),
    extensions(("x-permission" = json!("cloudpods:write"))))]
async fn policy_update(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path(id): Path<CloudPodId>,
    Params(query): Params<TenantQuery>,
    if_match: IfMatch,
    Body(body): Body<PolicyBody>,
) -> Result<Tagged<PolicyView>> {
    auth.require(Permission::CloudpodsWrite)?;
    let scope = narrowed(&auth, query.tenant_id)?;
    let PolicyBody { every_hours, storage, mode, keep_last, keep_days } = body;
    auth.host_choice("storage", storage.as_ref().and_then(Option::as_ref))?;
    let patch = PolicyPatch { every_hours, storage, mode, keep_last, keep_days };
    let policy = app.cloudpods.policy_update(&auth.actor, scope, id, if_match.version(), patch).await?;
    Ok(Tagged { version: policy.version, body: policy.into() })
}

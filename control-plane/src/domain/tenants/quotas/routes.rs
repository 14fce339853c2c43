//! Tenants' quotas over REST.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Amounts, Limits, Quotas};
use crate::app::App;
use crate::domain::access::Permission;
use crate::error::Result;
use crate::http::auth::Auth;
use crate::http::etag::{IfMatch, Tagged};
use crate::http::json::Body;
use crate::http::patch::clearable;
use crate::http::path::Path;
use crate::ids::TenantId;

/// How much a tenant may use, and uses. Its version, as in the header `ETag`, is the tenant's.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TenantQuotas)]
pub struct QuotasView {
    /// Pods that are not deleted.
    pods: QuotaView,
    /// Virtual CPUs of all pods.
    vcpu: QuotaView,
    /// Memory of all pods, in MiB.
    memory_mib: QuotaView,
    /// Disks of all pods, in GiB.
    disk_gib: QuotaView,
    /// Addresses that pods hold.
    addresses: QuotaView,
    /// Snapshots of all pods.
    snapshots: QuotaView,
    /// Backups, those of deleted pods too.
    backups: QuotaView,
}

/// One quota.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TenantQuota)]
struct QuotaView {
    /// At most so much; null: unlimited.
    limit: Option<u64>,
    /// So much is used. It may be above the limit when that was lowered: then nothing is added.
    used: u64,
}

impl From<Quotas> for QuotasView {
    fn from(Quotas { limits, used }: Quotas) -> Self {
        let Limits { pods, vcpu, memory_mib, disk_gib, addresses, snapshots, backups } = limits;
        let Amounts {
            pods: used_pods,
            vcpu: used_vcpu,
            memory_mib: used_memory,
            disk_gib: used_disk,
            addresses: used_addresses,
            snapshots: used_snapshots,
            backups: used_backups,
        } = used;
        let one = |limit, used| QuotaView { limit, used };
        Self {
            pods: one(pods, used_pods),
            vcpu: one(vcpu, used_vcpu),
            memory_mib: one(memory_mib, used_memory),
            disk_gib: one(disk_gib, used_disk),
            addresses: one(addresses, used_addresses),
            snapshots: one(snapshots, used_snapshots),
            backups: one(backups, used_backups),
        }
    }
}

fn tagged((quotas, version): (Quotas, i64)) -> Tagged<QuotasView> {
    Tagged { version, body: quotas.into() }
}

/// At most so much of each; null or left out: unlimited.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TenantLimits)]
pub(in super::super) struct LimitsBody {
    pods: Option<u64>,
    vcpu: Option<u64>,
    memory_mib: Option<u64>,
    disk_gib: Option<u64>,
    addresses: Option<u64>,
    snapshots: Option<u64>,
    backups: Option<u64>,
}

impl From<LimitsBody> for Limits {
    fn from(body: LimitsBody) -> Self {
        let LimitsBody { pods, vcpu, memory_mib, disk_gib, addresses, snapshots, backups } = body;
        Self { pods, vcpu, memory_mib, disk_gib, addresses, snapshots, backups }
    }
}

/// A change of quotas; what is left out stays, null: unlimited.
#[expect(clippy::option_option, reason = "a field left out and a field that is null mean different things")]
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TenantQuotasPatch)]
struct PatchBody {
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<u64>)]
    pods: Option<Option<u64>>,
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<u64>)]
    vcpu: Option<Option<u64>>,
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<u64>)]
    memory_mib: Option<Option<u64>>,
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<u64>)]
    disk_gib: Option<Option<u64>>,
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<u64>)]
    addresses: Option<Option<u64>>,
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<u64>)]
    snapshots: Option<Option<u64>>,
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<u64>)]
    backups: Option<Option<u64>>,
}

impl PatchBody {
    /// What was, with this changed.
    fn applied(self, before: Limits) -> Limits {
        let Self { pods, vcpu, memory_mib, disk_gib, addresses, snapshots, backups } = self;
        Limits {
            pods: pods.unwrap_or(before.pods),
            vcpu: vcpu.unwrap_or(before.vcpu),
            memory_mib: memory_mib.unwrap_or(before.memory_mib),
            disk_gib: disk_gib.unwrap_or(before.disk_gib),
            addresses: addresses.unwrap_or(before.addresses),
            snapshots: snapshots.unwrap_or(before.snapshots),
            backups: backups.unwrap_or(before.backups),
        }
    }
}

/// The routes of the quotas, below a tenant's.
pub(in super::super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(quotas_get, quotas_update))
}

/// How much a tenant may use, and uses at this moment.
#[utoipa::path(get, path = "/{id}/quotas", tag = "Tenants", params(("id" = TenantId, Path)),
    responses((status = 200, body = QuotasView), (status = 404)),
    extensions(("x-permission" = json!("tenants:read"))))]
async fn quotas_get(State(app): State<Arc<App>>, auth: Auth, Path(id): Path<TenantId>) -> Result<Tagged<QuotasView>> {
    auth.require(Permission::TenantsRead)?;
    Ok(tagged(app.tenants.quotas_get(auth.scope, id).await?))
}

/// Says how much a tenant may use. What it uses beyond that stays; it only gets no more. With `If-Match`, only if the tenant is
/// still as it was read.
#[utoipa::path(patch, path = "/{id}/quotas", tag = "Tenants", params(("id" = TenantId, Path)), request_body = PatchBody,
    responses((status = 200, body = QuotasView), (status = 404), (status = 412), (status = 422)),
    extensions(("x-permission" = json!("tenants:manage"))))]
async fn quotas_update(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<TenantId>,
    if_match: IfMatch,
    Body(body): Body<PatchBody>,
) -> Result<Tagged<QuotasView>> {
    auth.require(Permission::TenantsManage)?;
    let change = |before| body.applied(before);
    Ok(tagged(app.tenants.quotas_update(&auth.actor, id, if_match.version(), change).await?))
}

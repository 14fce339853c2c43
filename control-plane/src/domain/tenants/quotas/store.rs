//! What tenants may use, and what the books say that they use.

use std::collections::HashMap;

use super::{Amounts, Limits, Quotas};
use crate::clock::Ms;
use crate::db::{Conn, Tx};
use crate::domain::check::{loaded, loaded_option, stored};
use crate::error::{Error, Result};
use crate::ids::TenantId;
use crate::{execute, fetch_by_ids, fetch_one, fetch_optional, sql_by_db};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT suspended_at, suspend_reason, quota_pods, quota_vcpu, quota_memory_mib, quota_disk_gib, quota_addresses,
                    quota_snapshots, quota_backups
               FROM tenants WHERE id = $1",
            $rest
        )
    };
}

#[derive(sqlx::FromRow)]
struct LimitsRow {
    suspended_at: Option<Ms>,
    suspend_reason: String,
    quota_pods: Option<i64>,
    quota_vcpu: Option<i64>,
    quota_memory_mib: Option<i64>,
    quota_disk_gib: Option<i64>,
    quota_addresses: Option<i64>,
    quota_snapshots: Option<i64>,
    quota_backups: Option<i64>,
}

/// The limits of one of several tenants.
#[derive(sqlx::FromRow)]
struct TenantLimitsRow {
    id: TenantId,
    #[sqlx(flatten)]
    limits: LimitsRow,
}

impl LimitsRow {
    /// Why it is suspended, if it is; and its limits.
    fn into_parts(self) -> Result<(Option<String>, Limits)> {
        let Self {
            suspended_at,
            suspend_reason,
            quota_pods,
            quota_vcpu,
            quota_memory_mib,
            quota_disk_gib,
            quota_addresses,
            quota_snapshots,
            quota_backups,
        } = self;
        let limits = Limits {
            pods: loaded_option(quota_pods, "tenants.quota_pods")?,
            vcpu: loaded_option(quota_vcpu, "tenants.quota_vcpu")?,
            memory_mib: loaded_option(quota_memory_mib, "tenants.quota_memory_mib")?,
            disk_gib: loaded_option(quota_disk_gib, "tenants.quota_disk_gib")?,
            addresses: loaded_option(quota_addresses, "tenants.quota_addresses")?,
            snapshots: loaded_option(quota_snapshots, "tenants.quota_snapshots")?,
            backups: loaded_option(quota_backups, "tenants.quota_backups")?,
        };
        Ok((suspended_at.map(|_| suspend_reason), limits))
    }
}

/// Holds the tenant's row until the transaction ends: why it is suspended, if it is, and its limits. `None`: there is no such tenant.
pub(super) async fn tenant_lock(tx: &mut Tx, tenant: TenantId) -> Result<Option<(Option<String>, Limits)>> {
    // SQLite has one writer. Rows that refer to the tenant, such as pods, may be written meanwhile.
    const SQLITE: &str = select!("");
    const POSTGRES: &str = select!(" FOR NO KEY UPDATE");
    let conn = tx.conn();
    let sql = sql_by_db!(conn, sqlite: SQLITE, postgres: POSTGRES);
    fetch_optional!(conn, LimitsRow, sql, tenant)?.map(LimitsRow::into_parts).transpose()
}

/// The same without holding it.
pub(super) async fn tenant_look(conn: Conn<'_>, tenant: TenantId) -> Result<Option<(Option<String>, Limits)>> {
    const SQL: &str = select!("");
    fetch_optional!(conn, LimitsRow, SQL, tenant)?.map(LimitsRow::into_parts).transpose()
}

pub(super) async fn limits_set(tx: &mut Tx, tenant: TenantId, limits: &Limits, (version, at): (i64, Ms)) -> Result<()> {
    const SQL: &str =
        "UPDATE tenants SET quota_pods = $2, quota_vcpu = $3, quota_memory_mib = $4, quota_disk_gib = $5, quota_addresses = $6,
                            quota_snapshots = $7, quota_backups = $8, version = $9, updated_at = $10
          WHERE id = $1";
    let Limits { pods, vcpu, memory_mib, disk_gib, addresses, snapshots, backups } = *limits;
    let touched = execute!(
        tx.conn(),
        SQL,
        tenant,
        pods.map(stored),
        vcpu.map(stored),
        memory_mib.map(stored),
        disk_gib.map(stored),
        addresses.map(stored),
        snapshots.map(stored),
        backups.map(stored),
        version,
        at
    )?;
    if touched == 1 { Ok(()) } else { Err(Error::Stale) }
}

/// The tenant's pods, and their sizes together.
pub(super) async fn pods_used(conn: Conn<'_>, tenant: TenantId) -> Result<Amounts> {
    const SQL: &str =
        "SELECT COUNT(*),
                CAST(COALESCE(SUM(CASE WHEN r.vcpu > p.vcpu THEN r.vcpu ELSE p.vcpu END), 0) AS BIGINT),
                CAST(COALESCE(SUM(CASE WHEN r.memory_mib > p.memory_mib THEN r.memory_mib ELSE p.memory_mib END), 0) AS BIGINT),
                CAST(COALESCE(SUM(CASE WHEN r.disk_gib > p.disk_gib THEN r.disk_gib ELSE p.disk_gib END), 0) AS BIGINT)
           FROM cloudpods p LEFT JOIN reservations r ON r.pod_id = p.id
          WHERE p.tenant_id = $1 AND p.state <> 'deleted'";
    let (pods, vcpu, memory_mib, disk_gib) = fetch_one!(conn, (i64, i64, i64, i64), SQL, tenant)?;
    pods_load(pods, vcpu, memory_mib, disk_gib)
}

fn pods_load(pods: i64, vcpu: i64, memory_mib: i64, disk_gib: i64) -> Result<Amounts> {
    Ok(Amounts {
        pods: loaded(pods, "count of cloudpods")?,
        vcpu: loaded(vcpu, "sum of cloudpods.vcpu")?,
        memory_mib: loaded(memory_mib, "sum of cloudpods.memory_mib")?,
        disk_gib: loaded(disk_gib, "sum of cloudpods.disk_gib")?,
        ..Amounts::default()
    })
}

/// What the tenant's pods hold of the pools.
pub(super) async fn addresses_used(conn: Conn<'_>, tenant: TenantId) -> Result<u64> {
    const SQL: &str = "SELECT COUNT(*) FROM cloudpods p JOIN ip_addresses a ON a.pod_id = p.id
                        WHERE p.tenant_id = $1 AND p.state <> 'deleted'";
    let (count,) = fetch_one!(conn, (i64,), SQL, tenant)?;
    loaded(count, "count of ip_addresses")
}

pub(super) async fn snapshots_used(conn: Conn<'_>, tenant: TenantId) -> Result<u64> {
    const SQL: &str = "SELECT COUNT(*) FROM cloudpods p JOIN snapshots s ON s.pod_id = p.id
                        WHERE p.tenant_id = $1 AND p.state <> 'deleted'";
    let (count,) = fetch_one!(conn, (i64,), SQL, tenant)?;
    loaded(count, "count of snapshots")
}

pub(super) async fn backups_used(conn: Conn<'_>, tenant: TenantId) -> Result<u64> {
    const SQL: &str = "SELECT COUNT(*) FROM backups WHERE tenant_id = $1";
    let (count,) = fetch_one!(conn, (i64,), SQL, tenant)?;
    loaded(count, "count of backups")
}

/// What several tenants may use, and use: so many statements, however many tenants.
pub(super) async fn quotas_of(mut conn: Conn<'_>, tenants: &[TenantId]) -> Result<HashMap<TenantId, Quotas>> {
    let rows = fetch_by_ids!(
        conn.again(),
        TenantLimitsRow,
        "SELECT id, suspended_at, suspend_reason, quota_pods, quota_vcpu, quota_memory_mib, quota_disk_gib, quota_addresses,
                quota_snapshots, quota_backups
           FROM tenants WHERE id",
        "",
        tenants
    )?;
    let mut all = HashMap::new();
    for TenantLimitsRow { id, limits } in rows {
        let (_, limits) = limits.into_parts()?;
        all.insert(id, Quotas { limits, used: Amounts::default() });
    }
    let pods = fetch_by_ids!(
        conn.again(),
        (TenantId, i64, i64, i64, i64),
        "SELECT p.tenant_id, COUNT(*),
                CAST(SUM(CASE WHEN r.vcpu > p.vcpu THEN r.vcpu ELSE p.vcpu END) AS BIGINT),
                CAST(SUM(CASE WHEN r.memory_mib > p.memory_mib THEN r.memory_mib ELSE p.memory_mib END) AS BIGINT),
                CAST(SUM(CASE WHEN r.disk_gib > p.disk_gib THEN r.disk_gib ELSE p.disk_gib END) AS BIGINT)
           FROM cloudpods p LEFT JOIN reservations r ON r.pod_id = p.id
          WHERE p.state <> 'deleted' AND p.tenant_id",
        "GROUP BY p.tenant_id",
        tenants
    )?;
    for (tenant, pods, vcpu, memory_mib, disk_gib) in pods {
        if let Some(quotas) = all.get_mut(&tenant) {
            quotas.used = pods_load(pods, vcpu, memory_mib, disk_gib)?;
        }
    }
    let addresses = fetch_by_ids!(
        conn.again(),
        (TenantId, i64),
        "SELECT p.tenant_id, COUNT(*) FROM cloudpods p JOIN ip_addresses a ON a.pod_id = p.id
          WHERE p.state <> 'deleted' AND p.tenant_id",
        "GROUP BY p.tenant_id",
        tenants
    )?;
    let snapshots = fetch_by_ids!(
        conn.again(),
        (TenantId, i64),
        "SELECT p.tenant_id, COUNT(*) FROM cloudpods p JOIN snapshots s ON s.pod_id = p.id
          WHERE p.state <> 'deleted' AND p.tenant_id",
        "GROUP BY p.tenant_id",
        tenants
    )?;
    let backups = fetch_by_ids!(
        conn,
        (TenantId, i64),
        "SELECT tenant_id, COUNT(*) FROM backups WHERE tenant_id",
        "GROUP BY tenant_id",
        tenants
    )?;
    let mut count = |counts: Vec<(TenantId, i64)>, field: fn(&mut Amounts) -> &mut u64| -> Result<()> {
        for (tenant, count) in counts {
            if let Some(quotas) = all.get_mut(&tenant) {
                *field(&mut quotas.used) = loaded(count, "a count of what a tenant uses")?;
            }
        }
        Ok(())
    };
    count(addresses, |used| &mut used.addresses)?;
    count(snapshots, |used| &mut used.snapshots)?;
    count(backups, |used| &mut used.backups)?;
    Ok(all)
}

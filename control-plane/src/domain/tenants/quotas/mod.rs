//! How much a tenant may use. What it uses is counted from the books at the moment when it wants more, under its held row.
//!
//! What counts: each pod that is not deleted, with the larger of its size and of what it holds on its server (a pod that was resized
//! and not yet restarted holds both sizes); each address that is held; each snapshot and backup that is kept, is being made or is
//! being deleted.

pub mod routes;
mod store;

use std::collections::HashMap;

use serde::Serialize;

use super::service::suspended;
use crate::clock::Ms;
use crate::db::{Conn, Tx};
use crate::domain::check::Checks;
use crate::error::{Error, Result};
use crate::ids::TenantId;

/// The code of what a quota refuses.
pub const EXCEEDED: &str = "quota_exceeded";

/// The largest quota that can be set.
const LIMIT_MAX: u64 = 1 << 50;

/// What there can be a quota of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quota {
    /// Pods.
    Pods,
    /// Virtual CPUs of all pods.
    Vcpu,
    /// Memory of all pods, in MiB.
    MemoryMib,
    /// Disks of all pods, in GiB.
    DiskGib,
    /// Addresses that pods hold.
    Addresses,
    /// Snapshots of all pods.
    Snapshots,
    /// Backups, those of deleted pods too.
    Backups,
}

impl Quota {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Pods, Self::Vcpu, Self::MemoryMib, Self::DiskGib, Self::Addresses, Self::Snapshots, Self::Backups];

    /// As the API writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pods => "pods",
            Self::Vcpu => "vcpu",
            Self::MemoryMib => "memory_mib",
            Self::DiskGib => "disk_gib",
            Self::Addresses => "addresses",
            Self::Snapshots => "snapshots",
            Self::Backups => "backups",
        }
    }
}

/// So much of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Amounts {
    /// Pods.
    pub pods: u64,
    /// Virtual CPUs.
    pub vcpu: u64,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Disk in GiB.
    pub disk_gib: u64,
    /// Addresses.
    pub addresses: u64,
    /// Snapshots.
    pub snapshots: u64,
    /// Backups.
    pub backups: u64,
}

impl Amounts {
    /// So much of this.
    #[must_use]
    pub fn of(&self, quota: Quota) -> u64 {
        match quota {
            Quota::Pods => self.pods,
            Quota::Vcpu => self.vcpu,
            Quota::MemoryMib => self.memory_mib,
            Quota::DiskGib => self.disk_gib,
            Quota::Addresses => self.addresses,
            Quota::Snapshots => self.snapshots,
            Quota::Backups => self.backups,
        }
    }
}

/// At most so much of each; `None`: unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Pods.
    pub pods: Option<u64>,
    /// Virtual CPUs.
    pub vcpu: Option<u64>,
    /// Memory in MiB.
    pub memory_mib: Option<u64>,
    /// Disk in GiB.
    pub disk_gib: Option<u64>,
    /// Addresses.
    pub addresses: Option<u64>,
    /// Snapshots.
    pub snapshots: Option<u64>,
    /// Backups.
    pub backups: Option<u64>,
}

impl Limits {
    /// At most so much of this.
    #[must_use]
    pub fn of(&self, quota: Quota) -> Option<u64> {
        match quota {
            Quota::Pods => self.pods,
            Quota::Vcpu => self.vcpu,
            Quota::MemoryMib => self.memory_mib,
            Quota::DiskGib => self.disk_gib,
            Quota::Addresses => self.addresses,
            Quota::Snapshots => self.snapshots,
            Quota::Backups => self.backups,
        }
    }
}

/// How much a tenant may use, and uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// May use.
    pub limits: Limits,
    /// Uses.
    pub used: Amounts,
}

/// Whether a tenant could be given so much more now: the refusal, if not. `conn` is to be a snapshot's; nothing is held.
pub async fn look(mut conn: Conn<'_>, tenant: TenantId, more: Amounts) -> Result<Result<()>> {
    let found = store::tenant_look(conn.again(), tenant).await?;
    let (suspension, limits) = found.ok_or_else(|| Error::not_found("tenant", tenant))?;
    if let Some(reason) = suspension {
        return Ok(Err(suspended(&reason)));
    }
    let used = used_in_all(conn, tenant).await?;
    Ok(exceeded(&limits, &used, &more).map_or(Ok(()), Err))
}

/// A tenant whose row is held until the transaction ends.
#[derive(Clone, Debug)]
pub struct Held {
    tenant: TenantId,
    suspended: Option<String>,
    limits: Limits,
}

/// Holds the tenant's row until the transaction ends, so that one after the other gives it more. To be called before anything else of
/// the tenant is held but a job.
pub async fn hold(tx: &mut Tx, tenant: TenantId) -> Result<Held> {
    let found = store::tenant_lock(tx, tenant).await?.ok_or_else(|| Error::not_found("tenant", tenant))?;
    let (suspended, limits) = found;
    Ok(Held { tenant, suspended, limits })
}

impl Held {
    /// Refuses (409 `tenant_suspended`) when the tenant is suspended.
    pub fn open(&self) -> Result<()> {
        self.suspended.as_ref().map_or(Ok(()), |reason| Err(suspended(reason)))
    }

    /// Why the tenant is suspended; `None`: it is not.
    #[must_use]
    pub fn suspension(&self) -> Option<&str> {
        self.suspended.as_deref()
    }

    /// Refuses (409 `quota_exceeded`, naming each quota, its limit, what is used and what was asked for) what would go beyond a quota.
    /// To be called before it is written.
    pub async fn require(&self, tx: &mut Tx, more: Amounts) -> Result<()> {
        let used = self.used(tx, &more).await?;
        exceeded(&self.limits, &used, &more).map_or(Ok(()), Err)
    }

    /// As [`Held::require`], of so many addresses that this transaction has taken already.
    pub async fn require_addresses_taken(&self, tx: &mut Tx, addresses: u64) -> Result<()> {
        let more = Amounts { addresses, ..Amounts::default() };
        let mut used = self.used(tx, &more).await?;
        used.addresses = used.addresses.saturating_sub(addresses);
        exceeded(&self.limits, &used, &more).map_or(Ok(()), Err)
    }

    /// What is used of that of which so much more is wanted; only what decides is counted.
    async fn used(&self, tx: &mut Tx, more: &Amounts) -> Result<Amounts> {
        let limited =
            |quotas: &[Quota]| quotas.iter().any(|quota| more.of(*quota) > 0 && self.limits.of(*quota).is_some());
        let mut used = Amounts::default();
        if limited(&[Quota::Pods, Quota::Vcpu, Quota::MemoryMib, Quota::DiskGib]) {
            used = store::pods_used(tx.conn(), self.tenant).await?;
        }
        if limited(&[Quota::Addresses]) {
            used.addresses = store::addresses_used(tx.conn(), self.tenant).await?;
        }
        if limited(&[Quota::Snapshots]) {
            used.snapshots = store::snapshots_used(tx.conn(), self.tenant).await?;
        }
        if limited(&[Quota::Backups]) {
            used.backups = store::backups_used(tx.conn(), self.tenant).await?;
        }
        Ok(used)
    }
}

/// Why so much more is too much.
fn exceeded(limits: &Limits, used: &Amounts, more: &Amounts) -> Option<Error> {
    let over = Quota::ALL.into_iter().filter_map(|quota| {
        let (limit, used, more) = (limits.of(quota)?, used.of(quota), more.of(quota));
        let beyond = more > 0 && used.saturating_add(more) > limit;
        beyond.then(|| format!("{}: {limit} allowed, {used} used, {more} more asked for", quota.as_str()))
    });
    let over: Vec<_> = over.collect();
    if over.is_empty() {
        return None;
    }
    let detail = format!(
        "the tenant's quota does not allow it ({}): delete what is not needed, ask for less, or have the platform raise the quota",
        over.join("; ")
    );
    Some(Error::conflict(EXCEEDED, detail))
}

/// How much a tenant may use, and uses. `conn` is to be a snapshot's, or to hold the tenant.
pub(super) async fn quotas_get(mut conn: Conn<'_>, tenant: TenantId) -> Result<Quotas> {
    let found = store::tenant_look(conn.again(), tenant).await?;
    let (_, limits) = found.ok_or_else(|| Error::not_found("tenant", tenant))?;
    Ok(Quotas { limits, used: used_in_all(conn, tenant).await? })
}

async fn used_in_all(mut conn: Conn<'_>, tenant: TenantId) -> Result<Amounts> {
    Ok(Amounts {
        addresses: store::addresses_used(conn.again(), tenant).await?,
        snapshots: store::snapshots_used(conn.again(), tenant).await?,
        backups: store::backups_used(conn.again(), tenant).await?,
        ..store::pods_used(conn, tenant).await?
    })
}

/// How much each of these tenants may use, and uses. `conn` is to be a snapshot's.
pub async fn quotas_of(conn: Conn<'_>, tenants: &[TenantId]) -> Result<HashMap<TenantId, Quotas>> {
    store::quotas_of(conn, tenants).await
}

/// Stores how much a tenant that is held may use.
pub(super) async fn limits_set(tx: &mut Tx, tenant: TenantId, limits: &Limits, at: (i64, Ms)) -> Result<()> {
    store::limits_set(tx, tenant, limits, at).await
}

pub(super) fn check(checks: &mut Checks, limits: &Limits) {
    for quota in Quota::ALL {
        if let Some(limit) = limits.of(quota) {
            checks.range(quota.as_str(), limit, 0..=LIMIT_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(limit: Option<u64>, used: u64, more: u64) -> Option<String> {
        let limits = Limits { vcpu: limit, ..Limits::default() };
        let amounts = |vcpu| Amounts { vcpu, ..Amounts::default() };
        exceeded(&limits, &amounts(used), &amounts(more)).map(|error| error.to_string())
    }

    #[test]
    fn what_a_quota_refuses_names_it_with_all_figures() {
        assert_eq!(check(None, 9, 9), None);
        assert_eq!(check(Some(4), 2, 2), None);
        assert_eq!(check(Some(4), 9, 0), None, "who is above already may keep what they have");
        let text = check(Some(4), 3, 2).unwrap();
        assert!(
            text.contains("vcpu: 4 allowed, 3 used, 2 more asked for") && text.contains("raise the quota"),
            "{text}"
        );
        assert!(check(Some(u64::MAX), 1, u64::MAX).is_none(), "no sum overflows");
    }
}

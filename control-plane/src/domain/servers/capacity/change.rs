//! What a pod holds of its server, grown or shrunk in place.

use super::{Hold, store};
use crate::db::{Conn, Tx};
use crate::domain::check::{loaded, stored};
use crate::domain::servers::service::Service;
use crate::error::{Error, FieldError, Result};
use crate::ids::CloudPodId;

/// How much a pod holds, or is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Virtual CPUs.
    pub vcpu: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Disk in GiB.
    pub disk_gib: u64,
}

impl Held {
    /// So much that both fit.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            vcpu: self.vcpu.max(other.vcpu),
            memory_mib: self.memory_mib.max(other.memory_mib),
            disk_gib: self.disk_gib.max(other.disk_gib),
        }
    }
}

impl Service {
    /// What a pod holds at present; `None`: nothing.
    pub async fn reservation_get(&self, conn: Conn<'_>, pod: CloudPodId) -> Result<Option<Held>> {
        let Some(row) = store::reservation_of(conn, pod).await? else { return Ok(None) };
        Ok(Some(Held {
            vcpu: loaded(row.vcpu, "reservations.vcpu")?,
            memory_mib: loaded(row.memory_mib, "reservations.memory_mib")?,
            disk_gib: loaded(row.disk_gib, "reservations.disk_gib")?,
        }))
    }

    /// Changes what a pod holds to exactly `to`. Growth succeeds only if the server and the storage have the room at this
    /// very moment, as when a pod is placed; shrinking always does. `false`: there is no room, and nothing was changed.
    /// Repeatable. A conflict when the pod holds nothing.
    pub async fn reservation_change(&self, tx: &mut Tx, pod: CloudPodId, to: Held) -> Result<bool> {
        let held = store::reservation_of(tx.conn(), pod).await?.ok_or_else(|| nothing_held(pod))?;
        let wanted = (i64::from(to.vcpu), stored(to.memory_mib), stored(to.disk_gib));
        let (vcpu, memory_mib, disk_gib) = (wanted.0 - held.vcpu, wanted.1 - held.memory_mib, wanted.2 - held.disk_gib);
        if (vcpu, memory_mib, disk_gib) == (0, 0, 0) {
            return Ok(true);
        }
        let server = held.server_id;
        if !store::totals_change(tx, server, vcpu, memory_mib, false).await? {
            return Ok(false);
        }
        if disk_gib > 0 {
            let disk_gib = loaded(disk_gib, "reservations.disk_gib")?;
            let more = Hold { pod, server, storage: &held.storage, vcpu: 0, memory_mib: 0, disk_gib };
            if !store::storage_hold(tx, &more).await? {
                store::totals_change(tx, server, -vcpu, -memory_mib, true).await?;
                return Ok(false);
            }
        } else if disk_gib < 0 {
            store::storage_release(tx, server, &held.storage, -disk_gib).await?;
        }
        if store::reservation_update(tx, pod, &held, wanted).await? {
            Ok(true)
        } else {
            Err(Error::unavailable("what the pod holds changed meanwhile; it is read anew"))
        }
    }

    /// What a pod's server lacks for the pod to hold `to`, in words; empty: nothing.
    pub async fn reservation_shortage(&self, mut conn: Conn<'_>, pod: CloudPodId, to: Held) -> Result<Vec<FieldError>> {
        let held = store::reservation_of(conn.again(), pod).await?.ok_or_else(|| nothing_held(pod))?;
        let servers = self.server_snapshot(conn).await?;
        let server = servers.into_iter().find(|server| server.id == held.server_id);
        let server = server.ok_or_else(|| Error::not_found("server", held.server_id))?;
        let mut lacks = Vec::new();
        let mut check = |what: &str, unit: &str, wanted: u64, held: i64, capacity: u64, reserved: u64| {
            let more = wanted.saturating_sub(u64::try_from(held).unwrap_or(0));
            let free = capacity.saturating_sub(reserved);
            if more > free {
                let message = format!("{what}: {more}{unit} more needed, {free}{unit} free");
                lacks.push(FieldError { field: server.name.clone(), message });
            }
        };
        check("CPU", "", u64::from(to.vcpu), held.vcpu, server.vcpu_capacity, server.reserved_vcpu);
        check("memory", " MiB", to.memory_mib, held.memory_mib, server.memory_mib, server.reserved_memory_mib);
        match server.storages.iter().find(|storage| storage.name == held.storage) {
            Some(storage) if storage.offered && storage.active => {
                check("disk", " GiB", to.disk_gib, held.disk_gib, storage.capacity_gib, storage.reserved_gib);
            }
            _ if stored(to.disk_gib) > held.disk_gib => {
                let message =
                    format!("storage {} is not offered or does not answer: its disks cannot grow", held.storage);
                lacks.push(FieldError { field: server.name.clone(), message });
            }
            _ => {}
        }
        Ok(lacks)
    }
}

fn nothing_held(pod: CloudPodId) -> Error {
    Error::conflict("reservation_missing", format!("CloudPod {pod} holds nothing of any server"))
}

//! What callers may ask of a server's record, and whether it is acceptable.

use std::collections::BTreeMap;

use super::{SchedulingState, Server};
use crate::clock::Ms;
use crate::domain::check::Checks;
use crate::error::Result;

/// A server to be registered.
#[derive(Clone, Debug)]
pub struct ServerCreate {
    /// Unique.
    pub name: String,
    /// `None`: `default`.
    pub region: Option<String>,
    /// For placement.
    pub labels: BTreeMap<String, String>,
    /// `None`: `vmbr0`.
    pub bridge: Option<String>,
    /// `None`: 10,000, well above what Proxmox hands out by itself.
    pub vmid_min: Option<u32>,
    /// `None`: 999,999.
    pub vmid_max: Option<u32>,
    /// `None`: as the agent reports.
    pub cpu_threads: Option<u32>,
    /// `None`: 1.
    pub cpu_overcommit: Option<f64>,
    /// `None`: as the agent reports.
    pub memory_mib: Option<u64>,
    /// `None`: no limit.
    pub pod_limit: Option<u32>,
    /// The storage that backups go to when nobody says otherwise.
    pub backup_storage: Option<String>,
    /// The storages that pods may be placed on.
    pub storages: Vec<StorageOffer>,
}

/// A storage that pods may be placed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageOffer {
    /// Proxmox's id of it.
    pub name: String,
    /// `None`: as the agent reports.
    pub disk_gib: Option<u64>,
}

/// A change of a server's record: `None` leaves a field as it is, `Some(None)` takes a limit away.
#[derive(Clone, Debug, Default)]
pub struct ServerPatch {
    /// A new name.
    pub name: Option<String>,
    /// Another region.
    pub region: Option<String>,
    /// All labels anew.
    pub labels: Option<BTreeMap<String, String>>,
    /// Another bridge for pods to come.
    pub bridge: Option<String>,
    /// The lowest VMID.
    pub vmid_min: Option<u32>,
    /// The highest VMID.
    pub vmid_max: Option<u32>,
    /// The operator's limit of threads.
    pub cpu_threads: Option<Option<u32>>,
    /// Virtual CPUs per thread.
    pub cpu_overcommit: Option<f64>,
    /// The operator's limit of memory.
    pub memory_mib: Option<Option<u64>>,
    /// The most pods.
    pub pod_limit: Option<Option<u32>>,
    /// The storage that backups go to when nobody says otherwise.
    pub backup_storage: Option<Option<String>>,
    /// All offered storages anew.
    pub storages: Option<Vec<StorageOffer>>,
}

/// What the operator wants of a server from now on.
#[derive(Clone, Debug)]
pub struct StatusChange {
    /// The state.
    pub status: SchedulingState,
    /// Why; shown with the state.
    pub reason: String,
    /// When a drain is to be over.
    pub deadline: Option<Ms>,
}

impl StatusChange {
    pub(super) fn check(&self, now: Ms) -> Result<()> {
        let mut checks = Checks::new();
        checks.text("reason", &self.reason, 0..=500);
        if let Some(deadline) = self.deadline {
            checks.require(
                self.status == SchedulingState::Draining,
                "deadline",
                "only a drain has a deadline; leave it out",
            );
            checks.require(deadline > now, "deadline", "is over already; name a time to come");
        }
        checks.finish()
    }
}

/// The columns that the operator sets.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) name: String,
    pub(super) region: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) bridge: String,
    pub(super) vmid_min: u32,
    pub(super) vmid_max: u32,
    pub(super) cpu_threads: Option<u32>,
    pub(super) cpu_overcommit: f64,
    pub(super) memory_mib: Option<u64>,
    pub(super) pod_limit: Option<u32>,
    pub(super) backup_storage: Option<String>,
    /// `None`: as they are.
    pub(super) storages: Option<Vec<StorageOffer>>,
}

impl Settings {
    pub(super) fn of_create(input: ServerCreate) -> Result<Self> {
        let ServerCreate {
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
        } = input;
        Self {
            name,
            region: region.unwrap_or_else(|| "default".to_owned()),
            labels,
            bridge: bridge.unwrap_or_else(|| "vmbr0".to_owned()),
            vmid_min: vmid_min.unwrap_or(10_000),
            vmid_max: vmid_max.unwrap_or(999_999),
            cpu_threads,
            cpu_overcommit: cpu_overcommit.unwrap_or(1.0),
            memory_mib,
            pod_limit,
            backup_storage,
            storages: Some(storages),
        }
        .checked()
    }

    pub(super) fn of_patch(server: &Server, patch: ServerPatch) -> Result<Self> {
        let ServerPatch {
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
        } = patch;
        Self {
            name: name.unwrap_or_else(|| server.name.clone()),
            region: region.unwrap_or_else(|| server.region.clone()),
            labels: labels.unwrap_or_else(|| server.labels.clone()),
            bridge: bridge.unwrap_or_else(|| server.bridge.clone()),
            vmid_min: vmid_min.unwrap_or(server.vmid_min),
            vmid_max: vmid_max.unwrap_or(server.vmid_max),
            cpu_threads: cpu_threads.unwrap_or(server.limits.cpu_threads),
            cpu_overcommit: cpu_overcommit.unwrap_or(server.limits.cpu_overcommit),
            memory_mib: memory_mib.unwrap_or(server.limits.memory_mib),
            pod_limit: pod_limit.unwrap_or(server.limits.pod_limit),
            backup_storage: backup_storage.unwrap_or_else(|| server.backup_storage.clone()),
            storages,
        }
        .checked()
    }

    fn checked(self) -> Result<Self> {
        let mut checks = Checks::new();
        checks.name("name", &self.name);
        checks.name("region", &self.region);
        checks.labels("labels", &self.labels);
        checks.bridge("bridge", &self.bridge);
        checks.range("vmid_min", self.vmid_min, 100..=999_999_999);
        checks.range("vmid_max", self.vmid_max, 100..=999_999_999);
        checks.require(
            self.vmid_min <= self.vmid_max,
            "vmid_max",
            "is below vmid_min; the range must hold at least one VMID",
        );
        if let Some(threads) = self.cpu_threads {
            checks.range("cpu_threads", threads, 1..=8192);
        }
        if self.cpu_overcommit.is_finite() {
            checks.range("cpu_overcommit", self.cpu_overcommit, 0.1..=64.0);
        } else {
            checks.wrong("cpu_overcommit", "must be a number from 0.1 to 64");
        }
        if let Some(memory) = self.memory_mib {
            checks.range("memory_mib", memory, 128..=1 << 30);
        }
        if let Some(limit) = self.pod_limit {
            checks.range("pod_limit", limit, 0..=100_000);
        }
        if let Some(storage) = &self.backup_storage {
            checks.storage_name("backup_storage", storage);
        }
        if let Some(storages) = &self.storages {
            storages_check(&mut checks, storages);
        }
        checks.finish()?;
        Ok(self)
    }
}

fn storages_check(checks: &mut Checks, storages: &[StorageOffer]) {
    if storages.len() > 64 {
        checks.wrong("storages", format!("has {} storages; at most 64 are allowed", storages.len()));
        return;
    }
    for (i, storage) in storages.iter().enumerate() {
        checks.storage_name(&format!("storages[{i}].name"), &storage.name);
        if storages[..i].iter().any(|other| other.name == storage.name) {
            checks.wrong(format!("storages[{i}].name"), "is named twice; name each storage once");
        }
        if let Some(disk) = storage.disk_gib {
            checks.range(&format!("storages[{i}].disk_gib"), disk, 1..=1 << 30);
        }
    }
}

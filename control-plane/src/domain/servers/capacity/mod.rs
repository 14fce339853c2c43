//! What pods hold of servers: capacity and VMIDs. Never held twice, by any interleaving, on any number of control planes:
//! each total is changed by one conditional update, each VMID is a row with a unique key.

pub mod change;
mod claim;
mod image;
pub mod moves;
mod store;

pub(super) use store::{foreign_prune, foreign_shown};

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::service::Service;
use super::{ConnectionState, SchedulingState, Server, ServerStorage};
use crate::clock::Ms;
use crate::db::{Conn, Tx};
use crate::error::{Error, Result};
use crate::ids::{CloudPodId, ServerId};

/// What placement needs to know of a server.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerCapacity {
    /// The server.
    pub id: ServerId,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub region: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// What the operator wants of it.
    pub scheduling: SchedulingState,
    /// Whether its agent is there.
    pub connection: ConnectionState,
    /// Its agent has told its figures and its VMs. Nothing can be reserved before.
    pub known: bool,
    /// Hardware threads to count with; 0: not known.
    pub cpu_threads: u32,
    /// Virtual CPUs per thread.
    pub cpu_overcommit: f64,
    /// Virtual CPUs that may be reserved in all: threads × overcommit, rounded down.
    pub vcpu_capacity: u64,
    /// Memory that may be reserved in all, in MiB.
    pub memory_mib: u64,
    /// Virtual CPUs held.
    pub reserved_vcpu: u64,
    /// Memory held, in MiB.
    pub reserved_memory_mib: u64,
    /// Pods that hold something of it.
    pub reserved_pods: u64,
    /// The most pods; `None`: no limit.
    pub pod_limit: Option<u32>,
    /// The bridge that pods are attached to.
    pub bridge: String,
    /// The bridges that its agent saw.
    pub bridges: Vec<String>,
    /// Its storages, by name.
    pub storages: Vec<StorageCapacity>,
    /// The lowest VMID for pods on it.
    pub vmid_min: u32,
    /// The highest.
    pub vmid_max: u32,
    /// The space that its VMIDs are unique in.
    pub vmid_space: String,
    /// The templates that its agent saw, by VMID.
    pub templates: Vec<TemplateSeen>,
    /// What is wrong with it, for people; empty: nothing known.
    pub problem: String,
    /// Why nothing that is ordered there would be done; empty: nothing known.
    pub refuses: String,
    /// For how long its agent is heard without an answer of Proxmox; `None`: Proxmox answers.
    pub proxmox_silent: Option<Duration>,
}

impl ServerCapacity {
    /// Whether Proxmox has not answered for so long that what was known of the host before counts no more.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.proxmox_silent.is_some_and(|silent| silent > PROXMOX_SILENCE_MAX)
    }
}

/// What placement needs to know of a storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageCapacity {
    /// Proxmox's id of it.
    pub name: String,
    /// What may be reserved in all, in GiB.
    pub capacity_gib: u64,
    /// What is held, in GiB; of a shared storage, by pods on all servers of the cluster.
    pub reserved_gib: u64,
    /// Enabled, and it answers.
    pub active: bool,
    /// The same on all nodes of the cluster.
    pub shared: bool,
    /// Whether pods may be placed on it.
    pub offered: bool,
}

/// A template on a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateSeen {
    /// Its number.
    pub vmid: u32,
    /// Its name.
    pub name: String,
    /// Size of its boot disk in MiB.
    pub disk_mib: u64,
}

/// What a pod is to hold of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hold<'a> {
    pub(super) pod: CloudPodId,
    pub(super) server: ServerId,
    pub(super) storage: &'a str,
    pub(super) vcpu: u32,
    pub(super) memory_mib: u64,
    pub(super) disk_gib: u64,
}

/// What a pod holds of a server, as it is stored.
#[derive(sqlx::FromRow)]
struct ReservationHeld {
    server_id: ServerId,
    storage: String,
    vcpu: i64,
    memory_mib: i64,
    disk_gib: i64,
}

/// So long after Proxmox last answered a host's agent, what was known of the host still counts: long enough for Proxmox to be
/// restarted or upgraded.
pub const PROXMOX_SILENCE_MAX: Duration = Duration::from_mins(2);

/// How often another VMID is tried before the space is said to be contended: each round was lost to somebody who won.
const VMID_ROUNDS: u32 = 64;

impl Service {
    /// Every server as placement sees it, in the order of their registration.
    pub async fn server_snapshot(&self, mut conn: Conn<'_>) -> Result<Vec<ServerCapacity>> {
        let now = self.clock.now();
        let servers = super::store::servers_all(conn.again()).await?;
        let mut templates = store::templates_all(conn).await?;
        let mut shared: BTreeMap<(String, String), u64> = BTreeMap::new();
        for (server, storage) in servers.iter().flat_map(|s| s.storages.iter().map(move |t| (s, t))) {
            if storage.shared {
                *shared.entry((server.vmid_space.clone(), storage.name.clone())).or_default() += storage.reserved_gib;
            }
        }
        Ok(servers
            .into_iter()
            .map(|server| {
                let templates = templates.remove(&server.id).unwrap_or_default();
                capacity_of(server, templates, &shared, now)
            })
            .collect())
    }

    /// The templates that agents saw, by server.
    pub async fn templates_seen(&self, conn: Conn<'_>) -> Result<HashMap<ServerId, Vec<TemplateSeen>>> {
        store::templates_all(conn).await
    }

    /// Holds capacity for a pod, if the server is open, connected and has room for it. `false`: it no longer fits there.
    /// Repeatable: what the pod holds there already is `true`; what it holds elsewhere is a conflict.
    #[expect(clippy::too_many_arguments, reason = "who, where and how much; a struct would only rename them")]
    pub async fn reservation_hold(
        &self,
        tx: &mut Tx,
        pod: CloudPodId,
        server: ServerId,
        storage: &str,
        vcpu: u32,
        memory_mib: u64,
        disk_gib: u64,
    ) -> Result<bool> {
        let hold = Hold { pod, server, storage, vcpu, memory_mib, disk_gib };
        if let Some(held) = store::reservation_of(tx.conn(), pod).await? {
            return if held.server_id == server && held.storage == storage {
                Ok(true)
            } else {
                Err(Error::conflict(
                    "reservation_elsewhere",
                    format!("CloudPod {pod} holds capacity of another server already; release that first"),
                ))
            };
        }
        if !store::totals_hold(tx, &hold).await? {
            return Ok(false);
        }
        if !store::storage_hold(tx, &hold).await? {
            store::totals_release(tx, server, i64::from(vcpu), crate::domain::check::stored(memory_mib)).await?;
            return Ok(false);
        }
        store::reservation_insert(tx, &hold, self.clock.now()).await?;
        Ok(true)
    }

    /// Gives back what a pod holds of a server. Repeatable.
    pub async fn reservation_release(&self, tx: &mut Tx, pod: CloudPodId) -> Result<()> {
        let Some(held) = store::reservation_delete(tx, pod).await? else { return Ok(()) };
        store::totals_release(tx, held.server_id, held.vcpu, held.memory_mib).await?;
        store::storage_release(tx, held.server_id, &held.storage, held.disk_gib).await
    }

    /// Takes a VMID for a pod's VM: above all that are known in the server's space, then in the gaps. Repeatable: a pod that
    /// has one on this server keeps it. [`Error::NoCapacity`] when the server's range is used up.
    pub async fn vmid_take(&self, tx: &mut Tx, server: ServerId, pod: CloudPodId) -> Result<u32> {
        let record = super::store::server_get(tx.conn(), server).await?;
        for _ in 0..VMID_ROUNDS {
            if let Some(own) = store::vmid_of(tx.conn(), pod).await? {
                return if own.server_id == server {
                    crate::domain::check::loaded(own.vmid, "vmid")
                } else {
                    Err(Error::conflict(
                        "vmid_elsewhere",
                        format!("CloudPod {pod} has VMID {} on another server; release that first", own.vmid),
                    ))
                };
            }
            let Some(vmid) = store::vmid_free(tx.conn(), &record).await? else {
                return Err(Error::NoCapacity(vec![crate::error::FieldError {
                    message: vmids_used_up(&record.name, record.vmid_min, record.vmid_max),
                    field: record.name,
                }]));
            };
            if store::vmid_insert(tx, &record, vmid, pod, self.clock.now()).await? {
                return crate::domain::check::loaded(vmid, "vmid");
            }
        }
        Err(Error::unavailable("too many VMIDs are being taken at once"))
    }

    /// Notes that somebody else's VM has the VMID that a pod took: the pod loses it, and nobody is given it again while that
    /// VM is there. Repeatable.
    pub async fn vmid_mark_foreign(&self, tx: &mut Tx, server: ServerId, vmid: u32, pod: CloudPodId) -> Result<()> {
        store::vmid_mark_foreign(tx, server, vmid, pod).await
    }

    /// Frees a pod's VMID. Only once its VM is known to be absent. Repeatable.
    pub async fn vmid_release(&self, tx: &mut Tx, pod: CloudPodId) -> Result<()> {
        store::vmid_release(tx, pod).await
    }
}

fn capacity_of(
    server: Server,
    templates: Vec<TemplateSeen>,
    shared: &BTreeMap<(String, String), u64>,
    now: Ms,
) -> ServerCapacity {
    let (known, vcpu_capacity, memory_mib) = (server.is_known(), server.vcpu_capacity(), server.memory_capacity_mib());
    let storages = server.storages.iter().map(|s| storage_capacity(&server.vmid_space, s, shared)).collect();
    ServerCapacity {
        id: server.id,
        name: server.name,
        region: server.region,
        labels: server.labels,
        scheduling: server.scheduling.state,
        connection: server.connection.state,
        known,
        cpu_threads: server.limits.cpu_threads.or(server.seen.cpu_threads).unwrap_or(0),
        cpu_overcommit: server.limits.cpu_overcommit,
        vcpu_capacity,
        memory_mib,
        reserved_vcpu: server.reserved.vcpu,
        reserved_memory_mib: server.reserved.memory_mib,
        reserved_pods: server.reserved.pods,
        pod_limit: server.limits.pod_limit,
        bridge: server.bridge,
        bridges: server.seen.bridges,
        storages,
        vmid_min: server.vmid_min,
        vmid_max: server.vmid_max,
        vmid_space: server.vmid_space,
        templates,
        problem: server.problem,
        refuses: server.seen.refuses,
        proxmox_silent: server.seen.proxmox_silent_since.map(|since| now.since(since)),
    }
}

fn storage_capacity(space: &str, storage: &ServerStorage, shared: &BTreeMap<(String, String), u64>) -> StorageCapacity {
    let mut whole = storage.clone();
    if storage.shared {
        whole.reserved_gib =
            shared.get(&(space.to_owned(), storage.name.clone())).copied().unwrap_or(storage.reserved_gib);
    }
    StorageCapacity {
        capacity_gib: whole.capacity_gib(),
        reserved_gib: whole.reserved_gib,
        active: storage.active,
        shared: storage.shared,
        offered: storage.offered,
        name: whole.name,
    }
}

fn vmids_used_up(server: &str, min: u32, max: u32) -> String {
    format!("every VMID from {min} to {max} is in use; widen the range: `mpanel server edit {server} --vmid-range A-B`")
}

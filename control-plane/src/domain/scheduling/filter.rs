use std::fmt;
use std::time::Duration;

use super::Request;
use crate::domain::servers::capacity::PROXMOX_SILENCE_MAX;
use crate::domain::servers::{ConnectionState, SchedulingState, ServerCapacity, StorageCapacity};

/// How a server would take the pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fit<'a> {
    /// The storage for its disk.
    pub storage: &'a str,
    /// The image's template there.
    pub template_vmid: u32,
}

/// Why a server cannot take a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its agent is not connected.
    NotOnline(ConnectionState),
    /// Its agent is connected, and nothing that is ordered there would be done.
    Refuses(String),
    /// Proxmox has not answered its agent for so long that its figures do not count any more.
    ProxmoxSilent(Duration),
    /// Its operator wants nothing new on it.
    Scheduling(SchedulingState),
    /// Another server was asked for.
    OtherServer,
    /// Another region was asked for.
    Region {
        /// The server's.
        has: String,
        /// The request's.
        wants: String,
    },
    /// A label that was asked for is missing or has another value.
    Label {
        /// The label.
        key: String,
        /// The value that was asked for.
        wants: String,
        /// The server's value.
        has: Option<String>,
    },
    /// The image has no template there.
    NoTemplate,
    /// It is not known to see this storage, on which the backup lies.
    BackupUnseen(String),
    /// The agent has not told its figures and its VMs yet.
    Unknown,
    /// Too little memory is free.
    Memory {
        /// What the pod needs, in MiB.
        needs_mib: u64,
        /// What is free, in MiB.
        free_mib: u64,
    },
    /// Too little CPU is free.
    Cpu {
        /// What the pod needs, in virtual CPUs.
        needs: u64,
        /// What is free, overcommit included.
        free: u64,
    },
    /// No storage is offered for pods.
    NoStorage,
    /// The storage that was asked for does not exist there.
    StorageMissing(String),
    /// It exists, and is not offered for pods.
    StorageNotOffered(String),
    /// The storages that would do are not active.
    StorageInactive(String),
    /// Too little disk is free on every storage that would do.
    Disk {
        /// What the pod needs, in GiB.
        needs_gib: u64,
        /// What is free on the storage with the most, in GiB.
        free_gib: u64,
        /// That storage.
        storage: String,
    },
    /// The tenant has a pod there, and asked for none of its pods to share a server.
    AntiAffinity(u32),
    /// Its template has a larger disk than what is wanted.
    TemplateDisk {
        /// The template's disk in GiB.
        has_gib: u64,
        /// The wanted one in GiB.
        wanted_gib: u64,
    },
    /// A pod of the tenant is there that asked for none of its pods to share its server.
    KeptApart,
    /// It holds as many pods as its operator allows.
    PodLimit(u32),
    /// Its range of VMIDs is used up.
    VmidsExhausted,
    /// It fitted a moment ago, and another request was faster.
    Lost,
    /// It was tried before, and did not work.
    Avoided,
    /// It is in another Proxmox cluster, and a move within the cluster is wanted.
    OtherCluster,
    /// It is in another Proxmox cluster, and nothing says how VMs get to it, the server of this name.
    NoEndpoint(String),
    /// It is in another Proxmox cluster, where Proxmox moves no VM that has snapshots.
    Snapshots,
    /// The pod was asked for on the server of this name, and nobody has taken that back.
    Pinned {
        /// The pod's name.
        pod: String,
        /// The server's name.
        server: String,
    },
    /// It lacks a bridge that the pod's network cards are on.
    Bridge(String),
    /// The pod's network cards are on several bridges, which a move to another cluster cannot tell apart.
    Bridges,
}

impl Reason {
    /// The code of [`Reason::NotOnline`].
    pub const NOT_ONLINE: &'static str = "not_online";
    /// The codes of the reasons that end by themselves: who has begun already waits for that.
    pub const PASSING: [&'static str; 3] = [Self::NOT_ONLINE, "refuses", "proxmox_silent"];

    /// Stable, for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotOnline(_) => Self::NOT_ONLINE,
            Self::Refuses(_) => "refuses",
            Self::ProxmoxSilent(_) => "proxmox_silent",
            Self::Scheduling(_) => "scheduling",
            Self::OtherServer => "other_server",
            Self::Region { .. } => "region",
            Self::Label { .. } => "label",
            Self::NoTemplate => "no_template",
            Self::BackupUnseen(_) => "backup_unseen",
            Self::Unknown => "unknown",
            Self::Memory { .. } => "memory",
            Self::Cpu { .. } => "cpu",
            Self::NoStorage => "no_storage",
            Self::StorageMissing(_) => "storage_missing",
            Self::StorageNotOffered(_) => "storage_not_offered",
            Self::StorageInactive(_) => "storage_inactive",
            Self::Disk { .. } => "disk",
            Self::TemplateDisk { .. } => "template_disk",
            Self::AntiAffinity(_) | Self::KeptApart => "anti_affinity",
            Self::PodLimit(_) => "pod_limit",
            Self::VmidsExhausted => "vmids_exhausted",
            Self::Lost => "lost",
            Self::Avoided => "avoided",
            Self::OtherCluster => "other_cluster",
            Self::NoEndpoint(_) => "no_endpoint",
            Self::Snapshots => "snapshots",
            Self::Pinned { .. } => "pinned",
            Self::Bridge(_) => "bridge",
            Self::Bridges => "bridges",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOnline(ConnectionState::Pending) => f.write_str("its agent has never connected"),
            Self::NotOnline(_) => f.write_str("its agent is offline"),
            Self::Refuses(why) => f.write_str(why),
            Self::ProxmoxSilent(silent) => write!(
                f,
                "Proxmox has not answered its agent for {} s; what was known of it counts for {} s only",
                silent.as_secs(),
                PROXMOX_SILENCE_MAX.as_secs()
            ),
            Self::Scheduling(SchedulingState::Draining) => f.write_str("it is being drained"),
            Self::Scheduling(_) => f.write_str("it is locked"),
            Self::OtherServer => f.write_str("another server was asked for"),
            Self::Region { has, wants } => write!(f, "it is in region `{has}`, `{wants}` was asked for"),
            Self::Label { key, wants, has: Some(has) } => {
                write!(f, "label `{key}` is `{has}`, `{wants}` was asked for")
            }
            Self::Label { key, wants, has: None } => write!(f, "it lacks the label `{key}={wants}`"),
            Self::NoTemplate => f.write_str("it has no template for the image"),
            Self::BackupUnseen(storage) => {
                write!(f, "it is not known to see the backup's storage `{storage}`; if it does: `mpanel server edit SERVER --backup-storage {storage}`")
            }
            Self::Unknown => f.write_str("its agent has not told yet how large it is and what runs on it"),
            Self::Memory { needs_mib, free_mib } => write!(f, "memory: {needs_mib} MiB needed, {free_mib} MiB free"),
            Self::Cpu { needs, free } => write!(f, "CPU: {needs} needed, {free} free"),
            Self::NoStorage => f.write_str("it offers no storage for pods"),
            Self::StorageMissing(name) => write!(f, "it has no storage `{name}`"),
            Self::StorageNotOffered(name) => write!(f, "its storage `{name}` is not offered for pods"),
            Self::StorageInactive(name) => write!(f, "its storage `{name}` is not active"),
            Self::Disk { needs_gib, free_gib, storage } => {
                write!(f, "disk: {needs_gib} GiB needed, {free_gib} GiB free on storage `{storage}`")
            }
            Self::AntiAffinity(pods) => write!(f, "{pods} pods of the same tenant are on it"),
            Self::TemplateDisk { has_gib, wanted_gib } => {
                write!(f, "its template of the image has a disk of {has_gib} GiB, and {wanted_gib} GiB are wanted: take a larger plan")
            }
            Self::KeptApart => f.write_str("a pod of the same tenant is on it that wants no other beside it"),
            Self::PodLimit(limit) => write!(f, "it holds as many pods as it may: {limit}"),
            Self::VmidsExhausted => f.write_str("its range of VMIDs is used up"),
            Self::Lost => f.write_str("another request took its room a moment ago"),
            Self::Avoided => f.write_str("a move to it has failed before"),
            Self::OtherCluster => {
                f.write_str("it is in another Proxmox cluster, and a live or offline move within the cluster was asked for")
            }
            Self::NoEndpoint(name) => write!(
                f,
                "it is in another Proxmox cluster and has no migration endpoint: `mpanel server endpoint {name} --host …` sets one"
            ),
            Self::Snapshots => f.write_str(
                "it is in another Proxmox cluster, where Proxmox moves no VM with snapshots: delete them (`mpanel snapshot list`)",
            ),
            Self::Pinned { pod, server } => {
                write!(f, "the pod is pinned to server {server}: `mpanel pod edit {pod} --any-server` lets it go")
            }
            Self::Bridge(name) => write!(f, "it has no bridge `{name}`, which the pod's network cards are on"),
            Self::Bridges => f.write_str("it is in another Proxmox cluster, and the pod's network cards are on several bridges"),
        }
    }
}

/// Whether `server` can take the pod: how, or every reason why not.
pub fn filter<'a>(request: &Request, server: &'a ServerCapacity) -> Result<Fit<'a>, Vec<Reason>> {
    let mut reasons = Vec::new();
    refuse_by_state(request, server, &mut reasons);
    refuse_by_wish(request, server, &mut reasons);
    refuse_by_size(request, server, &mut reasons);
    let storage = storage_for(request, server);
    let template = request.templates.get(&server.id).copied();
    match (storage, template) {
        (Ok(storage), Some(template_vmid)) if reasons.is_empty() => Ok(Fit { storage: &storage.name, template_vmid }),
        (storage, template) => {
            if template.is_none() {
                reasons.push(request.template_else.clone().unwrap_or(Reason::NoTemplate));
            }
            reasons.extend(storage.err());
            Err(reasons)
        }
    }
}

/// Why nothing that is ordered on a server would be done at present; it ends by itself.
#[must_use]
pub fn unreachable(server: &ServerCapacity) -> Option<Reason> {
    if server.connection != ConnectionState::Online {
        Some(Reason::NotOnline(server.connection))
    } else if !server.refuses.is_empty() {
        Some(Reason::Refuses(server.refuses.clone()))
    } else {
        server.proxmox_silent.filter(|_| server.is_stale()).map(Reason::ProxmoxSilent)
    }
}

fn refuse_by_state(request: &Request, server: &ServerCapacity, reasons: &mut Vec<Reason>) {
    reasons.extend(unreachable(server));
    if server.scheduling != SchedulingState::Online {
        reasons.push(Reason::Scheduling(server.scheduling));
    }
    if let Some(limit) = server.pod_limit.filter(|limit| server.reserved_pods >= u64::from(*limit)) {
        reasons.push(Reason::PodLimit(limit));
    }
    let vmids = u64::from(server.vmid_max.saturating_sub(server.vmid_min)) + 1;
    if server.reserved_pods >= vmids {
        reasons.push(Reason::VmidsExhausted);
    }
    reasons.extend(request.barred.get(&server.id).cloned());
    if request.lost.contains(&server.id) {
        reasons.push(Reason::Lost);
    }
}

fn refuse_by_wish(request: &Request, server: &ServerCapacity, reasons: &mut Vec<Reason>) {
    if request.server.is_some_and(|wanted| wanted != server.id) {
        reasons.push(Reason::OtherServer);
    }
    if let Some(wants) = request.region.as_ref().filter(|wants| **wants != server.region) {
        reasons.push(Reason::Region { has: server.region.clone(), wants: wants.clone() });
    }
    for (key, wants) in &request.labels {
        let has = server.labels.get(key);
        if has != Some(wants) {
            reasons.push(Reason::Label { key: key.clone(), wants: wants.clone(), has: has.cloned() });
        }
    }
    if let Some(pods) = request.tenant_pods.get(&server.id).filter(|_| request.anti_affinity) {
        reasons.push(Reason::AntiAffinity(*pods));
    } else if request.kept_apart.contains(&server.id) {
        reasons.push(Reason::KeptApart);
    }
}

fn refuse_by_size(request: &Request, server: &ServerCapacity, reasons: &mut Vec<Reason>) {
    if !server.known {
        reasons.push(Reason::Unknown);
        return;
    }
    let memory_free = memory_mib_free(server);
    if request.memory_mib > memory_free {
        reasons.push(Reason::Memory { needs_mib: request.memory_mib, free_mib: memory_free });
    }
    let cpu_free = vcpu_free(server);
    if u64::from(request.vcpu) > cpu_free {
        reasons.push(Reason::Cpu { needs: u64::from(request.vcpu), free: cpu_free });
    }
}

/// The storage with the least to spare that still has room, so that large disks find room later; by name among equals.
fn storage_for<'a>(request: &Request, server: &'a ServerCapacity) -> Result<&'a StorageCapacity, Reason> {
    let wanted = |s: &&StorageCapacity| request.storage.as_ref().is_none_or(|name| *name == s.name);
    let named: Vec<_> = server.storages.iter().filter(wanted).collect();
    let asked = request.storage.clone().unwrap_or_default();
    if named.is_empty() {
        return Err(if asked.is_empty() { Reason::NoStorage } else { Reason::StorageMissing(asked) });
    }
    let offered: Vec<_> = named.into_iter().filter(|s| s.offered).collect();
    let Some(first) = offered.first() else {
        return Err(if asked.is_empty() { Reason::NoStorage } else { Reason::StorageNotOffered(asked) });
    };
    let active: Vec<_> = offered.iter().filter(|s| s.active).collect();
    let Some(roomiest) = active.iter().max_by_key(|s| gib_free(s)) else {
        return Err(Reason::StorageInactive(first.name.clone()));
    };
    active.iter().filter(|s| gib_free(s) >= request.disk_gib).min_by_key(|s| (gib_free(s), &s.name)).map_or_else(
        || {
            Err(Reason::Disk {
                needs_gib: request.disk_gib,
                free_gib: gib_free(roomiest),
                storage: roomiest.name.clone(),
            })
        },
        |storage| Ok(**storage),
    )
}

pub(super) fn vcpu_free(server: &ServerCapacity) -> u64 {
    server.vcpu_capacity.saturating_sub(server.reserved_vcpu)
}

pub(super) fn memory_mib_free(server: &ServerCapacity) -> u64 {
    server.memory_mib.saturating_sub(server.reserved_memory_mib)
}

fn gib_free(storage: &StorageCapacity) -> u64 {
    storage.capacity_gib.saturating_sub(storage.reserved_gib)
}

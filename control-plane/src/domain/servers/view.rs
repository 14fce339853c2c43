//! A server as the API shows it.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::identity::Certificate;
use super::{
    Connection, ConnectionState, Heartbeat, Limits, Reserved, Scheduling, SchedulingState, Seen, Server, ServerStorage,
};
use crate::clock::Ms;
use crate::ids::ServerId;

/// A registered Proxmox VE host.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Server)]
pub struct ServerView {
    id: ServerId,
    name: String,
    region: String,
    labels: BTreeMap<String, String>,
    /// The bridge that pods are attached to.
    bridge: String,
    vmid_min: u32,
    vmid_max: u32,
    /// The space that VMIDs are unique in: the Proxmox cluster's name or, outside a cluster, the server's id.
    vmid_space: String,
    /// The storage that backups of its pods go to when a request names none; null: each has to name one.
    backup_storage: Option<String>,
    /// The operator's limit; null: as the agent reports.
    cpu_threads: Option<u32>,
    /// Virtual CPUs per thread.
    cpu_overcommit: f64,
    /// The operator's limit; null: as the agent reports.
    memory_mib: Option<u64>,
    /// Null: no limit.
    pod_limit: Option<u32>,
    capacity: CapacityView,
    reserved: Reserved,
    storages: Vec<StorageView>,
    /// What the operator wants of it.
    scheduling: SchedulingView,
    /// Whether its agent is there.
    connection: ConnectionView,
    /// What its agent told.
    host: HostView,
    /// As of the last heartbeat that this process heard; null: none.
    load: Option<LoadView>,
    /// What is wrong with it; null: nothing known.
    problem: Option<String>,
    /// When it was declared lost; null: it was not, or is back and its old VMs are fenced.
    lost_at: Option<Ms>,
    /// How often it was declared lost.
    generation: u64,
    /// Its agent's certificate; null: it never enrolled, or all of them were revoked.
    certificate: Option<Certificate>,
    /// Jobs that wait for its agent: `/api/platform/provisioning/jobs?waits_for=` with its id lists them.
    waiting_jobs: i64,
    /// As in the header `ETag`.
    version: i64,
    created_at: Ms,
    updated_at: Ms,
}

/// What may be reserved in all.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct CapacityView {
    vcpu: u64,
    memory_mib: u64,
}

/// One storage of a server.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct StorageView {
    name: String,
    /// Whether pods may be placed on it.
    offered: bool,
    /// The operator's limit; null: as the agent reports.
    disk_gib: Option<u64>,
    /// Null: not seen yet.
    seen_total_gib: Option<u64>,
    /// Null: not seen yet.
    seen_used_gib: Option<u64>,
    /// What may be reserved in all.
    capacity_gib: u64,
    reserved_gib: u64,
    active: bool,
    /// The same on all nodes of the cluster.
    shared: bool,
    /// Proxmox's type, such as `lvmthin`.
    kind: String,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct SchedulingView {
    state: SchedulingState,
    reason: String,
    since: Ms,
    /// When a drain is to be over.
    deadline: Option<Ms>,
}

/// Whether a server's agent is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum ConnectionShown {
    /// No agent ever came.
    Pending,
    /// Its agent holds a session.
    Online,
    /// Its agent holds a session, and has not been heard for two heartbeats; after three it is offline.
    Suspect,
    /// Its agent is not heard. Its VMs may well run.
    Offline,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ConnectionView {
    state: ConnectionShown,
    since: Ms,
    last_seen_at: Option<Ms>,
    /// How many sessions its agent has had.
    session_epoch: u64,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct HostView {
    agent_version: Option<String>,
    boot_id: Option<String>,
    machine_id: Option<String>,
    pve_version: Option<String>,
    node_name: Option<String>,
    /// Null: not known; empty: in no cluster.
    cluster_name: Option<String>,
    cpu_threads: Option<u32>,
    memory_mib: Option<u64>,
    bridges: Vec<String>,
    /// Whether the firewall of its datacenter is on, without which no CloudPod's firewall filters anything; null: not known.
    datacenter_firewall: Option<bool>,
    inventory_at: Option<Ms>,
    /// Since when its agent is heard without an answer of Proxmox; null: Proxmox answers. What was known before counts for two
    /// minutes, then nothing new is placed on it.
    proxmox_silent_since: Option<Ms>,
    /// The storages that may hold backups; null: not told.
    backup_storages: Option<Vec<String>>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct LoadView {
    at: Ms,
    /// 0 to 1, of all threads.
    cpu_load: f64,
    memory_used_mib: u64,
    uptime_s: u64,
}

impl ServerView {
    /// Of a server and the newest heartbeat, if this process has heard one.
    pub(super) fn new(server: Server, newest: Option<(Heartbeat, Ms)>, suspect: bool) -> Self {
        let capacity = CapacityView { vcpu: server.vcpu_capacity(), memory_mib: server.memory_capacity_mib() };
        let Server {
            id,
            name,
            region,
            labels,
            bridge,
            vmid_min,
            vmid_max,
            vmid_space,
            backup_storage,
            limits: Limits { cpu_threads, cpu_overcommit, memory_mib, pod_limit },
            reserved,
            scheduling: Scheduling { state, reason, since, deadline },
            connection,
            seen,
            storages,
            problem,
            lost_at,
            generation,
            version,
            created_at,
            updated_at,
        } = server;
        let (connection, host) = seen_views(connection, seen, suspect);
        Self {
            id,
            name,
            region,
            labels,
            bridge,
            vmid_min,
            vmid_max,
            vmid_space,
            backup_storage,
            cpu_threads,
            cpu_overcommit,
            memory_mib,
            pod_limit,
            capacity,
            reserved,
            storages: storages.into_iter().map(StorageView::from).collect(),
            scheduling: SchedulingView { state, reason, since, deadline },
            connection,
            host,
            load: newest.map(|(heartbeat, at)| LoadView {
                at,
                cpu_load: heartbeat.cpu_load,
                memory_used_mib: heartbeat.memory_used_mib,
                uptime_s: heartbeat.uptime_s,
            }),
            problem: Some(problem).filter(|text| !text.is_empty()),
            lost_at,
            generation,
            certificate: None,
            waiting_jobs: 0,
            version,
            created_at,
            updated_at,
        }
    }
}

impl ServerView {
    /// With what else is known of it: the number of jobs that wait for its agent, and that one's certificate.
    pub(super) fn beside(
        self,
        waiting: &HashMap<ServerId, i64>,
        certificates: &HashMap<ServerId, Certificate>,
    ) -> Self {
        let waiting_jobs = waiting.get(&self.id).copied().unwrap_or(0);
        Self { waiting_jobs, certificate: certificates.get(&self.id).cloned(), ..self }
    }
}

fn seen_views(connection: Connection, seen: Seen, suspect: bool) -> (ConnectionView, HostView) {
    let Connection { state, since } = connection;
    let state = match state {
        ConnectionState::Pending => ConnectionShown::Pending,
        ConnectionState::Online if suspect => ConnectionShown::Suspect,
        ConnectionState::Online => ConnectionShown::Online,
        ConnectionState::Offline => ConnectionShown::Offline,
    };
    let Seen {
        last_seen_at,
        session_epoch,
        agent_version,
        boot_id,
        machine_id,
        pve_version,
        node_name,
        cluster_name,
        cpu_threads,
        memory_mib,
        bridges,
        datacenter_firewall,
        inventory_at,
        // Shown as its `problem`.
        refuses: _,
        proxmox_silent_since,
        backup_storages,
    } = seen;
    (
        ConnectionView { state, since, last_seen_at, session_epoch },
        HostView {
            agent_version,
            boot_id,
            machine_id,
            pve_version,
            node_name,
            cluster_name,
            cpu_threads,
            memory_mib,
            bridges,
            datacenter_firewall,
            inventory_at,
            proxmox_silent_since,
            backup_storages,
        },
    )
}

impl From<ServerStorage> for StorageView {
    fn from(storage: ServerStorage) -> Self {
        let capacity_gib = storage.capacity_gib();
        let ServerStorage {
            name,
            offered,
            disk_gib,
            seen_total_gib,
            seen_used_gib,
            active,
            shared,
            kind,
            reserved_gib,
        } = storage;
        Self {
            name,
            offered,
            disk_gib,
            seen_total_gib,
            seen_used_gib,
            capacity_gib,
            reserved_gib,
            active,
            shared,
            kind,
        }
    }
}

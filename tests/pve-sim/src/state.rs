//! The state of the simulated cluster: nodes, their VMs, storages and tasks, users and pools.
//!
//! Everything here is written to the state directory and survives a kill.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::access::Access;
use crate::clock;

/// Finished tasks that are remembered.
const TASKS_MAX: usize = 1_000;
/// Created VMs that are remembered.
const HISTORY_MAX: usize = 20_000;
/// What an idle guest receives and sends.
const IN_BYTES_PER_MS: u64 = 12;
const OUT_BYTES_PER_MS: u64 = 5;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Cluster {
    pub(crate) nodes: BTreeMap<String, Node>,
    /// Storages that every node sees, or those nodes that each names.
    #[serde(default)]
    pub(crate) shared: BTreeMap<String, Storage>,
    /// The datacenter's firewall: VMs' firewalls filter only where it is on.
    #[serde(default)]
    pub(crate) firewall: Firewall,
    pub(crate) access: Access,
    pub(crate) pools: BTreeMap<String, Pool>,
    pub(crate) history: VecDeque<CreatedVm>,
    pub(crate) next_pid: u32,
    /// Unix milliseconds at which the host "booted".
    pub(crate) boot_ms: i64,
    /// Signs tickets and CSRF tokens.
    pub(crate) ticket_key: String,
}

/// One creation of a VM, kept even after the VM is gone: a doubled VM shows here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedVm {
    /// Its VMID.
    pub vmid: u32,
    /// The node it was made on.
    pub node: String,
    /// Its name when it was made.
    pub name: String,
    /// `clone`, `create`, `hand` or `template`.
    pub how: String,
    /// Unix milliseconds.
    pub at_ms: i64,
    /// The task that made it, if one did.
    pub upid: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Node {
    pub(crate) vms: BTreeMap<u32, Vm>,
    pub(crate) storages: BTreeMap<String, Storage>,
    pub(crate) bridges: Vec<String>,
    pub(crate) tasks: VecDeque<Task>,
    pub(crate) cpus: u32,
    pub(crate) memory_bytes: u64,
    /// Nobody reaches it: 595 through the others, and no connection to itself.
    #[serde(default)]
    pub(crate) unreachable: bool,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Pool {
    pub(crate) comment: Option<String>,
    pub(crate) vms: Vec<u32>,
    pub(crate) storages: Vec<String>,
}

pub(crate) type VmConfig = BTreeMap<String, String>;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Vm {
    pub(crate) config: VmConfig,
    /// Changes that wait for the next start; `None` deletes the key.
    pub(crate) pending: BTreeMap<String, Option<String>>,
    pub(crate) snapshots: BTreeMap<String, Snapshot>,
    pub(crate) run: Option<Run>,
    pub(crate) guest: Guest,
    /// What `/cluster/resources` still shows, and since when it is wrong.
    pub(crate) stale: Option<Stale>,
    #[serde(default)]
    pub(crate) firewall: Firewall,
}

/// One entry of a firewall's list: its properties by name.
pub(crate) type Entry = BTreeMap<String, String>;

/// A VM's firewall file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Firewall {
    pub(crate) options: Entry,
    /// In order: the first match decides.
    pub(crate) rules: Vec<Entry>,
    pub(crate) ipsets: BTreeMap<String, IpSet>,
    pub(crate) aliases: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IpSet {
    pub(crate) comment: Option<String>,
    pub(crate) entries: Vec<Entry>,
}

/// A running guest process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) pid: u32,
    /// Since when this process runs: its counters began at 0 then.
    pub(crate) started_ms: i64,
    /// Since when the guest inside runs: a live migration changes the process alone.
    #[serde(default)]
    pub(crate) booted_ms: i64,
    pub(crate) paused: bool,
    /// Bytes received and sent, as set by hand; they grow with time otherwise.
    #[serde(default)]
    pub(crate) traffic: Option<(u64, u64)>,
}

/// What the guest inside does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Guest {
    /// Whether the guest agent ever answers.
    pub(crate) agent: bool,
    pub(crate) ignores_shutdown: bool,
    /// Commands run through the agent: pid → standard output.
    pub(crate) commands: BTreeMap<u32, String>,
    /// Passwords set through the agent: user → password.
    #[serde(default)]
    pub(crate) passwords: BTreeMap<String, String>,
}

impl Default for Guest {
    fn default() -> Self {
        Self { agent: true, ignores_shutdown: false, commands: BTreeMap::new(), passwords: BTreeMap::new() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stale {
    /// `None` while the VM is too new to be known.
    pub(crate) status: Option<String>,
    pub(crate) since_ms: i64,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    pub(crate) config: VmConfig,
    pub(crate) description: String,
    pub(crate) time: i64,
    pub(crate) vmstate: bool,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Storage {
    pub(crate) kind: String,
    pub(crate) path: String,
    pub(crate) content: Vec<String>,
    pub(crate) total: u64,
    /// Bytes used by what is not a volume known here.
    pub(crate) base_used: u64,
    pub(crate) volumes: BTreeMap<String, Volume>,
    #[serde(default)]
    pub(crate) shared: bool,
    /// The nodes that a shared storage is for; all when there are none.
    #[serde(default)]
    pub(crate) nodes: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Volume {
    pub(crate) size: u64,
    pub(crate) used: u64,
    pub(crate) format: String,
    pub(crate) content: String,
    pub(crate) vmid: Option<u32>,
    /// Volume name of the base image of a linked clone.
    pub(crate) parent: Option<String>,
    pub(crate) ctime: i64,
    #[serde(default)]
    pub(crate) notes: Option<String>,
    #[serde(default)]
    pub(crate) protected: bool,
    /// What is inside a backup.
    #[serde(default)]
    pub(crate) archive: Option<Archive>,
}

/// A VM as a backup holds it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Archive {
    pub(crate) config: VmConfig,
    pub(crate) disks: Vec<ArchivedDisk>,
    pub(crate) firewall: Firewall,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ArchivedDisk {
    /// Its slot, such as `scsi0`.
    pub(crate) key: String,
    /// The storage that it was on.
    pub(crate) storage: String,
    pub(crate) size: u64,
    pub(crate) used: u64,
    pub(crate) format: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) upid: String,
    pub(crate) node: String,
    pub(crate) pid: u32,
    pub(crate) pstart: u64,
    pub(crate) start: i64,
    pub(crate) kind: String,
    pub(crate) id: String,
    /// `user@realm` or `user@realm!token`.
    pub(crate) user: String,
    pub(crate) end: Option<i64>,
    pub(crate) exit: Option<String>,
    pub(crate) log: Vec<String>,
}

impl Cluster {
    pub(crate) fn vm(&self, vmid: u32) -> Option<&Vm> {
        self.nodes.values().find_map(|node| node.vms.get(&vmid))
    }

    /// The address that a node has in the cluster's own network.
    pub(crate) fn node_ip(&self, node: &str) -> String {
        let at = self.nodes.keys().position(|name| name == node).unwrap_or(self.nodes.len());
        format!("192.168.77.{}", at + 2)
    }

    pub(crate) fn is_reachable(&self, node: &str) -> bool {
        self.nodes.get(node).is_some_and(|node| !node.unreachable)
    }

    /// Whether more than half of the nodes see each other.
    pub(crate) fn is_quorate(&self) -> bool {
        self.nodes.values().filter(|node| !node.unreachable).count() * 2 > self.nodes.len()
    }

    /// A storage as a node sees it.
    pub(crate) fn storage(&self, node: &str, name: &str) -> Option<&Storage> {
        let local = self.nodes.get(node)?.storages.get(name);
        local.or_else(|| self.shared.get(name).filter(|storage| storage.is_for(node)))
    }

    pub(crate) fn storage_mut(&mut self, node: &str, name: &str) -> Option<&mut Storage> {
        let local = self.nodes.get_mut(node)?.storages.get_mut(name);
        local.or_else(|| self.shared.get_mut(name).filter(|storage| storage.is_for(node)))
    }

    /// All storages that a node sees.
    pub(crate) fn storages(&self, node: &str) -> impl Iterator<Item = (&String, &Storage)> {
        let node_name = node.to_owned();
        let local = self.nodes.get(node).into_iter().flat_map(|node| &node.storages);
        local.chain(self.shared.iter().filter(move |(_, storage)| storage.is_for(&node_name)))
    }

    pub(crate) fn vm_mut(&mut self, vmid: u32) -> Option<&mut Vm> {
        self.nodes.values_mut().find_map(|node| node.vms.get_mut(&vmid))
    }

    pub(crate) fn vm_exists(&self, vmid: u32) -> bool {
        self.vm(vmid).is_some()
    }

    pub(crate) fn node_of(&self, vmid: u32) -> Option<&str> {
        self.nodes.iter().find(|(_, node)| node.vms.contains_key(&vmid)).map(|(name, _)| name.as_str())
    }

    /// Puts a VM on a node and remembers that it was made.
    pub(crate) fn insert_vm(&mut self, node: &str, vmid: u32, vm: Vm, how: &str, upid: Option<&str>) {
        let name = vm.name(vmid);
        let made = CreatedVm {
            vmid,
            node: node.to_owned(),
            name,
            how: how.to_owned(),
            at_ms: clock::now_ms(),
            upid: upid.map(str::to_owned),
        };
        if self.history.len() >= HISTORY_MAX {
            self.history.pop_front();
        }
        self.history.push_back(made);
        if let Some(node) = self.nodes.get_mut(node) {
            let stale = Some(Stale { status: None, since_ms: clock::now_ms() });
            node.vms.insert(vmid, Vm { stale, ..vm });
        }
    }

    /// Takes a VM away, and out of its pools.
    pub(crate) fn remove_vm(&mut self, vmid: u32) {
        for node in self.nodes.values_mut() {
            node.vms.remove(&vmid);
        }
        for pool in self.pools.values_mut() {
            pool.vms.retain(|member| *member != vmid);
        }
    }

    pub(crate) fn take_pid(&mut self) -> u32 {
        self.next_pid = if self.next_pid >= 4_000_000 { 700 } else { self.next_pid + 1 };
        self.next_pid
    }

    /// Seconds since "boot".
    pub(crate) fn uptime(&self) -> i64 {
        ((clock::now_ms() - self.boot_ms) / 1000).max(0)
    }

    pub(crate) fn task_mut(&mut self, upid: &str) -> Option<&mut Task> {
        self.nodes.values_mut().find_map(|node| node.tasks.iter_mut().rev().find(|task| task.upid == upid))
    }

    pub(crate) fn task(&self, upid: &str) -> Option<&Task> {
        self.nodes.values().find_map(|node| node.tasks.iter().rev().find(|task| task.upid == upid))
    }

    /// After a restart no worker is left: what was running ended without a status. Locks stay as they are.
    pub(crate) fn end_orphans(&mut self) {
        let now = clock::now_s();
        for task in self.nodes.values_mut().flat_map(|node| node.tasks.iter_mut()).filter(|task| task.end.is_none()) {
            task.end = Some(now);
            task.exit = Some("unexpected status".to_owned());
        }
    }
}

impl Node {
    pub(crate) fn push_task(&mut self, task: Task) {
        if self.tasks.len() >= TASKS_MAX
            && let Some(at) = self.tasks.iter().position(|task| task.end.is_some())
        {
            self.tasks.remove(at);
        }
        self.tasks.push_back(task);
    }
}

impl Vm {
    pub(crate) fn name(&self, vmid: u32) -> String {
        self.config.get("name").cloned().unwrap_or_else(|| format!("VM {vmid}"))
    }

    pub(crate) fn lock(&self) -> Option<&str> {
        self.config.get("lock").map(String::as_str)
    }

    /// `VM is locked (clone)` when a lock is left in the configuration.
    pub(crate) fn check_lock(&self) -> Result<(), String> {
        self.lock().map_or(Ok(()), |lock| Err(format!("VM is locked ({lock})")))
    }

    pub(crate) fn is_template(&self) -> bool {
        self.config.get("template").is_some_and(|value| value == "1")
    }

    pub(crate) fn status(&self) -> &'static str {
        if self.run.is_some() { "running" } else { "stopped" }
    }

    /// Changes the power state and remembers what the lagging view still shows.
    pub(crate) fn set_run(&mut self, run: Option<Run>) {
        if self.run.is_some() != run.is_some() {
            let status = match &self.stale {
                Some(Stale { status: None, .. }) => None,
                _ => Some(self.status().to_owned()),
            };
            self.stale = Some(Stale { status, since_ms: clock::now_ms() });
        }
        self.run = run;
    }

    /// Moves what waited for a restart into the configuration.
    pub(crate) fn apply_pending(&mut self) {
        for (key, value) in std::mem::take(&mut self.pending) {
            match value {
                Some(value) => self.config.insert(key, value),
                None => self.config.remove(&key),
            };
        }
    }
}

impl Run {
    /// A process of a guest that boots now.
    pub(crate) fn new(pid: u32) -> Self {
        let now = clock::now_ms();
        Self { pid, started_ms: now, booted_ms: now, paused: false, traffic: None }
    }

    /// Bytes received and sent by each of the guest's networks since its process began.
    pub(crate) fn traffic(&self) -> (u64, u64) {
        let ms = u64::try_from(clock::now_ms() - self.started_ms).unwrap_or(0);
        self.traffic.unwrap_or((ms * IN_BYTES_PER_MS, ms * OUT_BYTES_PER_MS))
    }
}

impl Storage {
    fn is_for(&self, node: &str) -> bool {
        self.nodes.is_empty() || self.nodes.iter().any(|name| name == node)
    }

    pub(crate) fn used(&self) -> u64 {
        self.base_used.saturating_add(self.volumes.values().map(|volume| volume.used).sum())
    }

    pub(crate) fn avail(&self) -> u64 {
        self.total.saturating_sub(self.used())
    }
}

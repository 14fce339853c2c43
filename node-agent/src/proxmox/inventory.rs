//! What there is on the node: its VMs, storages, bridges, load, and its place in the cluster.

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use futures::stream::{self, StreamExt};
use serde::Deserialize;
use tokio::time::Instant;
use tracing::warn;

use super::error::{ErrorKind, PveError, Result};
use super::node::{Pve, power_of};
use super::specs::FirewallOptions;
use super::stamp::Stamp;
use super::types::{Card, Cluster, HostStatus, Storage, Vm};
use super::wire::{Flag, List, Num, Text, VmConfig, VmEntry, encode};

/// A VM's configuration is read again after this time, in case a person changed it, where no full inventory asks for that before.
/// Spread by VMID, so that not all fall due at once.
const STAMP_AGE_MAX: Duration = Duration::from_mins(10);
const STAMP_AGE_SPREAD_S: u32 = 240;
/// Configurations read at once, so that an inventory leaves room for commands.
const CONFIGS_AT_ONCE: usize = 4;

/// What was read so far of VMs' configurations, which alone have their stamps and cards: reading thousands each time would be too much.
///
/// A configuration is read when a VM is new or looks other than before, after an operation of ours, for a full inventory, and else
/// once in [`STAMP_AGE_MAX`] and a little; while it is locked, each time. The options of the firewall of a VM of ours are read with it
/// and at no other time. So a host with n VMs, m of them ours, costs n + m calls at most for an inventory, and none where nothing
/// has changed and none is due.
#[derive(Default)]
pub(super) struct StampCache {
    known: HashMap<u32, Known>,
    /// What was read before counts no more.
    since: Option<Instant>,
    /// When operations of ours last touched VMs, by VMID.
    changed: HashMap<u32, Instant>,
}

impl StampCache {
    /// Whether an operation of ours may have changed it since it was read.
    fn is_outdated(&self, vmid: u32, known: &Known) -> bool {
        self.changed.get(&vmid).is_some_and(|changed| known.read <= *changed)
    }
}

struct Known {
    seen: Seen,
    /// What would differ if the VMID were another VM by now.
    looks: Looks,
    read: Instant,
}

/// What only a VM's configuration tells.
#[derive(Clone, Default)]
struct Seen {
    stamp: Option<Stamp>,
    start_on_boot: bool,
    cards: Option<Vec<Card>>,
    firewall: Option<FirewallOptions>,
}

type Looks = (String, u64, bool, u64);

fn looks_of(entry: &VmEntry) -> Looks {
    (entry.name.clone().or_empty(), entry.maxdisk.whole(), entry.template.is_set(), entry.maxmem.whole())
}

/// An entry of `/cluster/status`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ClusterEntry {
    #[serde(rename = "type")]
    pub kind: Text,
    pub name: Text,
    pub local: Flag,
    pub online: Flag,
    pub quorate: Flag,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NodeStatus {
    cpu: Num,
    cpuinfo: CpuInfo,
    memory: Memory,
    uptime: Num,
    pveversion: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CpuInfo {
    cpus: Num,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Memory {
    total: Num,
    used: Num,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StorageEntry {
    storage: Text,
    #[serde(rename = "type")]
    kind: Text,
    content: Text,
    enabled: Flag,
    active: Flag,
    shared: Flag,
    total: Num,
    used: Num,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BridgeEntry {
    iface: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct VersionEntry {
    version: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ResourceEntry {
    vmid: Num,
    node: Text,
}

impl Pve {
    pub(super) async fn vms(&self) -> Result<Vec<Vm>> {
        // `full` adds whether a VM is paused.
        let path = self.path("/qemu?full=1").await?;
        let entries: List<VmEntry> = self.client.read(&path).await?;
        let vmids: Vec<u64> = entries.0.iter().map(|entry| entry.vmid.whole()).collect();
        {
            let mut cache = self.cache();
            cache.known.retain(|vmid, _| vmids.contains(&u64::from(*vmid)));
            cache.changed.retain(|vmid, _| vmids.contains(&u64::from(*vmid)));
        }
        let vms = stream::iter(entries.0).map(|entry| self.vm_of(entry)).buffered(CONFIGS_AT_ONCE);
        let vms: Vec<Result<Option<Vm>>> = vms.collect().await;
        vms.into_iter().filter_map(Result::transpose).collect()
    }

    /// `None`: the VM went away since it was listed.
    async fn vm_of(&self, entry: VmEntry) -> Result<Option<Vm>> {
        let Ok(vmid @ 100..) = u32::try_from(entry.vmid.whole()) else { return Ok(None) };
        let read = Instant::now();
        let seen = match self.stamp_known(vmid, &entry) {
            Some(seen) => seen,
            None => match self.vm_config(vmid).await {
                Ok(config) => {
                    let seen = self.seen(vmid, &config).await;
                    // While a clone runs, its description may still follow; what could not be read is read again.
                    let is_whole = seen.cards.is_none() || seen.firewall.is_some();
                    if is_whole && config.lock().is_none() {
                        let known = Known { seen: seen.clone(), looks: looks_of(&entry), read };
                        self.cache().known.insert(vmid, known);
                    }
                    seen
                }
                Err(error) if error.says_no_such_vm() => return Ok(None),
                // Not ours to see, so not ours.
                Err(error) if error.kind == ErrorKind::Permission && error.status == Some(403) => Seen::default(),
                Err(error) => return Err(error),
            },
        };
        Ok(Some(Vm {
            vmid,
            power: power_of(&entry),
            template: entry.template.is_set(),
            stamp: seen.stamp,
            start_on_boot: seen.start_on_boot,
            cards: seen.cards,
            firewall: seen.firewall,
            in_bytes: entry.netin.whole(),
            out_bytes: entry.netout.whole(),
            vcpu: entry.cpus.whole() as u32,
            memory_mib: entry.maxmem.mib(),
            disk_mib: entry.maxdisk.mib(),
            uptime_s: entry.uptime.whole(),
            lock: entry.lock.0.filter(|lock| !lock.is_empty()),
            name: entry.name.or_empty(),
        }))
    }

    async fn seen(&self, vmid: u32, config: &VmConfig) -> Seen {
        let (stamp, start_on_boot) = (config.stamp(), config.is_set("onboot"));
        if stamp.is_none() || config.is_set("template") {
            return Seen { stamp, start_on_boot, ..Seen::default() };
        }
        let firewall = match self.firewall_options(vmid).await {
            Ok(options) => Some(options),
            Err(error) => {
                warn!(vmid, cause = %error, "the options of a VM's firewall could not be read: what was known of them counts");
                let cache = self.cache();
                let known = cache.known.get(&vmid).filter(|known| !cache.is_outdated(vmid, known));
                known.filter(|known| known.seen.stamp == stamp).and_then(|known| known.seen.firewall)
            }
        };
        Seen { stamp, start_on_boot, cards: Some(config.cards()), firewall }
    }

    fn stamp_known(&self, vmid: u32, entry: &VmEntry) -> Option<Seen> {
        let age_max = STAMP_AGE_MAX + Duration::from_secs(u64::from(vmid % STAMP_AGE_SPREAD_S));
        let cache = self.cache();
        let known = cache.known.get(&vmid)?;
        let fresh = known.read.elapsed() < age_max
            && cache.since.is_none_or(|since| known.read >= since)
            && !cache.is_outdated(vmid, known);
        (fresh && known.looks == looks_of(entry) && entry.lock.0.is_none()).then(|| known.seen.clone())
    }

    /// Before and after an operation on the VM: what is being read at the time may be of before it, and is read anew.
    pub(super) fn stamp_forget(&self, vmid: u32) {
        self.cache().changed.insert(vmid, Instant::now());
    }

    pub(super) fn stamps_expire(&self, before: Instant) {
        self.cache().since = Some(before);
    }

    fn cache(&self) -> MutexGuard<'_, StampCache> {
        self.stamps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn host(&self) -> Result<HostStatus> {
        let status: NodeStatus = self.client.read(&self.path("/status").await?).await?;
        // pve-manager/8.4.21/2606ac855a3b1c4f
        let version = status.pveversion.or_empty().split('/').nth(1).unwrap_or_default().to_owned();
        Ok(HostStatus {
            cpu_load: status.cpu.0.unwrap_or_default().clamp(0.0, 1.0),
            cpu_threads: status.cpuinfo.cpus.whole() as u32,
            memory_total_mib: status.memory.total.mib(),
            memory_used_mib: status.memory.used.mib(),
            uptime_s: status.uptime.whole(),
            pve_version: version,
        })
    }

    pub(super) async fn storage_list(&self) -> Result<Vec<Storage>> {
        let entries: List<StorageEntry> = self.client.read(&self.path("/storage").await?).await?;
        let storages = entries.0.into_iter().filter_map(|entry| {
            let content = entry.content.or_empty();
            let holds = |kind: &str| content.split(',').any(|content| content.trim() == kind);
            Some(Storage {
                name: entry.storage.0?,
                kind: entry.kind.or_empty(),
                active: entry.active.is_set() && entry.enabled.0 != Some(false),
                shared: entry.shared.is_set(),
                holds_images: holds("images"),
                holds_backups: holds("backup"),
                total_mib: entry.total.mib(),
                used_mib: entry.used.mib(),
            })
        });
        let mut storages: Vec<Storage> = storages.collect();
        storages.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(storages)
    }

    pub(super) async fn bridge_list(&self) -> Result<Vec<String>> {
        self.bridges_of(self.node().await?).await
    }

    /// What VMs on a node of the cluster can be attached to: its bridges and the vnets of its zones, as far as the token may see.
    pub(super) async fn bridges_of(&self, node: &str) -> Result<Vec<String>> {
        let path = format!("/nodes/{}/network?type=any_bridge", encode(node));
        let entries: List<BridgeEntry> = self.client.read(&path).await?;
        let mut bridges: Vec<String> = entries.0.into_iter().filter_map(|entry| entry.iface.0).collect();
        bridges.sort();
        bridges.dedup();
        Ok(bridges)
    }

    pub(super) async fn pve_version(&self) -> Result<String> {
        let version: VersionEntry = self.client.read("/version").await?;
        let missing = || PveError::new(ErrorKind::Unavailable, "Proxmox did not tell its version: is this its API?");
        version.version.0.filter(|version| !version.is_empty()).ok_or_else(missing)
    }

    pub(super) async fn cluster_entries(&self) -> Result<Vec<ClusterEntry>> {
        self.client.read::<List<ClusterEntry>>("/cluster/status").await.map(|entries| entries.0)
    }

    pub(super) async fn cluster_state(&self) -> Result<Cluster> {
        let node = self.node().await?.to_owned();
        let entries = self.cluster_entries().await?;
        let cluster = entries.iter().find(|entry| entry.kind.0.as_deref() == Some("cluster"));
        let nodes = entries.iter().filter(|entry| entry.kind.0.as_deref() == Some("node"));
        Ok(Cluster {
            name: cluster.and_then(|entry| entry.name.0.clone()),
            // A host that is in no cluster has no entry for one, and needs no quorum.
            quorate: cluster.is_none_or(|entry| entry.quorate.is_set()),
            nodes: nodes.filter_map(|entry| Some((entry.name.0.clone()?, entry.online.is_set()))).collect(),
            node,
        })
    }

    /// The node that has this VM, as far as the cluster's view tells. It lags behind and is a hint for people, nothing more.
    pub(super) async fn cluster_hint(&self, vmid: u32) -> Option<String> {
        let entries: List<ResourceEntry> = self.client.read("/cluster/resources?type=vm").await.ok()?;
        entries.0.into_iter().find(|entry| entry.vmid.whole() == u64::from(vmid))?.node.0
    }
}

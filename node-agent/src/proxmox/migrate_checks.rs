//! What keeps a VM where it is, in plain words. Pure functions on what Proxmox tells.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::migrate::texts;
use super::specs::MigrateCheck;
use super::types::Cluster;
use super::wire::{Flag, List, Num, Text, VmConfig, card_index};

/// `GET /nodes/N/qemu/V/migrate`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Preconditions {
    running: Flag,
    allowed_nodes: Option<Vec<String>>,
    not_allowed_nodes: Value,
    local_disks: List<LocalDisk>,
    local_resources: Value,
    #[serde(rename = "mapped-resources")]
    mapped_resources: Value,
    #[serde(rename = "mapped-resource-info")]
    mapped_resource_info: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LocalDisk {
    volid: Text,
    size: Num,
    cdrom: Flag,
}

/// What is planned.
pub(super) struct Plan<'a> {
    /// `None`: any node.
    pub target_node: Option<&'a str>,
    /// `None`: as the VM's power is.
    pub online: Option<bool>,
    /// Disks that only this node has are copied.
    pub with_local_disks: bool,
}

impl LocalDisk {
    fn name(&self) -> &str {
        self.volid.0.as_deref().unwrap_or("unnamed")
    }

    fn is_cloud_init(&self) -> bool {
        self.name().contains("cloudinit")
    }
}

pub(super) fn blockers_of(
    config: &VmConfig,
    preconditions: &Preconditions,
    cluster: &Cluster,
    plan: &Plan<'_>,
) -> MigrateCheck {
    let running = preconditions.running.is_set();
    let mut blockers = Vec::new();
    if let Some(lock) = config.lock() {
        blockers.push(format!("the VM is locked ({lock})"));
    }
    if running && plan.online == Some(false) {
        blockers.push("the VM runs: it has to be stopped first, or moved online".to_owned());
    }
    let devices = texts(&preconditions.local_resources);
    if !devices.is_empty() {
        blockers.push(format!("devices of this host are passed through: {}", devices.join(", ")));
    }
    if running {
        let fixed = |name: &String| {
            let can = preconditions.mapped_resource_info.get(name).and_then(|info| info.get("live-migration"));
            !can.is_some_and(|can| can.as_bool() == Some(true) || can.as_i64() == Some(1))
        };
        let mapped: Vec<String> = texts(&preconditions.mapped_resources).into_iter().filter(fixed).collect();
        if !mapped.is_empty() {
            blockers.push(format!("mapped devices cannot be moved while the VM runs: {}", mapped.join(", ")));
        }
    }
    let images = preconditions.local_disks.0.iter().filter(|disk| disk.cdrom.is_set() && !disk.is_cloud_init());
    blockers.extend(images.map(|disk| format!("a CD image of this node is in a drive: {}; take it out", disk.name())));
    let disks: Vec<&LocalDisk> = preconditions.local_disks.0.iter().filter(|disk| !disk.cdrom.is_set()).collect();
    if running && !disks.is_empty() {
        let names = disks.iter().map(|disk| disk.name()).collect::<Vec<_>>().join(", ");
        if !plan.with_local_disks {
            blockers.push(format!("disks are on this node only and would have to be copied: {names}"));
        }
        if config.get("parent").is_some() {
            blockers
                .push(format!("disks on this node only cannot be copied online while the VM has snapshots: {names}"));
        }
    }
    let (allowed_nodes, unreachable) = reachable(preconditions, cluster, plan.target_node);
    blockers.extend(unreachable);
    let local_bytes: u64 = disks.iter().map(|disk| disk.size.whole()).sum();
    MigrateCheck { allowed_nodes, blockers, local_disk_mib: local_bytes >> 20, running }
}

/// The bridges that the VM's cards are attached to, each once.
pub(super) fn bridges_needed(config: &VmConfig) -> Vec<String> {
    let cards = config.iter().filter(|(key, _)| card_index(key).is_some());
    let bridges = cards.filter_map(|(_, card)| {
        card.split(',').find_map(|part| part.trim().strip_prefix("bridge=").map(str::to_owned))
    });
    bridges.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The nodes to which the VM may go, and why the one that is wanted is not among them.
fn reachable(preconditions: &Preconditions, cluster: &Cluster, target: Option<&str>) -> (Vec<String>, Option<String>) {
    let refused = |node: &str| preconditions.not_allowed_nodes.get(node);
    let others = cluster.nodes.iter().filter(|(node, online)| *online && *node != cluster.node);
    let mut allowed: Vec<String> = others.map(|(node, _)| node.clone()).collect();
    allowed.retain(|node| {
        refused(node).is_none() && preconditions.allowed_nodes.as_ref().is_none_or(|nodes| nodes.contains(node))
    });
    let why = match target {
        None if allowed.is_empty() && cluster.nodes.len() < 2 => {
            Some("this host is in no cluster with another node".to_owned())
        }
        None => None,
        Some(node) if allowed.iter().any(|other| other == node) => None,
        Some(node) if node == cluster.node => Some(format!("the VM is on {node} already")),
        Some(node) => match cluster.nodes.iter().find(|(name, _)| name == node) {
            None => Some(format!("there is no node {node} in this cluster")),
            Some((_, false)) => Some(format!("the node {node} is offline")),
            Some((_, true)) => Some(match refused(node) {
                Some(why) => format!("the node {node} lacks what the VM needs: {}", lacking(why)),
                None => format!("Proxmox does not allow the node {node}"),
            }),
        },
    };
    (allowed, why)
}

/// `{"unavailable_storages": ["tank"], "unavailable-resources": [..]}` in words.
fn lacking(why: &Value) -> String {
    let Value::Object(reasons) = why else { return why.to_string() };
    let words = reasons.iter().map(|(reason, what)| {
        let reason = reason.replace(['_', '-'], " ");
        let what = texts(what);
        if what.is_empty() { reason } else { format!("{reason}: {}", what.join(", ")) }
    });
    words.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster() -> Cluster {
        let nodes = [("pve1", true), ("pve2", true), ("pve3", false)];
        let nodes = nodes.map(|(node, online)| (node.to_owned(), online)).to_vec();
        Cluster { name: Some("c".to_owned()), quorate: true, node: "pve1".to_owned(), nodes }
    }

    fn check(config: &str, preconditions: &str, plan: &Plan<'_>, expected: &[&str]) -> MigrateCheck {
        let (config, preconditions) =
            (serde_json::from_str(config).unwrap(), serde_json::from_str(preconditions).unwrap());
        let found = blockers_of(&config, &preconditions, &cluster(), plan);
        assert_eq!(found.blockers.len(), expected.len(), "{:?}", found.blockers);
        for (blocker, words) in found.blockers.iter().zip(expected) {
            assert!(blocker.contains(words), "{blocker:?} does not say {words:?}");
        }
        found
    }

    #[test]
    fn every_blocker_is_told() {
        let plan = |target_node, online| Plan { target_node, online, with_local_disks: false };
        check("{}", r#"{"running":0}"#, &plan(Some("pve2"), Some(false)), &[]);
        let found = check(
            r#"{"parent":"before","lock":"backup"}"#,
            r#"{"running":1,"local_resources":["hostpci0","usb1"],"mapped-resources":["gpu"],"local_disks":[
                {"volid":"local:iso/x.iso","cdrom":1,"size":5},{"volid":"local:101/vm-101-cloudinit.qcow2","cdrom":1},
                {"volid":"local:101/vm-101-disk-0.qcow2","size":"8589934592"}]}"#,
            &plan(Some("pve2"), Some(true)),
            &["locked (backup)", "hostpci0, usb1", "gpu", "local:iso/x.iso", "have to be copied", "snapshots"],
        );
        assert_eq!((found.local_disk_mib, found.running), (8 << 10, true));
        check("{}", r#"{"running":1}"#, &plan(Some("pve2"), Some(false)), &["it has to be stopped"]);
    }

    #[test]
    fn each_bridge_that_a_vm_needs_is_told_once() {
        let config: VmConfig = serde_json::from_str(
            r#"{"net0":"virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1","net1":"e1000=BC:24:11:00:00:02, bridge=vnet7",
                "net2":"virtio,bridge=vmbr0,tag=5","net3":"virtio=BC:24:11:00:00:03","network":"bridge=no"}"#,
        )
        .unwrap();
        assert_eq!(bridges_needed(&config), ["vmbr0", "vnet7"]);
    }

    #[test]
    fn a_target_that_will_not_do_is_told() {
        let plan = |target_node| Plan { target_node, online: None, with_local_disks: true };
        let found = check("{}", "{}", &plan(None), &[]);
        assert_eq!(found.allowed_nodes, ["pve2"]);
        check("{}", "{}", &plan(Some("pve1")), &["already"]);
        check("{}", "{}", &plan(Some("pve3")), &["offline"]);
        check("{}", "{}", &plan(Some("pve9")), &["no node pve9"]);
        let refused = r#"{"allowed_nodes":[],"not_allowed_nodes":{"pve2":{"unavailable_storages":["tank"]}}}"#;
        check("{}", refused, &plan(Some("pve2")), &["unavailable storages: tank"]);
    }
}

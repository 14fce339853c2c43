//! Whether provisioning would work here: one line per check, with what to do.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde_json::Value;

use super::error::{ErrorKind, Result};
use super::firewall::{OFF, SWITCH_ON};
use super::node::Pve;
use super::types::{Check, CheckState, ProbeSpec, Storage};

/// What the agent's token must be allowed, and on which part of Proxmox's tree; see also [`guest_privilege`].
pub const PRIVILEGES: &[(&str, &[&str])] = &[
    (
        "/vms",
        &[
            "VM.Allocate",
            "VM.Audit",
            "VM.Backup",
            "VM.Clone",
            "VM.Config.CDROM",
            "VM.Config.CPU",
            "VM.Config.Cloudinit",
            "VM.Config.Disk",
            "VM.Config.Memory",
            "VM.Config.Network",
            "VM.Config.Options",
            "VM.Console",
            "VM.Migrate",
            "VM.PowerMgmt",
            "VM.Snapshot",
        ],
    ),
    ("/storage", &["Datastore.AllocateSpace", "Datastore.Audit"]),
    ("/sdn", &["SDN.Use"]),
    ("/nodes", &["Sys.Audit"]),
    // For the state of the cluster and of its firewall.
    ("/", &["Sys.Audit"]),
];

/// What it takes to set a password through the guest agent, by Proxmox VE's major version: the older privilege is no more.
pub const fn guest_privilege(major: u32) -> &'static str {
    if major >= 9 { "VM.GuestAgent.Unrestricted" } else { "VM.Monitor" }
}

pub(super) fn major_of(version: &str) -> u32 {
    version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0)
}

/// All privileges by path.
fn privileges(major: u32) -> impl Iterator<Item = (&'static str, &'static str)> {
    let everywhere = PRIVILEGES.iter().flat_map(|(path, list)| list.iter().map(move |privilege| (*path, *privilege)));
    everywhere.chain([("/vms", guest_privilege(major))])
}
/// Below this a storage is as good as full for a clone.
const FREE_MIB_MIN: u64 = 1024;
/// Below this share of free space an operator should know.
const FREE_PERCENT_WARN: u64 = 10;

type Found = (CheckState, String, String);

fn ok(message: impl Into<String>) -> Found {
    (CheckState::Ok, message.into(), String::new())
}

fn warn(message: impl Into<String>, advice: impl Into<String>) -> Found {
    (CheckState::Warn, message.into(), advice.into())
}

fn fail(message: impl Into<String>, advice: impl Into<String>) -> Found {
    (CheckState::Fail, message.into(), advice.into())
}

impl Pve {
    pub(super) async fn probe_all(&self, spec: &ProbeSpec, tell: &(dyn Fn(Check) + Send + Sync)) {
        if timed("proxmox", self.probe_version(), tell).await == CheckState::Fail {
            // All the rest would say the same again, each after its own timeout.
            return;
        }
        let storages = async {
            let started = Instant::now();
            let list = self.storage_list().await;
            for (state, message, advice) in probe_storages(spec, list) {
                tell(Check { name: "storage", state, took_ms: millis(started), message, advice });
            }
        };
        let bridges = async {
            let started = Instant::now();
            let list = self.bridge_list().await;
            for (state, message, advice) in probe_bridges(spec, list) {
                tell(Check { name: "bridge", state, took_ms: millis(started), message, advice });
            }
        };
        let templates = async {
            for vmid in &spec.templates {
                timed("template", self.probe_template(*vmid), tell).await;
            }
        };
        let permissions = timed("permissions", self.probe_permissions(), tell);
        let quorum = timed("quorum", self.probe_quorum(), tell);
        let firewall = timed("firewall", self.probe_firewall(), tell);
        tokio::join!(permissions, quorum, firewall, storages, bridges, templates);
    }

    async fn probe_firewall(&self) -> Found {
        match self.is_filtering().await {
            Ok(true) => ok("the firewall of the datacenter is on"),
            Ok(false) => warn(OFF, SWITCH_ON),
            Err(error) => warn(
                format!("whether the firewall of the datacenter is on is not known: {}", error.message),
                "check the token's permissions: Sys.Audit on /",
            ),
        }
    }

    async fn probe_version(&self) -> Found {
        let version = match self.pve_version().await {
            Ok(version) => version,
            Err(error) if error.kind == ErrorKind::Permission => {
                return fail(
                    error.message,
                    "put the id and secret of a valid API token into the agent's configuration; `pveum user token list` shows the ids",
                );
            }
            Err(error) => {
                return fail(error.message, "check the address, the fingerprint and that the service pveproxy runs");
            }
        };
        let node = match self.node().await {
            Ok(node) => node,
            Err(error) => return fail(error.message, "set the node's name in the agent's configuration"),
        };
        if let Err(error) = self.host().await {
            let advice = match error.kind {
                ErrorKind::NotFound => "set the node's name as `hostname` tells it on the host".to_owned(),
                ErrorKind::Permission => grant(&self.token_id, &BTreeSet::new(), major_of(&version)),
                _ => "check that the node is up and that the services pvedaemon and pvestatd run".to_owned(),
            };
            return fail(format!("Proxmox VE {version} answers, the node {node} does not: {}", error.message), advice);
        }
        if major_of(&version) < 8 {
            return warn(
                format!("Proxmox VE {version}, node {node}"),
                "Proxmox VE 8 or newer is supported: upgrade the host",
            );
        }
        ok(format!("Proxmox VE {version}, node {node}"))
    }

    async fn probe_permissions(&self) -> Found {
        let map: BTreeMap<String, BTreeMap<String, Value>> = match self.client.read("/access/permissions").await {
            Ok(map) => map,
            Err(error) => return fail(error.message, "check the token"),
        };
        let major = match self.pve_version().await {
            Ok(version) => major_of(&version),
            Err(error) => return fail(error.message, "check the token"),
        };
        let mut lacking: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (path, privilege) in privileges(major).filter(|(path, privilege)| !is_granted(&map, path, privilege)) {
            lacking.entry(path).or_default().push(privilege);
        }
        if lacking.is_empty() {
            return ok(format!("{} has all privileges it needs", self.token_id));
        }
        let words = lacking.iter().map(|(path, privileges)| format!("on {path}: {}", privileges.join(", ")));
        let message = format!("{} lacks {}", self.token_id, words.collect::<Vec<_>>().join("; "));
        fail(message, grant(&self.token_id, &lacking.into_values().flatten().collect(), major))
    }

    async fn probe_quorum(&self) -> Found {
        let cluster = match self.cluster_state().await {
            Ok(cluster) => cluster,
            Err(error) => return fail(error.message, "check `pvecm status` on the host"),
        };
        let Some(name) = cluster.name else { return ok("a host of its own, in no cluster") };
        let online = cluster.nodes.iter().filter(|(_, online)| *online).count();
        let message = format!("cluster {name}: {online} of {} nodes are online", cluster.nodes.len());
        if !cluster.quorate {
            return fail(
                message,
                "the cluster has no quorum, so nothing can be changed: bring nodes back, see `pvecm status`",
            );
        }
        let offline: Vec<String> =
            cluster.nodes.into_iter().filter(|(_, online)| !online).map(|(node, _)| node).collect();
        if offline.is_empty() { ok(message) } else { warn(message, format!("offline: {}", offline.join(", "))) }
    }

    async fn probe_template(&self, vmid: u32) -> Found {
        let config = match self.vm_config(vmid).await {
            Ok(config) => config,
            Err(error) if error.says_no_such_vm() => {
                return fail(
                    format!("there is no VM {vmid} on this node"),
                    "make the template here, or correct the image's VMID",
                );
            }
            Err(error) => {
                return fail(format!("template {vmid}: {}", error.message), "check the token's permissions on /vms");
            }
        };
        let name = config.get("name").unwrap_or_else(|| "without a name".to_owned());
        let Some((disk, _)) = config.boot_disk() else {
            return fail(
                format!("VM {vmid} ({name}) has no disk to boot from"),
                "add a disk with an operating system to it",
            );
        };
        if config.get("template").as_deref() != Some("1") {
            let advice = format!("make it a template: qm template {vmid}");
            return warn(format!("VM {vmid} ({name}) is no template: its clones are full copies"), advice);
        }
        if config.cloud_init_drive().is_none() {
            let advice = format!(
                "add one: qm set {vmid} --ide2 STORAGE:cloudinit; until then each VM gets one when it is configured"
            );
            return warn(format!("template {vmid} ({name}) has no cloud-init drive"), advice);
        }
        ok(format!("template {vmid} ({name}), boot disk {disk}"))
    }
}

async fn timed(
    name: &'static str,
    check: impl Future<Output = Found>,
    tell: &(dyn Fn(Check) + Send + Sync),
) -> CheckState {
    let started = Instant::now();
    let (state, message, advice) = check.await;
    tell(Check { name, state, took_ms: millis(started), message, advice });
    state
}

fn millis(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn probe_storages(spec: &ProbeSpec, list: Result<Vec<Storage>>) -> Vec<Found> {
    let list = match list {
        Ok(list) => list,
        Err(error) => return vec![fail(error.message, "check the token's permissions on /storage")],
    };
    if spec.storages.is_empty() && !list.iter().any(|storage| storage.active && storage.holds_images) {
        return vec![fail(
            "no active storage of this node may hold VM disks",
            "allow the content type \"Disk image\" on a storage",
        )];
    }
    spec.storages.iter().map(|name| probe_storage(name, list.iter().find(|storage| storage.name == *name))).collect()
}

fn probe_storage(name: &str, storage: Option<&Storage>) -> Found {
    let Some(storage) = storage else {
        return fail(
            format!("there is no storage {name} on this node, or the token may not see it"),
            format!("correct the name, or grant Datastore.Audit on /storage/{name}"),
        );
    };
    let free = storage.total_mib.saturating_sub(storage.used_mib);
    let message = format!("{name} ({}): {} GiB of {} GiB free", storage.kind, free >> 10, storage.total_mib >> 10);
    if !storage.active {
        return fail(format!("{name} is disabled or does not answer"), format!("see: pvesm status --storage {name}"));
    }
    if !storage.holds_images {
        return fail(
            format!("{name} may not hold VM disks"),
            format!("allow it: pvesm set {name} --content images,… (keep what it holds now)"),
        );
    }
    if free < FREE_MIB_MIN {
        return fail(message, "the storage is full: free space or add a disk");
    }
    if free * 100 < storage.total_mib * FREE_PERCENT_WARN {
        return warn(message, "less than a tenth is free");
    }
    ok(message)
}

fn probe_bridges(spec: &ProbeSpec, list: Result<Vec<String>>) -> Vec<Found> {
    let list = match list {
        Ok(list) => list,
        Err(error) => return vec![fail(error.message, "check the token's permissions on /nodes")],
    };
    let check = |name: &String| {
        if list.contains(name) {
            return ok(format!("{name} exists"));
        }
        fail(format!("there is no bridge {name} on this node"), format!("it has: {}", list.join(", ")))
    };
    spec.bridges.iter().map(check).collect()
}

/// Whether a privilege holds on a path: granted there, propagated from the root, or granted on a part of it (one storage, one zone),
/// which is as far as an operator may want to go.
fn is_granted(map: &BTreeMap<String, BTreeMap<String, Value>>, path: &str, privilege: &str) -> bool {
    let below = format!("{path}/");
    let mut parts = map.iter().filter(|(at, _)| *at == path || at.starts_with(&below));
    if parts.any(|(_, granted)| granted.contains_key(privilege)) {
        return true;
    }
    if map.contains_key(path) {
        return false;
    }
    let propagates =
        |value: &Value| value.as_i64() == Some(1) || value.as_str() == Some("1") || value.as_bool() == Some(true);
    map.get("/").and_then(|root| root.get(privilege)).is_some_and(propagates)
}

/// The commands that give a token what it lacks.
fn grant(token_id: &str, missing: &BTreeSet<&str>, major: u32) -> String {
    let all: BTreeSet<&str> = privileges(major).map(|(_, privilege)| privilege).collect();
    let all = all.into_iter().collect::<Vec<_>>().join(" ");
    let missing: Vec<&str> = missing.iter().copied().collect();
    let amend = if missing.is_empty() {
        String::new()
    } else {
        format!(" (if the role exists: pveum role modify mPanelAgent --append 1 --privs \"{}\")", missing.join(" "))
    };
    let user = token_id.split('!').next().unwrap_or(token_id);
    format!(
        "on the host: pveum role add mPanelAgent --privs \"{all}\"{amend}; then: pveum acl modify / --tokens '{token_id}' --users \
         '{user}' --roles mPanelAgent (a token has at most its user's rights)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storage(total_gib: u64, free_mib: u64) -> Storage {
        Storage {
            name: "tank".to_owned(),
            kind: "zfspool".to_owned(),
            active: true,
            shared: false,
            holds_images: true,
            holds_backups: false,
            total_mib: total_gib << 10,
            used_mib: (total_gib << 10) - free_mib,
        }
    }

    #[test]
    fn a_storage_is_judged_by_use_and_space() {
        let check = |storage: Option<Storage>, expected| {
            let found = probe_storage("tank", storage.as_ref());
            assert_eq!(found.0, expected, "{found:?}");
            assert_eq!(found.2.is_empty(), expected == CheckState::Ok, "{found:?}");
        };
        check(Some(storage(100, 50 << 10)), CheckState::Ok);
        check(Some(storage(100, 5 << 10)), CheckState::Warn);
        check(Some(storage(100, 500)), CheckState::Fail);
        check(Some(Storage { active: false, ..storage(100, 50 << 10) }), CheckState::Fail);
        check(Some(Storage { holds_images: false, ..storage(100, 50 << 10) }), CheckState::Fail);
        check(None, CheckState::Fail);
    }

    #[test]
    fn privileges_count_where_they_are_granted() {
        let map = serde_json::from_str(r#"{"/":{"VM.Audit":1,"Sys.Audit":0},"/vms":{"VM.Clone":0}}"#).unwrap();
        assert!(is_granted(&map, "/vms", "VM.Clone"));
        assert!(!is_granted(&map, "/storage", "Datastore.Audit"));
        let map_of_part = serde_json::from_str(r#"{"/storage":{},"/storage/tank":{"Datastore.Audit":1}}"#).unwrap();
        assert!(is_granted(&map_of_part, "/storage", "Datastore.Audit"));
        assert!(!is_granted(&map, "/vms", "VM.Audit"));
        assert!(is_granted(&map, "/nodes", "VM.Audit"));
        assert!(!is_granted(&map, "/nodes", "Sys.Audit"));
    }

    #[test]
    fn the_advice_can_be_pasted() {
        assert!(grant("mpanel@pve!agent", &BTreeSet::new(), 9).contains("VM.GuestAgent.Unrestricted"));
        let advice = grant("mpanel@pve!agent", &BTreeSet::from(["SDN.Use"]), 8);
        assert!(advice.contains("VM.Monitor") && !advice.contains("VM.GuestAgent"), "{advice}");
        assert!(advice.contains("--privs \"SDN.Use\"") && advice.contains("--tokens 'mpanel@pve!agent'"), "{advice}");
        assert!(advice.contains("Datastore.AllocateSpace") && advice.contains("--users 'mpanel@pve'"), "{advice}");
    }
}

//! Inventory against intent: a pure function.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::{Kind, network};
use crate::domain::cloudpods::DesiredPower;
use crate::domain::cloudpods::brief::PodBrief;
use crate::domain::jobs::Power;
use crate::domain::servers::stamped::StampedVm;
use crate::ids::{CloudPodId, ServerId};

/// What is known when the VMs of one host are compared.
pub(super) struct Known {
    /// The host.
    pub(super) server: ServerId,
    /// Every VM that bears the stamp of a pod that is placed on this host or whose stamp was seen on it, wherever it is.
    pub(super) vms: Vec<StampedVm>,
    /// Those pods, as far as there are such.
    pub(super) pods: HashMap<CloudPodId, PodBrief>,
    /// Those of them that a job works on: what it does is not drift.
    pub(super) busy: HashSet<CloudPodId>,
}

impl Known {
    /// Whether the host does not tell now what such a difference is about, so that one that is open stays as it is.
    pub(super) fn is_untold(&self, (kind, pod, vmid): (Kind, CloudPodId, u32)) -> bool {
        let vm = self.vms.iter().find(|vm| (vm.server, vm.pod, vm.vmid) == (self.server, pod, vmid));
        let (Some(vm), Some(pod)) = (vm, self.pods.get(&pod)) else { return false };
        is_own(pod, vm)
            && has_vm(pod)
            && match kind {
                Kind::Network => network::are_cards_untold(pod, vm),
                Kind::Firewall => network::is_firewall_untold(pod, vm),
                _ => false,
            }
    }
}

/// A difference that was found.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Difference {
    pub(super) kind: Kind,
    pub(super) pod: CloudPodId,
    pub(super) vmid: u32,
    pub(super) expected: Value,
    pub(super) seen: Value,
    /// It may be the doing of a job that is under way.
    pub(super) excused: bool,
}

/// Every difference on the host.
pub(super) fn differences(known: &Known) -> Vec<Difference> {
    let mut found = Vec::new();
    for vm in known.vms.iter().filter(|vm| vm.server == known.server) {
        let excused = known.busy.contains(&vm.pod);
        let mut note = |kind, expected, seen| {
            found.push(Difference { kind, pod: vm.pod, vmid: vm.vmid, expected, seen, excused });
        };
        match known.pods.get(&vm.pod) {
            Some(pod) if is_own(pod, vm) => own(pod, vm, &mut note),
            Some(pod) if pod.server.is_some() && pod.vmid.is_some() && pod.state != "deleted" => {
                strayed(known, pod, vm, &mut note);
            }
            Some(pod) => note(Kind::Orphan, json!({ "vm": "none", "pod": pod.state }), shown(vm)),
            None => note(Kind::Orphan, json!({ "vm": "none", "pod": "unknown" }), shown(vm)),
        }
    }
    let placed = known.pods.values().filter(|pod| pod.server == Some(known.server) && has_vm(pod));
    for pod in placed {
        // One that is elsewhere is told of where it is.
        if let Some(vmid) = pod.vmid
            && !known.vms.iter().any(|vm| vm.pod == pod.id)
        {
            let (expected, seen) = (json!({ "vm": "present" }), json!({ "vm": "absent" }));
            let excused = known.busy.contains(&pod.id);
            found.push(Difference { kind: Kind::VmMissing, pod: pod.id, vmid, expected, seen, excused });
        }
    }
    found.sort_by_key(|difference| (difference.vmid, difference.kind, difference.pod));
    found
}

fn is_own(pod: &PodBrief, vm: &StampedVm) -> bool {
    pod.state != "deleted" && pod.server == Some(vm.server) && pod.vmid == Some(vm.vmid)
}

fn has_vm(pod: &PodBrief) -> bool {
    matches!(pod.state.as_str(), "active" | "suspended")
}

fn shown(vm: &StampedVm) -> Value {
    json!({ "vm": "present", "name": vm.name, "power": vm.power.as_str() })
}

/// A pod's own VM.
fn own(pod: &PodBrief, vm: &StampedVm, note: &mut impl FnMut(Kind, Value, Value)) {
    if !has_vm(pod) {
        return;
    }
    let wanted = if pod.state == "suspended" { DesiredPower::Stopped } else { pod.desired_power };
    if vm.power != Power::Unknown && vm.power.as_str() != wanted.as_str() {
        note(Kind::Power, json!({ "power": wanted.as_str() }), json!({ "power": vm.power.as_str() }));
    }
    // A figure that is not known differs from nothing. The disk is rounded up: Proxmox's are whole sectors.
    let disk_gib = vm.disk_mib.div_ceil(1024);
    // Before its restart a VM runs with what it had.
    let running = |seen: u64| if pod.size_waits { 0 } else { seen };
    let figures = [
        ("vcpu", u64::from(pod.vcpu), running(u64::from(vm.vcpu))),
        ("memory_mib", pod.memory_mib, running(vm.memory_mib)),
        ("disk_gib", pod.disk_gib, disk_gib),
    ];
    if figures.iter().any(|(_, wanted, seen)| *seen != 0 && wanted != seen) {
        let object = |pick: fn(&(&str, u64, u64)) -> u64| {
            figures.iter().map(|figure| (figure.0.to_owned(), Value::from(pick(figure)))).collect::<Value>()
        };
        note(Kind::Size, object(|figure| figure.1), object(|figure| if figure.2 == 0 { figure.1 } else { figure.2 }));
    }
    if let Some(name) = &pod.vm_name
        && !vm.name.is_empty()
        && vm.name != *name
        && vm.name != pod.name
    {
        note(Kind::Renamed, json!({ "name": name }), json!({ "name": vm.name }));
    }
    let starts = pod.start_on_boot && pod.state == "active";
    if vm.start_on_boot != starts {
        note(Kind::Autostart, json!({ "start_on_boot": starts }), json!({ "start_on_boot": vm.start_on_boot }));
    }
    if let Some((expected, seen)) = network::cards_differ(pod, vm) {
        note(Kind::Network, expected, seen);
    }
    if let Some((expected, seen)) = network::firewall_differs(pod, vm) {
        note(Kind::Firewall, expected, seen);
    }
    if !vm.lock.is_empty() {
        note(Kind::Locked, json!({ "lock": "" }), json!({ "lock": vm.lock }));
    }
}

/// A VM with the stamp of a pod that is said to be elsewhere.
fn strayed(known: &Known, pod: &PodBrief, vm: &StampedVm, note: &mut impl FnMut(Kind, Value, Value)) {
    let own = known.vms.iter().find(|other| is_own(pod, other));
    // Within one space a number is one VM: what its old host last told of it is out of date.
    let is_same = |own: &StampedVm| own.space == vm.space && own.vmid == vm.vmid;
    let expected = json!({ "server_id": pod.server, "vmid": pod.vmid });
    let mut seen = shown(vm);
    seen["server_id"] = json!(vm.server);
    seen["vmid"] = json!(vm.vmid);
    match own {
        Some(own) if !is_same(own) => note(Kind::Duplicate, expected, seen),
        _ => note(Kind::Moved, expected, seen),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::clock::Ms;
    use crate::ids::TenantId;

    pub(in super::super) const HERE: ServerId = ServerId(Uuid::from_u128(1));
    const THERE: ServerId = ServerId(Uuid::from_u128(2));
    const POD: CloudPodId = CloudPodId(Uuid::from_u128(7));

    pub(in super::super) fn pod(state: &str, placed: Option<(ServerId, u32)>) -> PodBrief {
        PodBrief {
            id: POD,
            tenant: TenantId(Uuid::nil()),
            name: "web".into(),
            vm_name: Some("web".into()),
            state: state.into(),
            desired_power: DesiredPower::Running,
            vcpu: 2,
            memory_mib: 512,
            disk_gib: 20,
            server: placed.map(|(server, _)| server),
            vmid: placed.map(|(_, vmid)| vmid),
            size_waits: false,
            start_on_boot: true,
            cards: None,
            firewall: None,
            firewall_at: None,
            updated_at: Ms(0),
        }
    }

    pub(in super::super) fn vm(server: ServerId, vmid: u32) -> StampedVm {
        StampedVm {
            server,
            space: "cluster".into(),
            vmid,
            name: "web".into(),
            power: Power::Running,
            pod: POD,
            lock: String::new(),
            vcpu: 2,
            memory_mib: 512,
            disk_mib: 20 * 1024,
            start_on_boot: true,
            cards: None,
            firewall: None,
            observed_at: Ms(0),
        }
    }

    fn check(pod: Option<PodBrief>, vms: Vec<StampedVm>, expected: &[Kind]) {
        let pods = pod.into_iter().map(|pod| (pod.id, pod)).collect();
        let mut known = Known { server: HERE, vms, pods, busy: HashSet::new() };
        let found = differences(&known);
        let kinds: Vec<_> = found.iter().map(|difference| difference.kind).collect();
        assert_eq!(kinds, expected, "{found:#?}");
        assert!(found.iter().all(|difference| !difference.excused));
        known.busy.insert(POD);
        assert!(differences(&known).iter().all(|difference| difference.excused), "a job may be doing it");
    }

    #[test]
    fn each_difference_is_found_and_nothing_else() {
        let active = || Some(pod("active", Some((HERE, 100))));
        let changed = |change: fn(&mut StampedVm)| {
            let mut changed = vm(HERE, 100);
            change(&mut changed);
            vec![changed]
        };
        check(active(), vec![vm(HERE, 100)], &[]);
        check(active(), vec![], &[Kind::VmMissing]);
        check(active(), changed(|vm| vm.power = Power::Stopped), &[Kind::Power]);
        check(active(), changed(|vm| vm.power = Power::Paused), &[Kind::Power]);
        check(active(), changed(|vm| vm.power = Power::Unknown), &[]);
        check(active(), changed(|vm| vm.vcpu = 4), &[Kind::Size]);
        check(active(), changed(|vm| vm.memory_mib = 1024), &[Kind::Size]);
        check(active(), changed(|vm| vm.disk_mib = 20 * 1024 + 1), &[Kind::Size]);
        check(active(), changed(|vm| (vm.vcpu, vm.memory_mib, vm.disk_mib) = (0, 0, 0)), &[]);
        check(active(), changed(|vm| vm.name = "other".into()), &[Kind::Renamed]);
        check(active(), changed(|vm| vm.name.clear()), &[]);
        check(active(), changed(|vm| vm.lock = "backup".into()), &[Kind::Locked]);
        let mut resized = pod("active", Some((HERE, 100)));
        (resized.vcpu, resized.size_waits) = (8, true);
        check(Some(resized), vec![vm(HERE, 100)], &[]);
        check(active(), changed(|vm| vm.start_on_boot = false), &[Kind::Autostart]);
        let mut not_with_its_host = pod("active", Some((HERE, 100)));
        not_with_its_host.start_on_boot = false;
        check(Some(not_with_its_host.clone()), vec![vm(HERE, 100)], &[Kind::Autostart]);
        check(Some(not_with_its_host), changed(|vm| vm.start_on_boot = false), &[]);
        let suspended = || Some(pod("suspended", Some((HERE, 100))));
        check(suspended(), vec![vm(HERE, 100)], &[Kind::Power, Kind::Autostart]);
        let off = |vm: &mut StampedVm| (vm.power, vm.start_on_boot) = (Power::Stopped, false);
        check(suspended(), changed(off), &[]);
        check(Some(pod("failed", Some((HERE, 100)))), changed(|vm| vm.power = Power::Stopped), &[]);
        check(Some(pod("failed", Some((HERE, 100)))), vec![], &[]);
    }

    #[test]
    fn a_vm_that_is_not_where_it_should_be_is_told_from_a_second_one() {
        let elsewhere = || Some(pod("active", Some((THERE, 100))));
        check(elsewhere(), vec![vm(HERE, 100)], &[Kind::Moved]);
        // The old host's inventory is from before the move.
        check(elsewhere(), vec![vm(HERE, 100), vm(THERE, 100)], &[Kind::Moved]);
        check(elsewhere(), vec![vm(HERE, 101), vm(THERE, 100)], &[Kind::Duplicate]);
        let mut of_another_cluster = vm(HERE, 100);
        of_another_cluster.space = "other".into();
        check(elsewhere(), vec![of_another_cluster, vm(THERE, 100)], &[Kind::Duplicate]);
        check(elsewhere(), vec![vm(THERE, 100)], &[]);
        // Under another number on its own host, and nowhere else.
        check(Some(pod("active", Some((HERE, 100)))), vec![vm(HERE, 101)], &[Kind::Moved]);
        check(Some(pod("active", Some((HERE, 100)))), vec![vm(THERE, 100)], &[]);
    }

    #[test]
    fn a_vm_whose_pod_is_gone_is_an_orphan() {
        check(None, vec![vm(HERE, 100)], &[Kind::Orphan]);
        check(Some(pod("deleted", None)), vec![vm(HERE, 100)], &[Kind::Orphan]);
        check(Some(pod("failed", None)), vec![vm(HERE, 100)], &[Kind::Orphan]);
    }
}

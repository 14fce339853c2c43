//! A VM's firewall as a whole: what is asked for is there afterwards, what was there before is not, and nothing is done twice.

use std::sync::Arc;

use mpanel_tests::pve_rig::Rig;
use node_agent::proxmox::{
    ErrorKind, FirewallAction, FirewallOptions, FirewallRule, FirewallSpec, Hypervisor, Operation, Vm,
};
use serde_json::Value;

fn rule(inbound: bool, action: FirewallAction, ports: &str) -> FirewallRule {
    FirewallRule {
        inbound,
        action,
        protocol: "tcp".to_owned(),
        source: if inbound { "192.0.2.0/24".to_owned() } else { String::new() },
        destination: String::new(),
        source_ports: String::new(),
        destination_ports: ports.to_owned(),
        comment: format!("port {ports}"),
    }
}

fn spec() -> FirewallSpec {
    let rules = vec![
        rule(true, FirewallAction::Accept, "22"),
        rule(true, FirewallAction::Drop, "8000:8100"),
        rule(false, FirewallAction::Reject, "25"),
    ];
    FirewallSpec {
        enabled: true,
        policy_in: FirewallAction::Drop,
        policy_out: FirewallAction::Accept,
        rules,
        mac_filter: true,
        ip_filter: true,
        addresses: vec![(0, vec!["192.0.2.10/32".to_owned(), "2001:db8::/64".to_owned()])],
    }
}

async fn ports(rig: &Rig, vmid: u32) -> Vec<String> {
    let rules = rig.pve.firewall(vmid, "rules").await.unwrap();
    let mut rules = rules.as_array().unwrap().clone();
    rules.sort_by_key(|rule| rule["pos"].as_u64());
    rules.iter().map(|rule| rule["dport"].as_str().unwrap().to_owned()).collect()
}

async fn set(rig: &Rig, vmid: u32) -> Vec<String> {
    let members = rig.pve.firewall(vmid, "ipset/ipfilter-net0").await.unwrap();
    let members = members.as_array().unwrap().iter();
    let mut members: Vec<String> = members.map(|member| member["cidr"].as_str().unwrap().to_owned()).collect();
    members.sort_unstable();
    members
}

pub async fn a_firewall_is_set_as_a_whole(rig: Arc<Rig>) {
    let target = rig.vm().await;
    for _ in 0..2 {
        rig.drive(target, Operation::SetFirewall(spec())).await.unwrap();
        assert_eq!(ports(&rig, target.vmid).await, ["22", "8000:8100", "25"]);
        assert_eq!(set(&rig, target.vmid).await, ["192.0.2.10", "2001:db8::/64"]);
        let options = rig.pve.firewall(target.vmid, "options").await.unwrap();
        assert_eq!(options["enable"].to_string().trim_matches('"'), "1", "{options}");
        let card = rig.pve.settings(target.vmid).await.unwrap()["net0"].as_str().unwrap().to_owned();
        assert_eq!(card.matches("firewall=1").count(), 1, "{card}");
    }
    let mut other = spec();
    other.rules = vec![rule(true, FirewallAction::Accept, "443"), rule(true, FirewallAction::Accept, "22")];
    other.addresses = vec![(0, vec!["192.0.2.11".to_owned()])];
    rig.drive(target, Operation::SetFirewall(other)).await.unwrap();
    assert_eq!(ports(&rig, target.vmid).await, ["443", "22"]);
    assert_eq!(set(&rig, target.vmid).await, ["192.0.2.11"]);
    let open = FirewallSpec { enabled: false, rules: Vec::new(), ip_filter: false, addresses: Vec::new(), ..spec() };
    rig.drive(target, Operation::SetFirewall(open)).await.unwrap();
    assert!(ports(&rig, target.vmid).await.is_empty());
    let sets = rig.pve.firewall(target.vmid, "ipset").await.unwrap();
    assert_eq!(sets, Value::Array(Vec::new()));
    let error = rig.drive(rig.rival(target), Operation::SetFirewall(spec())).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ForeignVm, "{error:?}");
    let bad = FirewallSpec { addresses: vec![(0, vec!["nowhere".to_owned()])], ..spec() };
    let error = rig.drive(target, Operation::SetFirewall(bad)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadParameter, "{error:?}");
}

/// A packet meets what was decided before or what is decided from now on: never neither.
pub async fn a_change_opens_no_hole(rig: Arc<Rig>) {
    let target = rig.vm().await;
    rig.drive(target, Operation::SetFirewall(spec())).await.unwrap();
    let begun = rig.sim.as_ref().map(|sim| sim.faults().calls().len());
    let mut other = spec();
    other.rules = vec![rule(true, FirewallAction::Drop, "22"), rule(true, FirewallAction::Accept, "80")];
    rig.drive(target, Operation::SetFirewall(other)).await.unwrap();
    assert_eq!(ports(&rig, target.vmid).await, ["22", "80"]);
    let (Some(sim), Some(begun)) = (&rig.sim, begun) else { return };
    let calls = sim.faults().calls();
    let writes = calls[begun..].iter().filter(|call| call.method != "GET" && call.path.contains("/firewall/"));
    let steps: Vec<String> =
        writes.map(|call| format!("{} {}", call.method, call.path.rsplit_once("/firewall/").unwrap().1)).collect();
    // Made switched off, switched on from the first to the last, and only then the old ones go, from the last up.
    let expected = [
        "POST rules",
        "POST rules",
        "PUT rules/0",
        "PUT rules/1",
        "DELETE rules/4",
        "DELETE rules/3",
        "DELETE rules/2",
    ];
    assert_eq!(steps, expected);
}

/// With each operation of ours the next inventory tells of its cards and firewall what is so by then.
pub async fn the_inventory_tells_cards_and_firewalls(rig: Arc<Rig>) {
    let target = rig.vm().await;
    let seen = async || {
        let vms = rig.pve.list_vms().await.unwrap();
        let find = |vmid| vms.iter().find(|vm| vm.vmid == vmid).unwrap().clone();
        let template = find(rig.template);
        assert_eq!((&template.cards, template.firewall), (&None, None), "it is not ours");
        find(target.vmid)
    };
    let card = |vm: &Vm| vm.cards.as_ref().unwrap()[0].clone();
    let before = seen().await;
    let (made, macs) = (card(&before), rig.pve.inspect(target.vmid).await.unwrap().macs);
    assert_eq!((made.index, made.vlan, made.firewall, Some(&made.mac)), (0, None, false, macs.get(&0)), "{before:?}");
    assert!(!made.bridge.is_empty(), "{before:?}");
    assert!(before.firewall.is_some_and(|options| !options.enabled), "{before:?}");

    rig.drive(target, Operation::SetFirewall(spec())).await.unwrap();
    let after = seen().await;
    let options = FirewallOptions {
        enabled: true,
        policy_in: Some(FirewallAction::Drop),
        policy_out: Some(FirewallAction::Accept),
        mac_filter: true,
        ip_filter: true,
    };
    assert_eq!(after.firewall, Some(options), "{after:?}");
    assert!(card(&after).firewall && card(&after).mac == made.mac, "{after:?}");
}

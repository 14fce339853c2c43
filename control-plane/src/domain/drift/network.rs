//! The network cards and the firewall of a pod's VM against those that mPanel gave it. What was not given is not compared: of an
//! adopted VM neither, until somebody says otherwise. What a host does not tell differs from nothing, and leaves what differed as it is.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::domain::cloudpods::GivenCard;
use crate::domain::cloudpods::brief::PodBrief;
use crate::domain::servers::stamped::StampedVm;
use crate::domain::servers::{Card, FirewallOptions};

/// What is expected and what is seen, of what differs alone.
#[derive(Default)]
struct Sides {
    expected: Map<String, Value>,
    seen: Map<String, Value>,
}

impl Sides {
    fn note(&mut self, name: &str, expected: Value, seen: Value) {
        if expected != seen {
            self.expected.insert(name.to_owned(), expected);
            self.seen.insert(name.to_owned(), seen);
        }
    }

    fn differ(self) -> Option<(Value, Value)> {
        (!self.expected.is_empty()).then_some((Value::Object(self.expected), Value::Object(self.seen)))
    }
}

/// The cards that differ, by their names in Proxmox; null: there is none.
pub(super) fn cards_differ(pod: &PodBrief, vm: &StampedVm) -> Option<(Value, Value)> {
    let (given, seen) = (pod.cards.as_ref()?, vm.cards.as_ref()?);
    let indices: BTreeSet<u32> =
        given.iter().map(|card| card.index).chain(seen.iter().map(|card| card.index)).collect();
    let mut sides = Sides::default();
    for index in indices {
        let given = given.iter().find(|card| card.index == index);
        let seen = seen.iter().find(|card| card.index == index);
        let (expected, seen) = match (given, seen) {
            (Some(given), Some(seen)) => card_differs(given, seen),
            (given, seen) => (given.map_or(Value::Null, given_shown), seen.map_or(Value::Null, seen_shown)),
        };
        sides.note(&format!("net{index}"), expected, seen);
    }
    sides.differ()
}

/// Whether there are cards to compare, and the host does not tell them.
pub(super) fn are_cards_untold(pod: &PodBrief, vm: &StampedVm) -> bool {
    pod.cards.is_some() && vm.cards.is_none()
}

fn given_shown(card: &GivenCard) -> Value {
    json!({ "bridge": card.bridge, "vlan": card.vlan, "mac": card.mac })
}

fn seen_shown(card: &Card) -> Value {
    json!({ "bridge": card.bridge, "vlan": card.vlan, "mac": card.mac.to_ascii_uppercase() })
}

/// Both sides, of what differs of a card; alike where nothing does. No card is given with its link down, or with trunks.
fn card_differs(given: &GivenCard, seen: &Card) -> (Value, Value) {
    let mut sides = Sides::default();
    sides.note("bridge", json!(given.bridge), json!(seen.bridge));
    sides.note("vlan", json!(given.vlan), json!(seen.vlan));
    if let Some(mac) = &given.mac
        && !seen.mac.is_empty()
    {
        sides.note("mac", json!(mac.to_ascii_uppercase()), json!(seen.mac.to_ascii_uppercase()));
    }
    sides.note("link_down", json!(false), json!(seen.link_down));
    sides.note("trunks", Value::Null, Some(seen.trunks.as_str()).filter(|trunks| !trunks.is_empty()).into());
    (Value::Object(sides.expected), Value::Object(sides.seen))
}

/// The options that differ, and the cards that lead past a firewall that is to filter.
pub(super) fn firewall_differs(pod: &PodBrief, vm: &StampedVm) -> Option<(Value, Value)> {
    let wanted = pod.firewall.filter(|_| !is_outdated(pod, vm))?;
    let mut sides = Sides::default();
    if let Some(seen) = vm.firewall {
        let FirewallOptions { enabled, policy_in, policy_out, mac_filter, ip_filter } = wanted;
        sides.note("enabled", json!(enabled), json!(seen.enabled));
        sides.note("mac_filter", json!(mac_filter), json!(seen.mac_filter));
        sides.note("ip_filter", json!(ip_filter), json!(seen.ip_filter));
        let policies = [("policy_in", policy_in, seen.policy_in), ("policy_out", policy_out, seen.policy_out)];
        for (name, wanted, seen) in policies {
            // A word that is not known here may mean anything.
            if seen.is_some() {
                sides.note(name, json!(wanted), json!(seen));
            }
        }
    }
    if wanted.enabled
        && let Some(cards) = &vm.cards
    {
        let past = cards.iter().filter(|card| !card.firewall).map(|card| format!("net{}", card.index));
        sides.note("unfiltered", json!([]), past.collect());
    }
    sides.differ()
}

/// What was told before the pod's host took its firewall is out of date.
fn is_outdated(pod: &PodBrief, vm: &StampedVm) -> bool {
    pod.firewall_at.is_some_and(|at| vm.observed_at < at)
}

/// Whether there is a firewall to compare, and the host does not tell all of it.
pub(super) fn is_firewall_untold(pod: &PodBrief, vm: &StampedVm) -> bool {
    let untold = |wanted: FirewallOptions| vm.firewall.is_none() || wanted.enabled && vm.cards.is_none();
    pod.firewall.is_some_and(untold) && !is_outdated(pod, vm)
}

#[cfg(test)]
mod tests {
    use super::super::compare::tests::{HERE, pod, vm};
    use super::*;
    use crate::clock::Ms;
    use crate::domain::jobs::command::FirewallAction;

    fn card(index: u32) -> Card {
        let (bridge, mac) = ("vmbr0".into(), "BC:24:11:00:00:01".into());
        Card { index, bridge, vlan: Some(7), mac, firewall: true, link_down: false, trunks: String::new() }
    }

    fn given(index: u32) -> GivenCard {
        GivenCard { index, bridge: "vmbr0".into(), vlan: Some(7), mac: Some("bc:24:11:00:00:01".into()) }
    }

    #[test]
    fn a_card_that_was_not_given_or_told_differs_from_nothing() {
        let check = |given: Option<Vec<GivenCard>>, seen: Option<Vec<Card>>, expected: Option<(Value, Value)>| {
            let pod = PodBrief { cards: given, ..pod("active", Some((HERE, 100))) };
            let vm = StampedVm { cards: seen, ..vm(HERE, 100) };
            assert_eq!(cards_differ(&pod, &vm), expected);
        };
        check(None, Some(vec![card(0)]), None);
        check(Some(vec![given(0)]), None, None);
        check(Some(vec![given(0)]), Some(vec![card(0)]), None);
        check(Some(vec![GivenCard { mac: None, ..given(0) }]), Some(vec![card(0)]), None);
        check(Some(vec![given(0)]), Some(vec![Card { mac: String::new(), ..card(0) }]), None);
        let differs = |expected, seen| Some((json!({ "net0": expected }), json!({ "net0": seen })));
        let other = |change: fn(&mut Card)| {
            let mut card = card(0);
            change(&mut card);
            Some(vec![card])
        };
        let own = || Some(vec![given(0)]);
        check(
            own(),
            other(|card| card.bridge = "a".into()),
            differs(json!({"bridge": "vmbr0"}), json!({"bridge": "a"})),
        );
        check(own(), other(|card| card.vlan = None), differs(json!({"vlan": 7}), json!({"vlan": null})));
        let macs = differs(json!({"mac": "BC:24:11:00:00:01"}), json!({"mac": "BC:24:11:00:00:0A"}));
        check(own(), other(|card| card.mac = "BC:24:11:00:00:0a".into()), macs);
        let links = differs(json!({"link_down": false}), json!({"link_down": true}));
        check(own(), other(|card| card.link_down = true), links);
        let trunks = differs(json!({"trunks": null}), json!({"trunks": "5;7-9"}));
        check(own(), other(|card| card.trunks = "5;7-9".into()), trunks);
        let whole = json!({ "bridge": "vmbr0", "vlan": 7, "mac": "BC:24:11:00:00:01" });
        check(Some(Vec::new()), Some(vec![card(0)]), differs(Value::Null, whole));
        let whole = json!({ "bridge": "vmbr0", "vlan": 7, "mac": "bc:24:11:00:00:01" });
        check(own(), Some(Vec::new()), differs(whole, Value::Null));
    }

    #[test]
    fn a_firewall_that_was_not_taken_or_told_differs_from_nothing() {
        let on = FirewallOptions {
            enabled: true,
            policy_in: Some(FirewallAction::Drop),
            policy_out: Some(FirewallAction::Accept),
            mac_filter: true,
            ip_filter: true,
        };
        let off = FirewallOptions { enabled: false, mac_filter: false, ip_filter: false, ..on };
        let check = |wanted, seen, cards: Option<Vec<Card>>, expected: Option<(Value, Value)>| {
            let pod = PodBrief { firewall: wanted, ..pod("active", Some((HERE, 100))) };
            let vm = StampedVm { firewall: seen, cards, ..vm(HERE, 100) };
            assert_eq!(firewall_differs(&pod, &vm), expected);
        };
        let past = || Some(vec![card(0), Card { firewall: false, ..card(1) }]);
        let later = PodBrief { firewall: Some(on), firewall_at: Some(Ms(1)), ..pod("active", Some((HERE, 100))) };
        assert_eq!(firewall_differs(&later, &StampedVm { firewall: Some(off), ..vm(HERE, 100) }), None);
        check(None, Some(on), past(), None);
        check(Some(on), None, None, None);
        check(Some(on), Some(on), Some(vec![card(0)]), None);
        check(Some(on), Some(FirewallOptions { policy_in: None, ..on }), None, None);
        check(Some(off), Some(off), past(), None);
        let unfiltered = (json!({ "unfiltered": [] }), json!({ "unfiltered": ["net1"] }));
        check(Some(on), None, past(), Some(unfiltered));
        let lost = (
            json!({ "enabled": true, "mac_filter": true, "ip_filter": true }),
            json!({ "enabled": false, "mac_filter": false, "ip_filter": false }),
        );
        check(Some(on), Some(off), Some(vec![card(0)]), Some(lost));
        let open = FirewallOptions { policy_in: Some(FirewallAction::Accept), ..on };
        check(Some(on), Some(open), None, Some((json!({ "policy_in": "drop" }), json!({ "policy_in": "accept" }))));
    }
}

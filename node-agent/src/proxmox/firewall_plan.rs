//! What of a firewall differs from what is wanted. Pure functions.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::firewall::SET_PREFIX;
use super::specs::{FirewallAction, FirewallOptions, FirewallRule, FirewallSpec};
use super::wire::{Flag, Num, Text, VmConfig, card_index};

/// An entry of `/nodes/N/qemu/V/firewall/rules`.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(super) struct RuleEntry {
    pub pos: Num,
    #[serde(rename = "type")]
    kind: Text,
    action: Text,
    enable: Flag,
    proto: Text,
    source: Text,
    dest: Text,
    sport: Text,
    dport: Text,
    comment: Text,
    #[serde(rename = "macro")]
    service: Text,
    iface: Text,
    #[serde(rename = "icmp-type")]
    icmp_type: Text,
}

pub(super) fn action_word(action: FirewallAction) -> &'static str {
    match action {
        FirewallAction::Accept => "ACCEPT",
        FirewallAction::Drop => "DROP",
        FirewallAction::Reject => "REJECT",
    }
}

fn direction(rule: &FirewallRule) -> &'static str {
    if rule.inbound { "in" } else { "out" }
}

/// A new rule, switched off.
pub(super) fn rule_body(rule: &FirewallRule) -> Value {
    let mut body = json!({ "type": direction(rule), "action": action_word(rule.action), "enable": 0 });
    let fields = [
        ("proto", &rule.protocol),
        ("source", &rule.source),
        ("dest", &rule.destination),
        ("sport", &rule.source_ports),
        ("dport", &rule.destination_ports),
        ("comment", &rule.comment),
    ];
    for (key, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
        body[key] = value.as_str().into();
    }
    body
}

/// Whether a rule is the wanted one, as far as it decides anything.
pub(super) fn is_alike(found: &RuleEntry, rule: &FirewallRule) -> bool {
    let text = |text: &Text| text.0.clone().unwrap_or_default();
    found.enable.is_set()
        && text(&found.kind) == direction(rule)
        && text(&found.action) == action_word(rule.action)
        && text(&found.service).is_empty()
        && text(&found.iface).is_empty()
}

/// Whether a rule is the wanted one, word by word.
pub(super) fn is_same(found: &RuleEntry, rule: &FirewallRule) -> bool {
    let text = |text: &Text| text.0.as_deref().unwrap_or_default().trim().to_owned();
    is_alike(found, rule)
        && text(&found.icmp_type).is_empty()
        && text(&found.proto).to_lowercase() == rule.protocol.to_lowercase()
        && addresses(&text(&found.source)) == addresses(&rule.source)
        && addresses(&text(&found.dest)) == addresses(&rule.destination)
        && text(&found.sport) == rule.source_ports
        && text(&found.dport) == rule.destination_ports
        && text(&found.comment) == rule.comment.trim()
}

fn addresses(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).map(|text| address_of(text).unwrap_or_else(|| text.to_owned())).collect()
}

/// An address or network in one spelling: without a prefix that says nothing.
pub(super) fn address_of(text: &str) -> Option<String> {
    let (ip, prefix) = text.split_once('/').map_or((text, None), |(ip, prefix)| (ip, Some(prefix)));
    let ip: IpAddr = ip.trim().parse().ok()?;
    let prefix_max = if ip.is_ipv4() { 32 } else { 128 };
    match prefix.map(str::parse::<u8>) {
        None => Some(ip.to_string()),
        Some(Ok(prefix)) if prefix == prefix_max => Some(ip.to_string()),
        Some(Ok(prefix)) if prefix < prefix_max => Some(format!("{ip}/{prefix}")),
        Some(_) => None,
    }
}

/// The options that are in effect: a missing one has Proxmox's default.
pub(super) fn options_of(found: &VmConfig) -> FirewallOptions {
    let flag = |key: &str, default| if found.get(key).is_some() { found.is_set(key) } else { default };
    let policy = |key: &str, default| match found.get(key) {
        None => Some(default),
        Some(word) => {
            let known = [FirewallAction::Accept, FirewallAction::Drop, FirewallAction::Reject];
            known.into_iter().find(|action| action_word(*action) == word)
        }
    };
    FirewallOptions {
        enabled: flag("enable", false),
        policy_in: policy("policy_in", FirewallAction::Drop),
        policy_out: policy("policy_out", FirewallAction::Accept),
        mac_filter: flag("macfilter", true),
        ip_filter: flag("ipfilter", false),
    }
}

/// The options that differ.
pub(super) fn options_changes(found: &VmConfig, spec: &FirewallSpec) -> Map<String, Value> {
    let mut changes = Map::new();
    let FirewallOptions { enabled, policy_in, policy_out, mac_filter, ip_filter } = options_of(found);
    let flags = [
        ("enable", spec.enabled, enabled),
        ("macfilter", spec.mac_filter, mac_filter),
        ("ipfilter", spec.ip_filter, ip_filter),
    ];
    for (key, wanted, is) in flags {
        if is != wanted {
            changes.insert(key.to_owned(), u8::from(wanted).into());
        }
    }
    for (key, wanted, is) in [("policy_in", spec.policy_in, policy_in), ("policy_out", spec.policy_out, policy_out)] {
        if is != Some(wanted) {
            changes.insert(key.to_owned(), action_word(wanted).into());
        }
    }
    changes
}

/// The sets of addresses that each card may send from. A card without addresses may send from none.
pub(super) fn ip_sets(spec: &FirewallSpec, config: &VmConfig) -> Result<Vec<(String, BTreeSet<String>)>, String> {
    if !spec.ip_filter {
        return Ok(Vec::new());
    }
    let mut cards: BTreeSet<u32> = config.iter().filter_map(|(key, _)| card_index(key)).collect();
    cards.extend(spec.addresses.iter().map(|(nic, _)| *nic));
    let set = |nic: u32| {
        let addresses = spec.addresses.iter().filter(|(other, _)| *other == nic).flat_map(|(_, list)| list);
        let read = |text: &String| {
            address_of(text).ok_or_else(|| format!("addresses[{nic}]: {text:?} is neither an address nor a network"))
        };
        Ok((format!("{SET_PREFIX}{nic}"), addresses.map(read).collect::<Result<_, String>>()?))
    };
    cards.into_iter().map(set).collect()
}

/// A card's setting with the firewall on; `None` when it is.
pub(super) fn card_with_filter(card: &str) -> Option<String> {
    let parts: Vec<&str> = card.split(',').map(str::trim).collect();
    if parts.contains(&"firewall=1") {
        return None;
    }
    let kept: Vec<&str> = parts.into_iter().filter(|part| !part.starts_with("firewall=")).collect();
    Some(format!("{},firewall=1", kept.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule() -> FirewallRule {
        FirewallRule {
            inbound: true,
            action: FirewallAction::Accept,
            protocol: "tcp".to_owned(),
            source: "10.0.0.5/32".to_owned(),
            destination: String::new(),
            source_ports: String::new(),
            destination_ports: "80,443".to_owned(),
            comment: "web".to_owned(),
        }
    }

    fn spec() -> FirewallSpec {
        FirewallSpec {
            enabled: true,
            policy_in: FirewallAction::Drop,
            policy_out: FirewallAction::Accept,
            rules: vec![rule()],
            mac_filter: true,
            ip_filter: true,
            addresses: vec![(0, vec!["10.0.0.5/32".to_owned(), "2001:DB8::0/64".to_owned()])],
        }
    }

    #[test]
    fn a_rule_is_compared_by_what_it_means() {
        let check = |json: &str, expected| {
            let found: RuleEntry = serde_json::from_str(json).unwrap();
            assert_eq!(is_same(&found, &rule()), expected, "{json}");
        };
        let same = r#"{"pos":0,"type":"in","action":"ACCEPT","enable":1,"proto":"tcp","source":"10.0.0.5","dport":"80,443","comment":"web"}"#;
        check(same, true);
        check(&same.replace("\"enable\":1", "\"enable\":0"), false);
        check(&same.replace("\"in\"", "\"out\""), false);
        check(&same.replace("10.0.0.5", "10.0.0.6"), false);
        check(&same.replace("\"proto\"", "\"macro\":\"SSH\",\"proto\""), false);
        assert_eq!(rule_body(&rule())["enable"], 0);
        assert!(rule_body(&rule()).get("dest").is_none());
    }

    #[test]
    fn only_options_that_differ_are_set() {
        let check = |json: &str, expected: &str| {
            let found = serde_json::from_str(json).unwrap();
            let expected: Value = serde_json::from_str(expected).unwrap();
            assert_eq!(Value::Object(options_changes(&found, &spec())), expected, "{json}");
        };
        check("{}", r#"{"enable":1,"ipfilter":1}"#);
        check(r#"{"enable":1,"ipfilter":"1","policy_in":"DROP"}"#, "{}");
        check(
            r#"{"enable":1,"ipfilter":1,"macfilter":0,"policy_in":"ACCEPT"}"#,
            r#"{"macfilter":1,"policy_in":"DROP"}"#,
        );
    }

    #[test]
    fn every_card_has_its_set_of_addresses() {
        let config = serde_json::from_str(r#"{"net0":"virtio=A,bridge=b","net1":"virtio","netmask":"x"}"#).unwrap();
        let sets = ip_sets(&spec(), &config).unwrap();
        let first = BTreeSet::from(["10.0.0.5".to_owned(), "2001:db8::/64".to_owned()]);
        assert_eq!(sets, [("ipfilter-net0".to_owned(), first), ("ipfilter-net1".to_owned(), BTreeSet::new())]);
        assert!(ip_sets(&FirewallSpec { ip_filter: false, ..spec() }, &config).unwrap().is_empty());
        let bad = FirewallSpec { addresses: vec![(0, vec!["x".to_owned()])], ..spec() };
        assert!(ip_sets(&bad, &config).unwrap_err().contains("addresses[0]"));
    }

    #[test]
    fn a_card_is_led_through_the_firewall_once() {
        assert_eq!(card_with_filter("virtio=A,bridge=b").as_deref(), Some("virtio=A,bridge=b,firewall=1"));
        assert_eq!(card_with_filter("virtio=A,firewall=0,tag=3").as_deref(), Some("virtio=A,tag=3,firewall=1"));
        assert_eq!(card_with_filter("virtio=A,firewall=1,bridge=b"), None);
    }
}

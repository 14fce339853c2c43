//! What a firewall may hold.

use std::net::IpAddr;

use super::{Policy, Protocol, Rule};
use crate::domain::check::Checks;
use crate::error::Result;

const RULES_MAX: usize = 100;
/// What one rule of the kernel's can name; a range counts twice.
const PORTS_MAX: usize = 15;

/// Checks everything in a policy; `Invalid` with every wrong field.
pub fn policy_check(policy: &Policy) -> Result<()> {
    let mut checks = Checks::new();
    if policy.rules.len() > RULES_MAX {
        checks.wrong("rules", format!("has {} rules; at most {RULES_MAX} are allowed", policy.rules.len()));
    } else {
        for (i, rule) in policy.rules.iter().enumerate() {
            rule_check(&mut checks, &format!("rules[{i}]"), rule);
        }
    }
    checks.finish()
}

fn rule_check(checks: &mut Checks, field: &str, rule: &Rule) {
    let mut families = Vec::new();
    for (name, value) in [("source", &rule.source), ("destination", &rule.destination)] {
        if let Some(value) = value {
            match network(value) {
                Some(address) => families.push(address.is_ipv6()),
                None => checks.wrong(
                    format!("{field}.{name}"),
                    "must be an address or a network in CIDR notation, such as 192.0.2.0/24 or 2001:db8::/32",
                ),
            }
        }
    }
    if families.windows(2).any(|pair| pair[0] != pair[1]) {
        checks.wrong(format!("{field}.destination"), "is of another IP version than the source");
    }
    let wrong_family = match rule.protocol {
        Some(Protocol::Icmp) => families.contains(&true),
        Some(Protocol::Icmpv6) => families.contains(&false),
        Some(Protocol::Tcp | Protocol::Udp) | None => false,
    };
    if wrong_family {
        checks
            .wrong(format!("{field}.protocol"), "icmp is of IPv4 and ipv6-icmp of IPv6: choose that of the addresses");
    }
    let with_ports = matches!(rule.protocol, Some(Protocol::Tcp | Protocol::Udp));
    for (name, value) in [("source_ports", &rule.source_ports), ("destination_ports", &rule.destination_ports)] {
        if let Some(value) = value {
            if !with_ports {
                checks.wrong(format!("{field}.{name}"), "only tcp and udp have ports: set the protocol to one of them");
            } else if let Err(message) = ports(value) {
                checks.wrong(format!("{field}.{name}"), message);
            }
        }
    }
    if let Some(comment) = &rule.comment {
        checks.text(&format!("{field}.comment"), comment, 0..=100);
    }
}

/// The address of an address or network.
fn network(text: &str) -> Option<IpAddr> {
    let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
    let address: IpAddr = address.parse().ok()?;
    let longest = if address.is_ipv6() { 128 } else { 32 };
    match length {
        None => Some(address),
        Some(length) if length.len() <= 3 && length.bytes().all(|b| b.is_ascii_digit()) => {
            length.parse::<u8>().ok().filter(|length| *length <= longest).map(|_| address)
        }
        Some(_) => None,
    }
}

fn ports(text: &str) -> Result<(), String> {
    const HOW: &str = "must be ports from 1 to 65535: 80, 8000:8100, or several with commas and without spaces";
    let port = |text: &str| {
        let digits = (1..=5).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        if digits { text.parse::<u16>().ok().filter(|port| *port > 0) } else { None }
    };
    let mut named = 0;
    for item in text.split(',') {
        let right = if let Some((first, last)) = item.split_once(':') {
            named += 2;
            port(first).zip(port(last)).is_some_and(|(first, last)| first <= last)
        } else {
            named += 1;
            port(item).is_some()
        };
        if !right {
            return Err(HOW.to_owned());
        }
    }
    if named > PORTS_MAX {
        return Err(format!("names more than {PORTS_MAX} ports (a range counts as two): make several rules of it"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Direction;
    use super::*;
    use crate::domain::jobs::command::FirewallAction;

    fn rule() -> Rule {
        Rule {
            direction: Direction::In,
            action: FirewallAction::Accept,
            protocol: Some(Protocol::Tcp),
            source: None,
            destination: None,
            source_ports: None,
            destination_ports: None,
            comment: None,
        }
    }

    fn check(rule: Rule) -> String {
        let policy = Policy { rules: vec![rule], ..Policy::default() };
        policy_check(&policy).map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn networks_and_ports_are_as_the_kernel_takes_them() {
        for good in ["0.0.0.0/0", "192.0.2.7", "::/0", "2001:db8::1/128"] {
            assert_eq!(check(Rule { source: Some(good.into()), ..rule() }), "", "{good}");
        }
        for bad in ["", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/+8", "host", "::1/129", "10.0.0.1-10.0.0.9", "+set"] {
            assert!(check(Rule { source: Some(bad.into()), ..rule() }).starts_with("rules[0].source: "), "{bad}");
        }
        for good in ["1", "65535", "80,443", "8000:8100,22"] {
            assert_eq!(check(Rule { destination_ports: Some(good.into()), ..rule() }), "", "{good}");
        }
        let many = vec!["80"; 16].join(",");
        for bad in ["", "0", "65536", "80, 443", "90:80", "a", "80:", "1:2:3", "-1", many.as_str()] {
            let error = check(Rule { destination_ports: Some(bad.into()), ..rule() });
            assert!(error.starts_with("rules[0].destination_ports: "), "{bad}: {error}");
        }
    }

    #[test]
    fn what_does_not_fit_together_is_named() {
        let (v4, v6) = (Some("192.0.2.0/24".to_owned()), Some("2001:db8::/32".to_owned()));
        let mixed = Rule { source: v4.clone(), destination: v6.clone(), ..rule() };
        assert!(check(mixed).starts_with("rules[0].destination: is of another IP version"));
        let icmp = |protocol, source| Rule { protocol: Some(protocol), source, ..rule() };
        assert!(check(icmp(Protocol::Icmp, v6.clone())).starts_with("rules[0].protocol: "));
        assert!(check(icmp(Protocol::Icmpv6, v4.clone())).starts_with("rules[0].protocol: "));
        assert_eq!(check(icmp(Protocol::Icmp, v4)), "");
        let ports = Rule { destination_ports: Some("80".into()), protocol: None, ..rule() };
        assert!(check(ports).contains("only tcp and udp have ports"));
        assert!(check(Rule { comment: Some("a\nb".into()), ..rule() }).starts_with("rules[0].comment: "));
        let policy = Policy { rules: vec![rule(); 101], ..Policy::default() };
        assert!(policy_check(&policy).unwrap_err().to_string().starts_with("rules: has 101 rules"));
    }

    #[test]
    fn a_pod_without_addresses_is_filtered_by_its_mac_alone() {
        let none = Policy::default().command(vec![(0, Vec::new())]);
        assert_eq!((none.enabled, none.mac_filter, none.ip_filter), (true, true, false));
        let own = Policy::default().command(vec![(0, vec!["192.0.2.7".into()])]);
        assert_eq!((own.enabled, own.ip_filter, own.addresses.len()), (true, true, 1));
        let open = Policy { mac_filter: false, ip_filter: false, ..Policy::default() }.command(Vec::new());
        assert!(!open.enabled, "there is nothing to filter");
    }
}

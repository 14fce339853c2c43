//! Whether what callers ask of a pool is acceptable.

use std::net::IpAddr;

use ipnet::IpNet;

use super::range::{Range, SLOTS_MAX, address, hosts, number};
use super::{IpPool, IpPoolCreate, IpPoolPatch};
use crate::domain::check::Checks;
use crate::error::Result;

/// What the operator sets of a pool.
pub(super) struct Settings {
    pub(super) name: String,
    pub(super) range: Range,
    pub(super) dns: Vec<IpAddr>,
    pub(super) bridge: Option<String>,
    pub(super) vlan: Option<u16>,
    pub(super) region: Option<String>,
    pub(super) active: bool,
    pub(super) public: bool,
}

/// Name, name servers, bridge, VLAN, region, whether it is active and whether tenants may name it.
type Rest = (String, Vec<IpAddr>, Option<String>, Option<u16>, Option<String>, bool, bool);

impl Settings {
    pub(super) fn of_create(input: IpPoolCreate) -> Result<Self> {
        let IpPoolCreate {
            name,
            cidr,
            first,
            last,
            prefix_length,
            gateway,
            dns,
            bridge,
            vlan,
            region,
            active,
            private,
        } = input;
        let mut checks = Checks::new();
        let gateway = ip(&mut checks, "gateway", &gateway);
        let range = match (cidr, first, last) {
            (Some(cidr), None, None) => {
                checks.require(prefix_length.is_none(), "prefix_length", "is part of cidr already; leave it out");
                gateway.and_then(|gateway| subnet_range(&mut checks, &cidr, gateway))
            }
            (None, Some(first), Some(last)) => {
                let (first, last) = (ip(&mut checks, "first", &first), ip(&mut checks, "last", &last));
                if prefix_length.is_none() {
                    checks.wrong("prefix_length", "is missing; give the length of the subnet's prefix, such as 24");
                }
                match (first, last, prefix_length, gateway) {
                    (Some(first), Some(last), Some(prefix_length), Some(gateway)) => {
                        Some(Range { first, last, prefix_length, gateway })
                    }
                    _ => None,
                }
            }
            (Some(_), _, _) => {
                checks.wrong("cidr", "goes with neither first nor last; give a subnet, or the two ends of a range");
                None
            }
            _ => {
                checks
                    .wrong("cidr", "is missing; give a subnet such as 192.0.2.0/24, or first, last and prefix_length");
                None
            }
        };
        let dns = dns_of(&mut checks, &dns);
        Self::checked(checks, range, (name, dns, bridge, vlan, region, active, !private))
    }

    pub(super) fn of_patch(pool: &IpPool, patch: IpPoolPatch) -> Result<Self> {
        let IpPoolPatch { name, last, gateway, dns, bridge, vlan, region, active, public } = patch;
        let mut checks = Checks::new();
        let mut range = Some(pool.range.clone());
        if let Some(last) = last {
            match (ip(&mut checks, "last", &last), &mut range) {
                (Some(last), Some(range)) => range.last = last,
                _ => range = None,
            }
        }
        if let Some(gateway) = gateway {
            match (ip(&mut checks, "gateway", &gateway), &mut range) {
                (Some(gateway), Some(range)) => range.gateway = gateway,
                _ => range = None,
            }
        }
        let dns = match dns {
            Some(dns) => dns_of(&mut checks, &dns),
            None => pool.dns.clone(),
        };
        let rest = (
            name.unwrap_or_else(|| pool.name.clone()),
            dns,
            bridge.unwrap_or_else(|| pool.bridge.clone()),
            vlan.unwrap_or(pool.vlan),
            region.unwrap_or_else(|| pool.region.clone()),
            active.unwrap_or(pool.active),
            public.unwrap_or(pool.public),
        );
        Self::checked(checks, range, rest)
    }

    fn checked(
        mut checks: Checks,
        range: Option<Range>,
        (name, dns, bridge, vlan, region, active, public): Rest,
    ) -> Result<Self> {
        checks.name("name", &name);
        if let Some(bridge) = &bridge {
            checks.bridge("bridge", bridge);
        }
        if let Some(vlan) = vlan {
            checks.range("vlan", vlan, 1..=4094);
        }
        if let Some(region) = &region {
            checks.name("region", region);
        }
        if let Some(range) = &range {
            range_check(&mut checks, range);
        }
        checks.finish()?;
        // Without a complaint there is a range.
        let range = range.ok_or_else(|| crate::error::Error::invalid("cidr", "is missing"))?;
        Ok(Self { name, range, dns, bridge, vlan, region, active, public })
    }
}

fn ip(checks: &mut Checks, field: &str, text: &str) -> Option<IpAddr> {
    let parsed: Option<IpAddr> = text.trim().parse().ok();
    if parsed.is_none() {
        checks.wrong(field, "must be an IP address, such as 192.0.2.1 or 2001:db8::1");
    }
    parsed
}

fn dns_of(checks: &mut Checks, dns: &[String]) -> Vec<IpAddr> {
    if dns.len() > 8 {
        checks.wrong("dns", format!("has {} servers; at most 8 are allowed", dns.len()));
        return Vec::new();
    }
    let mut servers = Vec::new();
    for (i, text) in dns.iter().enumerate() {
        match ip(checks, &format!("dns[{i}]"), text) {
            Some(server) if server.is_unspecified() || server.is_multicast() => {
                checks.wrong(format!("dns[{i}]"), "is no host's address; give the address of a name server");
            }
            Some(server) => servers.push(server),
            None => {}
        }
    }
    servers
}

fn subnet_range(checks: &mut Checks, cidr: &str, gateway: IpAddr) -> Option<Range> {
    let Ok(subnet) = cidr.trim().parse::<IpNet>() else {
        checks.wrong("cidr", "must be a subnet, such as 192.0.2.0/24 or 2001:db8:1::/64");
        return None;
    };
    if subnet.addr() != subnet.network() {
        checks.wrong("cidr", format!("has host bits set; the subnet is {}", subnet.trunc()));
        return None;
    }
    if subnet.addr().is_ipv4() != gateway.is_ipv4() {
        checks.wrong("gateway", "is of the other IP version than the range");
        return None;
    }
    let range = Range::of_subnet(subnet, gateway);
    if range.is_none() {
        checks.wrong("cidr", "has no address beside the gateway's; give a larger subnet");
    }
    range
}

fn range_check(checks: &mut Checks, range: &Range) {
    let v4 = range.first.is_ipv4();
    if range.last.is_ipv4() != v4 {
        checks.wrong("last", "is of the other IP version than first");
        return;
    }
    if range.gateway.is_ipv4() != v4 {
        checks.wrong("gateway", "is of the other IP version than the range");
        return;
    }
    let bits_max = if v4 { 32 } else { 128 };
    if range.prefix_length == 0 || range.prefix_length > bits_max {
        checks.wrong("prefix_length", format!("is {}; 1 to {bits_max} are allowed", range.prefix_length));
        return;
    }
    if range.last < range.first {
        checks.wrong("last", "lies before first; the range must go upwards");
        return;
    }
    let Some(subnet) = range.subnet() else { return };
    let (low, high) = hosts(subnet);
    if !subnet.contains(&range.last) || number(range.last) > high {
        checks.wrong("last", format!("is no host of {subnet}; the highest is {}", address(high, !v4)));
    }
    if number(range.first) < low {
        checks.wrong("first", format!("is the address of {subnet} itself; the lowest host is {}", address(low, !v4)));
    }
    for (field, address) in [("first", range.first), ("last", range.last)] {
        if address.is_loopback() || address.is_multicast() || address.is_unspecified() {
            checks.wrong(field, "is no address that a host may have");
        }
    }
    gateway_check(checks, range, subnet);
    if range.span() > SLOTS_MAX {
        checks.wrong(
            "last",
            format!(
                "makes the range larger than 2^62; the highest may be {}",
                address(number(range.first) + SLOTS_MAX - 1, !v4)
            ),
        );
    } else if range.size() == 0 {
        checks.wrong("last", "leaves nothing but the gateway's address in the range");
    }
}

fn gateway_check(checks: &mut Checks, range: &Range, subnet: IpNet) {
    // A v6 gateway is often the router's link-local address, which is in no subnet.
    let link_local = matches!(range.gateway, IpAddr::V6(v6) if v6.is_unicast_link_local());
    // A /32 or /128 for each pod is routed over a gateway outside.
    let host_route = range.prefix_length == if range.first.is_ipv4() { 32 } else { 128 };
    if range.gateway.is_unspecified() || range.gateway.is_multicast() || range.gateway.is_loopback() {
        checks.wrong("gateway", "is no address that a router may have");
    } else if !subnet.contains(&range.gateway) && !link_local && !host_route {
        checks.wrong("gateway", format!("is not in {subnet}; a pod could not reach it"));
    } else if subnet.contains(&range.gateway) {
        let (low, high) = hosts(subnet);
        let gateway = number(range.gateway);
        checks.require(
            // Some networks do have their router on the subnet's lowest v6 address.
            (low..=high).contains(&gateway) || range.gateway.is_ipv6(),
            "gateway",
            "is the subnet's own or its broadcast address; a router cannot have it",
        );
    }
}

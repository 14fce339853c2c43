//! Pods' firewalls: what is wanted of each as a whole, and which version of it was last brought to its host. A pod that nobody
//! gave one has the default: everything may pass, but only from the pod's own MAC and IP addresses.

mod check;
pub mod service;
mod store;

use serde::{Deserialize, Serialize};

use crate::clock::Ms;

use crate::domain::jobs::command::{Firewall, FirewallAction, FirewallRule};
use crate::domain::servers::FirewallOptions;
use crate::domain::servers::holdings::{FIREWALL_OFF, FIREWALL_SWITCH_ON};

pub use check::policy_check;

/// What is wanted of a pod's firewall.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FirewallPolicy)]
pub struct Policy {
    /// What happens to inbound traffic that no rule names.
    pub policy_in: FirewallAction,
    /// What happens to outbound traffic that no rule names.
    pub policy_out: FirewallAction,
    /// Let it send only from its own MAC addresses.
    pub mac_filter: bool,
    /// Let it send only from the addresses that it holds. Without effect on a pod that asks DHCP for its addresses.
    pub ip_filter: bool,
    /// In order, the first match decides; at most 100.
    pub rules: Vec<Rule>,
}

/// One rule of a firewall. What is left out matches anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FirewallRule)]
pub struct Rule {
    /// Which traffic.
    pub direction: Direction,
    /// What happens to it.
    pub action: FirewallAction,
    /// Of this protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// From this address or network (CIDR).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// To this address or network (CIDR).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// From these ports: `80`, `8000:8100`, or several with commas. For tcp and udp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ports: Option<String>,
    /// To these ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_ports: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// Whether traffic comes to a pod or leaves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FirewallDirection)]
pub enum Direction {
    /// To the pod.
    In,
    /// From the pod.
    Out,
}

/// What a rule can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = FirewallProtocol)]
pub enum Protocol {
    /// TCP.
    #[serde(rename = "tcp")]
    Tcp,
    /// UDP.
    #[serde(rename = "udp")]
    Udp,
    /// ICMP, of IPv4.
    #[serde(rename = "icmp")]
    Icmp,
    /// ICMPv6.
    #[serde(rename = "ipv6-icmp")]
    Icmpv6,
}

impl Protocol {
    /// As Proxmox names it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Icmp => "icmp",
            Self::Icmpv6 => "ipv6-icmp",
        }
    }
}

/// A pod's firewall as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What is wanted.
    pub policy: Policy,
    /// Raised by every change; 0: the default, which nobody changed.
    pub version: i64,
    /// The version that its host last took; 0: none.
    pub applied_version: i64,
    /// When it did.
    pub applied_at: Option<Ms>,
}

/// That a pod's host has not taken what is wanted.
pub const NOT_TAKEN: &str = "its host has not taken the firewall that is wanted";
/// What to do about it.
pub const NOT_TAKEN_CURE: &str = "see its newest `firewall` job for the cause, and set it again with `mpanel pod firewall`; where the host's \
                                  agent is too old for firewalls, update it first";

impl Kept {
    /// Why what is wanted is not in effect, and what to do; `None`: it is. `datacenter`: whether the firewall of the host's
    /// datacenter is on, as far as that is known.
    #[must_use]
    pub fn lack(&self, datacenter: Option<bool>) -> Option<String> {
        if self.version == 0 {
            let text = "nothing was brought to its host, which has what its VM came with: set it to have it applied";
            return Some(text.to_owned());
        }
        if self.applied_version != self.version {
            return Some(format!("{NOT_TAKEN}: {NOT_TAKEN_CURE}"));
        }
        (datacenter == Some(false) && self.policy.filters()).then(|| format!("{FIREWALL_OFF}: {FIREWALL_SWITCH_ON}"))
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            policy_in: FirewallAction::Accept,
            policy_out: FirewallAction::Accept,
            mac_filter: true,
            ip_filter: true,
            rules: Vec::new(),
        }
    }
}

impl Policy {
    /// Whether anything at all is kept from passing.
    #[must_use]
    pub fn filters(&self) -> bool {
        let Self { policy_in, policy_out, mac_filter, ip_filter, rules } = self;
        let open = *policy_in == FirewallAction::Accept && *policy_out == FirewallAction::Accept && rules.is_empty();
        *mac_filter || *ip_filter || !open
    }

    /// As a host is told. `addresses`: what each network card may send from, by its index.
    #[must_use]
    pub fn command(self, addresses: Vec<(u32, Vec<String>)>) -> Firewall {
        let wanted = self.effective(addresses.iter().any(|(_, addresses)| !addresses.is_empty()));
        let enabled = wanted.filters();
        let Self { policy_in, policy_out, mac_filter, ip_filter, rules } = wanted;
        Firewall {
            enabled,
            policy_in,
            policy_out,
            rules: rules.into_iter().map(Rule::command).collect(),
            mac_filter,
            ip_filter,
            addresses: if ip_filter { addresses } else { Vec::new() },
        }
    }

    /// The options that a host has once it has taken this. `addressed`: the pod holds addresses.
    #[must_use]
    pub fn options(self, addressed: bool) -> FirewallOptions {
        let wanted = self.effective(addressed);
        let enabled = wanted.filters();
        let Self { policy_in, policy_out, mac_filter, ip_filter, rules: _ } = wanted;
        FirewallOptions { enabled, policy_in: Some(policy_in), policy_out: Some(policy_out), mac_filter, ip_filter }
    }

    /// A pod that holds no addresses asks DHCP, and nobody knows what it may use.
    fn effective(self, addressed: bool) -> Self {
        Self { ip_filter: self.ip_filter && addressed, ..self }
    }
}

impl Rule {
    fn command(self) -> FirewallRule {
        let Self { direction, action, protocol, source, destination, source_ports, destination_ports, comment } = self;
        FirewallRule {
            inbound: direction == Direction::In,
            action,
            protocol: protocol.map_or("", Protocol::as_str).to_owned(),
            source: source.unwrap_or_default(),
            destination: destination.unwrap_or_default(),
            source_ports: source_ports.unwrap_or_default(),
            destination_ports: destination_ports.unwrap_or_default(),
            comment: comment.unwrap_or_default(),
        }
    }
}

//! The arithmetic of address ranges.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// The most addresses that one pool may have. A v6 subnet is larger than any number that the database has.
pub(super) const SLOTS_MAX: u128 = 1 << 62;

/// Consecutive addresses in one subnet, and the gateway out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// The lowest address that may be given out.
    pub first: IpAddr,
    /// The highest.
    pub last: IpAddr,
    /// Of the subnet.
    pub prefix_length: u8,
    /// Never given out, also where it lies within the range.
    pub gateway: IpAddr,
}

impl Range {
    /// The addresses of a subnet that hosts may have: without the network's own and, for v4, the broadcast address; of a
    /// subnet larger than 2⁶² addresses the lowest 2⁶². `None`: the subnet has no room for a host beside its gateway.
    pub(super) fn of_subnet(subnet: IpNet, gateway: IpAddr) -> Option<Self> {
        let (low, high) = hosts(subnet);
        let (mut low, mut high) = (low, high.min(low.saturating_add(SLOTS_MAX - 1)));
        let out = number(gateway);
        // At an end the range is simply shorter; in between the gateway's slot is skipped.
        if low == out {
            low += 1;
        }
        if high == out {
            high = high.checked_sub(1)?;
        }
        if low > high {
            return None;
        }
        let v6 = subnet.addr().is_ipv6();
        Some(Self { first: address(low, v6), last: address(high, v6), prefix_length: subnet.prefix_len(), gateway })
    }

    /// The subnet that the range lies in.
    pub(super) fn subnet(&self) -> Option<IpNet> {
        IpNet::new(self.first, self.prefix_length).ok().map(|net| net.trunc())
    }

    /// 4 or 6.
    #[must_use]
    pub fn family(&self) -> u8 {
        if self.first.is_ipv4() { 4 } else { 6 }
    }

    /// How many slots there are, the gateway's included.
    pub(super) fn span(&self) -> u128 {
        number(self.last).saturating_sub(number(self.first)).saturating_add(1)
    }

    /// How many addresses may be given out.
    #[must_use]
    pub fn size(&self) -> u64 {
        let span = self.span().min(SLOTS_MAX);
        u64::try_from(span).unwrap_or(u64::MAX).saturating_sub(u64::from(self.gateway_slot().is_some()))
    }

    /// The gateway's distance from the first address, where it lies within the range.
    pub(super) fn gateway_slot(&self) -> Option<i64> {
        self.slot_of(self.gateway)
    }

    /// An address's distance from the first one; `None`: it is not in the range.
    pub(super) fn slot_of(&self, address: IpAddr) -> Option<i64> {
        if address.is_ipv4() != self.first.is_ipv4() || address < self.first || address > self.last {
            return None;
        }
        i64::try_from(number(address) - number(self.first)).ok()
    }

    /// The address at a distance from the first one; `None`: the range is not that long.
    pub(super) fn address_at(&self, slot: i64) -> Option<IpAddr> {
        let slot = u128::try_from(slot).ok()?;
        (slot < self.span()).then(|| address(number(self.first) + slot, self.first.is_ipv6()))
    }

    /// Whether two ranges have an address in common.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.first.is_ipv4() == other.first.is_ipv4() && self.first <= other.last && other.first <= self.last
    }
}

/// The lowest and the highest address of a subnet that a host may have, as numbers. Where a subnet has but one or two
/// addresses, all are hosts' (RFC 3021, RFC 6164).
pub(super) fn hosts(subnet: IpNet) -> (u128, u128) {
    let (low, high) = (number(subnet.network()), number(subnet.broadcast()));
    if high - low < 2 {
        return (low, high);
    }
    // The lowest address of a v6 subnet is the routers' anycast address (RFC 4291 §2.6.1).
    if subnet.addr().is_ipv4() { (low + 1, high - 1) } else { (low + 1, high) }
}

pub(super) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

pub(super) fn address(number: u128, v6: bool) -> IpAddr {
    if v6 { Ipv6Addr::from(number).into() } else { Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX)).into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(subnet: &str, gateway: &str) -> Option<(String, String, u64)> {
        let range = Range::of_subnet(subnet.parse().unwrap(), gateway.parse().unwrap())?;
        Some((range.first.to_string(), range.last.to_string(), range.size()))
    }

    #[test]
    fn a_subnet_gives_its_hosts_without_the_gateway() {
        let is = |first: &str, last: &str, size| Some((first.to_owned(), last.to_owned(), size));
        assert_eq!(check("192.0.2.0/24", "192.0.2.1"), is("192.0.2.2", "192.0.2.254", 253));
        assert_eq!(check("192.0.2.0/24", "192.0.2.254"), is("192.0.2.1", "192.0.2.253", 253));
        assert_eq!(check("192.0.2.0/24", "192.0.2.100"), is("192.0.2.1", "192.0.2.254", 253));
        assert_eq!(check("192.0.2.4/30", "192.0.2.5"), is("192.0.2.6", "192.0.2.6", 1));
        assert_eq!(check("192.0.2.4/31", "192.0.2.4"), is("192.0.2.5", "192.0.2.5", 1));
        assert_eq!(check("192.0.2.4/32", "192.0.2.4"), None);
        assert_eq!(check("192.0.2.4/32", "192.0.2.9"), is("192.0.2.4", "192.0.2.4", 1));
        assert_eq!(check("2001:db8::/64", "fe80::1"), is("2001:db8::1", "2001:db8:0:0:4000::", 1 << 62));
        assert_eq!(check("2001:db8::/126", "2001:db8::1"), is("2001:db8::2", "2001:db8::3", 2));
        assert_eq!(check("0.0.0.0/0", "0.0.0.1"), is("0.0.0.2", "255.255.255.254", 4_294_967_293));
        assert!(check("::/0", "::1").is_some());
    }

    #[test]
    fn slots_and_addresses_are_each_other_s_inverse() {
        let range = Range::of_subnet("2001:db8::/64".parse().unwrap(), "2001:db8::5".parse().unwrap()).unwrap();
        assert_eq!(range.gateway_slot(), Some(4));
        for slot in [0, 1, 4, 1 << 40, (1 << 62) - 1] {
            assert_eq!(range.slot_of(range.address_at(slot).unwrap()), Some(slot));
        }
        assert_eq!(range.address_at(1 << 62), None);
        assert_eq!(range.address_at(-1), None);
        assert_eq!(range.slot_of("2001:db8::".parse().unwrap()), None);
        assert_eq!(range.slot_of("192.0.2.1".parse().unwrap()), None);
    }

    #[test]
    fn ranges_overlap_when_they_share_an_address() {
        let range = |first: &str, last: &str| Range {
            first: first.parse().unwrap(),
            last: last.parse().unwrap(),
            prefix_length: 24,
            gateway: "192.0.2.1".parse().unwrap(),
        };
        let a = range("192.0.2.10", "192.0.2.20");
        assert!(a.overlaps(&range("192.0.2.20", "192.0.2.30")));
        assert!(a.overlaps(&range("192.0.2.1", "192.0.2.254")));
        assert!(!a.overlaps(&range("192.0.2.21", "192.0.2.30")));
        assert!(!a.overlaps(&range("::1", "::2")));
    }
}

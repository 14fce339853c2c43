//! Failed sign-ins, counted by account and by address in the database, so that all control planes count as one. Each failure makes
//! the next wait longer. An attempt is counted before it is judged and taken back when it was right: however many are made at
//! once, no more of them are judged than one after another would be.

pub mod service;
mod store;

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// Without a failure for so long, the count begins anew.
pub const FORGET: Duration = Duration::from_hours(24);
const WAIT_FIRST: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_mins(15);

/// Whose attempts are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    key: String,
    /// Failures that cost no wait yet.
    free: u32,
}

impl Subject {
    /// Attempts at one account, whether there is such an account or not.
    #[must_use]
    pub fn account(email: &str) -> Self {
        Self { key: format!("account:{email}"), free: 5 }
    }

    /// Attempts from one address, behind which may be many people. `None`: the address is not known.
    #[must_use]
    pub fn address(address: Option<IpAddr>) -> Self {
        let key =
            address.map_or_else(|| "address:unknown".to_owned(), |address| format!("address:{}", network(address)));
        Self { key, free: 20 }
    }

    /// Links for a new password that are asked for by or for somebody.
    #[must_use]
    pub fn links(&self) -> Self {
        Self { key: format!("link-{}", self.key), free: self.free / 2 }
    }

    /// Mails to one address that invite it.
    #[must_use]
    pub fn invitations(email: &str) -> Self {
        Self { key: format!("invitations:{email}"), free: 5 }
    }

    /// The wait after so many failures.
    fn wait(&self, failures: i64) -> Duration {
        let beyond = failures - i64::from(self.free);
        if beyond <= 0 {
            return Duration::ZERO;
        }
        let doublings = u32::try_from(beyond - 1).unwrap_or(u32::MAX).min(16);
        WAIT_FIRST.saturating_mul(1 << doublings).min(WAIT_MAX)
    }
}

/// Whoever has one IPv6 address has its /64.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_beyond_the_free_ones_doubles_the_wait_up_to_the_longest() {
        let account = Subject::account("a@example.net");
        for (failures, seconds) in [(0, 0), (5, 0), (6, 1), (7, 2), (8, 4), (15, 512), (16, 900), (1000, 900)] {
            assert_eq!(account.wait(failures), Duration::from_secs(seconds), "{failures}");
        }
        assert_eq!(account.wait(i64::MAX), WAIT_MAX);
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let of = |text: &str| Subject::address(Some(text.parse().unwrap()));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }
}

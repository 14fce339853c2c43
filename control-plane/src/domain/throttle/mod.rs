//! Failed sign-ins, counted in the database, so that all control planes count as one. Each failure makes the next wait longer, and one
//! fades each hour, whatever comes between: an office behind one address, where somebody mistypes now and then, does not gather
//! them until it has to wait. An attempt is counted before it is judged and taken back when it was right: however many are made at
//! once, no more of them are judged than one after another would be.
//!
//! The wait that grows long is that of one network at one account, and that of one network at all accounts: whoever guesses at
//! another's account waits alone, and its owner comes in from elsewhere. What all networks together may guess at one account is bounded
//! by a wait of seconds, which an owner can sit out; and where the owner is signed in from it does not count, so that not even somebody
//! with networks in plenty (an IPv6 /48 holds 65,536) can keep it going against them there. Guesses that are judged at one account in a
//! day are at most
//!
//! - from one network: 5 free, 10 while the wait doubles from 1 s to 512 s (together 1,023 s), then one each 900 s: 110;
//! - from all networks: 100 free, 3 while it doubles from 1 s to 4 s, then one each 5 s: 17,382; and from each network that its owner is
//!   signed in from (100 at most) 110 more.
//!
//! That many guesses at a code of six digits would find it. So second factors have a count of their own, whoever tries and from
//! wherever: 10 free, 10 while the wait doubles, then one each 900 s: 115 in a day. It counts after the right password alone, so that
//! no stranger keeps an account's owner waiting, who is told by mail that somebody knows their password. A new password begins no new
//! count: whoever reads the owner's mail could set one as often as they like.

pub mod service;
mod store;

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use crate::ids::{TenantId, UserId};

/// Without an attempt for so long, the count begins anew.
pub const FORGET: Duration = Duration::from_hours(24);
const WAIT_FIRST: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_mins(15);
/// One failure fades in so long.
const FADE: Duration = Duration::from_hours(1);
/// Tries of an account's second factor that cost no wait.
pub const SECOND_FREE: u32 = 10;
/// For an account, whoever tries: strangers can keep its owner waiting for no longer.
const ACCOUNT_WAIT_MAX: Duration = Duration::from_secs(5);

/// Whose attempts are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    key: String,
    /// Failures that cost no wait yet.
    free: u32,
    wait_max: Duration,
}

impl Subject {
    /// All that an attempt at an account counts for, whether there is such an account or not; `is_known`: its owner is signed in from
    /// there. Always in this order, in which their rows are locked.
    #[must_use]
    pub fn sign_in(email: &str, address: Option<IpAddr>, is_known: bool) -> Vec<Self> {
        let mut subjects = vec![Self::address(address), Self::account_from(email, address)];
        if !is_known {
            subjects.push(Self::account(email));
        }
        subjects
    }

    /// Attempts from one address, behind which may be many people. `None`: the address is not known.
    #[must_use]
    pub fn address(address: Option<IpAddr>) -> Self {
        Self { key: format!("address:{}", place(address)), free: 20, wait_max: WAIT_MAX }
    }

    /// Attempts at one account from one address.
    #[must_use]
    pub fn account_from(email: &str, address: Option<IpAddr>) -> Self {
        Self { key: format!("account:{email} from {}", place(address)), free: 5, wait_max: WAIT_MAX }
    }

    /// Attempts at one account from anywhere but where its owner is signed in from.
    #[must_use]
    pub fn account(email: &str) -> Self {
        Self { key: format!("account:{email}"), free: 100, wait_max: ACCOUNT_WAIT_MAX }
    }

    /// Tries of an account's second factor, by who knows its password.
    #[must_use]
    pub fn second(user: UserId) -> Self {
        Self { key: format!("second:{user}"), free: SECOND_FREE, wait_max: WAIT_MAX }
    }

    /// Links for a new password that somebody at this address asks for.
    #[must_use]
    pub fn links_from(address: Option<IpAddr>) -> Self {
        Self { key: format!("link-address:{}", place(address)), free: 10, wait_max: WAIT_MAX }
    }

    /// Links for a new password that one account is sent. Who asks for them in its owner's place only has them sent to the owner.
    #[must_use]
    pub fn links_to(email: &str) -> Self {
        Self { key: format!("link-account:{email}"), free: 2, wait_max: WAIT_MAX }
    }

    /// Mails to one address that invite it.
    #[must_use]
    pub fn invitations(email: &str) -> Self {
        Self { key: format!("invitations:{email}"), free: 5, wait_max: WAIT_MAX }
    }

    /// Mails that one tenant's people have sent to those whom they invite.
    #[must_use]
    pub fn invitations_of(tenant: TenantId) -> Self {
        Self { key: format!("invitations-of:{tenant}"), free: 50, wait_max: Duration::from_hours(1) }
    }

    /// The fewest failures after which the wait is the longest: no more are counted, so that what somebody else did at the same
    /// address is not held against it for weeks.
    fn failures_max(&self) -> i64 {
        let doublings = (0..16).find(|doublings| WAIT_FIRST * (1 << doublings) >= self.wait_max).unwrap_or(16);
        i64::from(self.free) + 1 + i64::from(doublings)
    }

    /// The wait after so many failures.
    fn wait(&self, failures: i64) -> Duration {
        let beyond = failures - i64::from(self.free);
        if beyond <= 0 {
            return Duration::ZERO;
        }
        let doublings = u32::try_from(beyond - 1).unwrap_or(u32::MAX).min(16);
        WAIT_FIRST.saturating_mul(1 << doublings).min(self.wait_max)
    }
}

fn place(address: Option<IpAddr>) -> String {
    address.map_or_else(|| "unknown".to_owned(), |address| network(address).to_string())
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
        let account = Subject::account_from("a@example.net", None);
        for (failures, seconds) in [(0, 0), (5, 0), (6, 1), (7, 2), (8, 4), (15, 512), (16, 900), (1000, 900)] {
            assert_eq!(account.wait(failures), Duration::from_secs(seconds), "{failures}");
        }
        assert_eq!(account.wait(i64::MAX), WAIT_MAX);
    }

    #[test]
    fn strangers_together_make_an_account_wait_for_seconds_alone() {
        let account = Subject::account("a@example.net");
        for (failures, seconds) in [(100, 0), (101, 1), (102, 2), (103, 4), (104, 5), (100_000, 5)] {
            assert_eq!(account.wait(failures), Duration::from_secs(seconds), "{failures}");
        }
    }

    #[test]
    fn no_more_failures_are_kept_than_make_the_longest_wait() {
        for (subject, most) in [
            (Subject::account_from("a@example.net", None), 16),
            (Subject::address(None), 31),
            (Subject::account("a@example.net"), 104),
            (Subject::second(UserId::generate()), 21),
        ] {
            assert_eq!(subject.failures_max(), most);
            assert_eq!(subject.wait(most), subject.wait_max);
            assert!(subject.wait(most - 1) < subject.wait_max);
        }
    }

    /// The figures of the module's comment. Whoever guesses as fast as they may, as what they have guessed fades.
    #[test]
    fn guesses_in_a_day_are_bounded() {
        let in_a_day = |subject: &Subject| {
            let (mut judged, mut at, mut failures, mut faded) = (0, Duration::ZERO, 0, Duration::ZERO);
            while at < Duration::from_hours(24) {
                while at.saturating_sub(faded) >= FADE && failures > 0 {
                    (failures, faded) = (failures - 1, faded + FADE);
                }
                failures = subject.failures_max().min(failures + 1);
                judged += 1;
                at += subject.wait(failures);
            }
            judged
        };
        assert_eq!(in_a_day(&Subject::account_from("a@example.net", None)), 110);
        assert_eq!(in_a_day(&Subject::account("a@example.net")), 17_382);
        assert_eq!(in_a_day(&Subject::second(UserId::generate())), 115);
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let of = |text: &str| Subject::address(Some(text.parse().unwrap()));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        let at = |text: &str| Subject::account_from("a@example.net", Some(text.parse().unwrap()));
        assert_eq!(at("2001:db8::1"), at("2001:db8::ffff"));
        assert_ne!(at("192.0.2.1"), at("192.0.2.2"));
    }
}

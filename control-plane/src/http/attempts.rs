//! Counts wrong tokens by address. A right token always passes: nobody locks out others behind the same address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Ms;
use crate::domain::throttle::network;

const WINDOW: Duration = Duration::from_mins(1);
/// Wrong tokens from one address within the window before it is told to wait.
const FAILURES_MAX: u32 = 10;
/// Addresses that are remembered; beyond them, all that are new count as one.
const ADDRESSES_MAX: usize = 4096;

/// What to make of a wrong token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The address's first of this window.
    First,
    /// One more.
    Counted,
    /// One too many.
    TooMany { retry_after: Duration },
}

/// The wrong tokens of the last minute.
#[derive(Debug, Default)]
pub struct Attempts(Mutex<HashMap<Option<IpAddr>, Window>>);

#[derive(Clone, Copy, Debug)]
struct Window {
    since: Ms,
    failures: u32,
}

impl Attempts {
    pub(super) fn failed(&self, address: Option<IpAddr>, now: Ms) -> Verdict {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut who = address.map(network);
        if windows.len() >= ADDRESSES_MAX && !windows.contains_key(&who) {
            windows.retain(|_, window| now.since(window.since) < WINDOW);
            if windows.len() >= ADDRESSES_MAX {
                who = None;
            }
        }
        let window = windows.entry(who).or_insert(Window { since: now, failures: 0 });
        // A clock that was set back must not lock anybody out.
        if now.since(window.since) >= WINDOW || now < window.since {
            *window = Window { since: now, failures: 0 };
        }
        window.failures = window.failures.saturating_add(1);
        match window.failures {
            1 => Verdict::First,
            n if n <= FAILURES_MAX => Verdict::Counted,
            _ => Verdict::TooMany { retry_after: window.since.plus(WINDOW).since(now) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_tries_many_is_told_to_wait() {
        let attempts = Attempts::default();
        let address: Option<IpAddr> = Some("192.0.2.1".parse().unwrap());
        assert_eq!(attempts.failed(address, Ms(0)), Verdict::First);
        for _ in 1..FAILURES_MAX {
            assert_eq!(attempts.failed(address, Ms(1000)), Verdict::Counted);
        }
        let wait = Verdict::TooMany { retry_after: Duration::from_secs(50) };
        assert_eq!(attempts.failed(address, Ms(10_000)), wait);
        assert_eq!(attempts.failed(Some("192.0.2.2".parse().unwrap()), Ms(10_000)), Verdict::First);
        assert_eq!(attempts.failed(address, Ms(60_000)), Verdict::First);
        assert_eq!(attempts.failed(address, Ms(5)), Verdict::First, "the clock was set back");
    }

    #[test]
    fn memory_is_bounded_and_a_network_is_one() {
        let attempts = Attempts::default();
        for i in 0..10_000_u32 {
            attempts.failed(Some(IpAddr::from(i.to_be_bytes())), Ms(0));
        }
        assert!(attempts.0.lock().unwrap().len() <= ADDRESSES_MAX + 1);
        let attempts = Attempts::default();
        attempts.failed(Some("2001:db8::1".parse().unwrap()), Ms(0));
        assert_eq!(attempts.failed(Some("2001:db8::2".parse().unwrap()), Ms(0)), Verdict::Counted);
    }
}

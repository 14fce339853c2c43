//! Bounds on what strangers can take: places that the newest wins, and attempts per address.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Ms;

/// A bounded number of places. When all are taken, a new taker gets the place of the oldest: half-open connections in
/// their thousands cannot keep out somebody who is quick.
#[derive(Debug)]
pub(super) struct Places {
    max: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    by_age: BTreeMap<u64, CancellationToken>,
}

/// One place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
    lost: CancellationToken,
}

impl Places {
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, taken: Mutex::default() })
    }

    /// Takes a place, from the oldest if need be.
    pub(super) fn take(self: &Arc<Self>) -> Place {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while taken.by_age.len() >= self.max
            && let Some((_, oldest)) = taken.by_age.pop_first()
        {
            oldest.cancel();
        }
        let number = taken.next;
        taken.next += 1;
        let lost = CancellationToken::new();
        taken.by_age.insert(number, lost.clone());
        Place { places: self.clone(), number, lost }
    }
}

impl Place {
    /// Waits until somebody newer took it.
    pub(super) async fn lost(&self) {
        self.lost.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken.lock().unwrap_or_else(PoisonError::into_inner).by_age.remove(&self.number);
    }
}

/// Counts what each key does within a window, and remembers a bounded number of keys.
#[derive(Debug)]
pub(super) struct Attempts<K> {
    count_max: u32,
    window: Duration,
    keys_max: usize,
    by_key: Mutex<HashMap<K, Count>>,
}

#[derive(Debug)]
struct Count {
    since: Ms,
    count: u32,
}

impl<K: Eq + Hash> Attempts<K> {
    pub(super) fn new(count_max: u32, window: Duration, keys_max: usize) -> Self {
        Self { count_max, window, keys_max, by_key: Mutex::default() }
    }

    /// How long `key` has to wait; `None`: it may try.
    pub(super) fn wait(&self, key: &K, now: Ms) -> Option<Duration> {
        let by_key = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = by_key.get(key)?;
        let end = counted.since.plus(self.window);
        (counted.count >= self.count_max && now < end).then(|| end.since(now))
    }

    /// Notes an attempt.
    pub(super) fn note(&self, key: K, now: Ms) {
        let mut by_key = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        if by_key.len() >= self.keys_max {
            by_key.retain(|_, counted| now < counted.since.plus(self.window));
        }
        // Still full: so many keys at once are beyond counting, and what is done at once is bounded too.
        if by_key.len() >= self.keys_max {
            by_key.clear();
        }
        let counted = by_key.entry(key).or_insert(Count { since: now, count: 0 });
        if now >= counted.since.plus(self.window) {
            *counted = Count { since: now, count: 0 };
        }
        counted.count = counted.count.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::throttle::network;

    #[tokio::test]
    async fn a_newcomer_gets_the_oldest_place() {
        let places = Places::new(2);
        let (first, second) = (places.take(), places.take());
        assert!(!first.lost.is_cancelled());
        let third = places.take();
        first.lost().await;
        assert!(!second.lost.is_cancelled() && !third.lost.is_cancelled());
        drop(first);
        drop(second);
        let fourth = places.take();
        assert!(!third.lost.is_cancelled() && !fourth.lost.is_cancelled());
    }

    #[test]
    fn a_key_that_tried_too_often_waits_for_the_window_to_end() {
        let attempts = Attempts::new(2, Duration::from_mins(1), 10);
        attempts.note("here", Ms(0));
        assert_eq!(attempts.wait(&"here", Ms(1_000)), None);
        attempts.note("here", Ms(1_000));
        assert_eq!(attempts.wait(&"here", Ms(20_000)), Some(Duration::from_secs(40)));
        assert_eq!(attempts.wait(&"there", Ms(20_000)), None);
        assert_eq!(attempts.wait(&"here", Ms(60_000)), None);
    }

    #[test]
    fn the_number_of_keys_is_bounded() {
        let attempts = Attempts::new(1, Duration::from_mins(1), 4);
        for key in 0..100 {
            attempts.note(key, Ms(2));
            assert!(attempts.by_key.lock().unwrap().len() <= 4);
            assert!(attempts.wait(&key, Ms(3)).is_some());
        }
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_are_one_subscriber() {
        let subscriber = |address: &str| network(address.parse().unwrap());
        assert_eq!(subscriber("2001:db8::1"), subscriber("2001:db8::ffff"));
        assert_ne!(subscriber("2001:db8::1"), subscriber("2001:db8:0:1::1"));
        assert_ne!(subscriber("192.0.2.1"), subscriber("192.0.2.2"));
        assert_eq!(subscriber("::ffff:192.0.2.1"), subscriber("192.0.2.1"));
    }
}

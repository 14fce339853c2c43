//! The waits between tries, by the `backoff` crate: the interval policy alone, for its maintenance has ended (see deny.toml).

use std::time::Duration;

use backoff::ExponentialBackoffBuilder;
use backoff::backoff::Backoff;

/// The wait before the `retry`-th retry (from 1): `first`, doubled each time up to `max`, half of it either way at random.
pub(super) fn interval(retry: u32, first: Duration, max: Duration) -> Duration {
    let mut policy = ExponentialBackoffBuilder::new()
        .with_initial_interval(first)
        .with_multiplier(2.0)
        .with_randomization_factor(0.5)
        .with_max_interval(max)
        .with_max_elapsed_time(None)
        .build();
    let mut wait = first;
    for _ in 0..retry.clamp(1, 32) {
        wait = policy.next_backoff().unwrap_or(max);
    }
    wait
}

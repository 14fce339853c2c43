//! How long to wait before the next try: the only place that uses the `backoff` crate, and of it the interval policy alone.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff as _;

/// Exponential backoff with full jitter: the n-th wait is evenly spread between zero and `first`·2ⁿ, at most `max`, so that thousands
/// of agents that lost the same control plane do not come back in step.
#[derive(Debug)]
pub struct Backoff(ExponentialBackoff);

impl Backoff {
    /// Starts with waits of up to `first`, ends with waits of up to `max`.
    pub fn new(first: Duration, max: Duration) -> Self {
        // The crate spreads by ±factor around an interval: ±100 % around half of it is 0 to 100 %.
        let mut policy = ExponentialBackoff {
            initial_interval: first / 2,
            max_interval: max.max(first) / 2,
            multiplier: 2.0,
            randomization_factor: 1.0,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        policy.reset();
        Self(policy)
    }

    /// The next wait.
    pub fn next_wait(&mut self) -> Duration {
        self.0.next_backoff().unwrap_or(self.0.max_interval)
    }

    /// Begins anew after a success.
    pub fn reset(&mut self) {
        self.0.reset();
    }
}

/// Evenly spread between half of `around` and one and a half of it: for waits that shall be long, but not in step.
pub fn spread(around: Duration) -> Duration {
    around / 2 + Backoff::new(around, around).next_wait()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_maximum_and_not_beyond() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
        let longest = |backoff: &mut Backoff, rounds: u32| (0..rounds).map(|_| backoff.next_wait()).max().unwrap();
        assert!(backoff.next_wait() <= Duration::from_millis(101));
        let late = longest(&mut backoff, 2_000);
        assert!(late > Duration::from_secs(1) && late <= Duration::from_millis(2_001), "{late:?}");
        backoff.reset();
        assert!(backoff.next_wait() <= Duration::from_millis(101));
        assert!(spread(Duration::from_secs(10)) >= Duration::from_secs(5));
    }
}

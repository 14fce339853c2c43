//! The time of day. What is measured or waited for uses tokio's monotonic clock instead.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Milliseconds since the Unix epoch by the host's clock.
pub fn now_ms() -> i64 {
    let ms = |d: Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => ms(since),
        Err(before) => -ms(before.duration()),
    }
}

/// The monotonic instant at which the host's clock will show `at_ms`; now, if that has passed.
pub fn instant_of(at_ms: i64) -> Instant {
    Instant::now() + Duration::from_millis(u64::try_from(at_ms.saturating_sub(now_ms())).unwrap_or(0))
}

/// What the control plane's clock shows. A deadline is meant by that clock: a host whose clock is ten minutes off must not give up ten
/// minutes early. It is carried on by the monotonic clock, so that a step of the host's clock shifts nothing.
#[derive(Debug, Default)]
pub struct Offset(Mutex<Option<(i64, Instant)>>);

impl Offset {
    /// Notes the control plane's time as it was just heard.
    pub fn observe(&self, control_plane_ms: i64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((control_plane_ms, Instant::now()));
    }

    /// The time by the control plane's clock, Unix milliseconds; by the host's while it was not heard.
    pub fn control_plane_ms(&self) -> i64 {
        match *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((heard_ms, at)) => {
                heard_ms.saturating_add(i64::try_from(at.elapsed().as_millis()).unwrap_or(i64::MAX))
            }
            None => now_ms(),
        }
    }

    /// The monotonic instant at which the control plane's clock will show `at_ms`; now, if that has passed.
    pub fn instant_of(&self, at_ms: i64) -> Instant {
        let wait_ms = at_ms.saturating_sub(self.control_plane_ms());
        Instant::now() + Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0))
    }

    /// Milliseconds by which the control plane's clock is ahead of the host's now.
    pub fn ms(&self) -> i64 {
        self.control_plane_ms().saturating_sub(now_ms())
    }

    /// A time of the control plane's clock, by the host's clock as it goes now.
    pub fn to_host_ms(&self, control_plane_ms: i64) -> i64 {
        control_plane_ms.saturating_sub(self.ms())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only the monotonic clock goes on here, as if the host's had been set back by just that much.
    #[tokio::test(start_paused = true)]
    async fn the_control_planes_clock_goes_on_whatever_the_hosts_does() {
        let offset = Offset::default();
        offset.observe(1_000_000);
        let deadline = offset.instant_of(1_600_000);
        assert_eq!(deadline, Instant::now() + Duration::from_mins(10));
        tokio::time::advance(Duration::from_mins(5)).await;
        assert_eq!(offset.control_plane_ms(), 1_300_000);
        assert_eq!(offset.instant_of(1_600_000), deadline);
        assert_eq!(offset.instant_of(900_000), Instant::now());
    }
}

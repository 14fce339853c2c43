//! The time of day. What is measured or waited for uses tokio's monotonic clock instead.

use std::sync::atomic::{AtomicI64, Ordering};
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

/// How far the control plane's clock is ahead of the host's. A deadline is meant by the control plane's clock: a host whose clock is
/// ten minutes off must not give up ten minutes early.
#[derive(Debug, Default)]
pub struct Offset(AtomicI64);

impl Offset {
    /// Notes the control plane's time as it was just heard.
    pub fn observe(&self, control_plane_ms: i64) {
        self.0.store(control_plane_ms.saturating_sub(now_ms()), Ordering::Relaxed);
    }

    /// Milliseconds by which the control plane's clock is ahead.
    pub fn ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    /// A time of the control plane's clock, by the host's clock.
    pub fn to_host_ms(&self, control_plane_ms: i64) -> i64 {
        control_plane_ms.saturating_sub(self.ms())
    }
}

//! Named points at which a test may kill this process. Without the feature `fault-points` they are nothing.

/// Kills this process as kill -9 does, if the environment's `MPANEL_FAULT_POINT` names this point: `name`, or `name#2` for
/// the second time that it is reached.
#[cfg(feature = "fault-points")]
pub fn point(name: &str) {
    use std::sync::atomic::{AtomicU32, Ordering};

    static REACHED: AtomicU32 = AtomicU32::new(0);
    let Ok(wanted) = std::env::var("MPANEL_FAULT_POINT") else { return };
    let (wanted, times) = match wanted.split_once('#') {
        Some((wanted, times)) => (wanted, times.parse().unwrap_or(1)),
        None => (wanted.as_str(), 1),
    };
    if wanted == name && REACHED.fetch_add(1, Ordering::SeqCst) + 1 == times {
        let killed = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        tracing::error!(?killed, name, "could not kill this process at its fault point");
        std::process::abort();
    }
}

/// Nothing: this build has no fault points.
#[cfg(not(feature = "fault-points"))]
#[inline]
pub fn point(_name: &str) {}

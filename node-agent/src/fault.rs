//! Points at which a test kills the process, to prove that it resumes from there, and the age that a test may give it. Compiled in
//! with the feature `fault-points` only.

/// Ends the process by SIGKILL if the environment's `MPANEL_FAULT_POINT` is `name`, or `name#2` the second time it comes by.
#[cfg(feature = "fault-points")]
pub fn point(name: &str) {
    use std::collections::HashMap;
    use std::sync::{Mutex, PoisonError};

    static SEEN: Mutex<Option<HashMap<String, u32>>> = Mutex::new(None);

    let Ok(wanted) = std::env::var("MPANEL_FAULT_POINT") else { return };
    let (wanted, nth) = wanted.split_once('#').map_or((wanted.as_str(), 1), |(n, c)| (n, c.parse().unwrap_or(1)));
    if wanted != name {
        return;
    }
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let count = seen.get_or_insert_default().entry(name.to_owned()).or_insert(0);
    *count += 1;
    if *count == nth {
        tracing::error!(point = name, "killed at a fault point");
        // Nothing can be done where even this fails, and the test that asked for it will notice.
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// Does nothing: this build has no fault points.
#[cfg(not(feature = "fault-points"))]
#[inline]
pub fn point(_name: &str) {}

/// The protocol versions that this process speaks. A test may make it an older or a newer one: `MPANEL_FAULT_PROTOCOL=0-1`.
#[cfg(feature = "fault-points")]
#[must_use]
pub fn protocol() -> std::ops::RangeInclusive<u32> {
    let wanted = std::env::var("MPANEL_FAULT_PROTOCOL").ok();
    let ends = wanted.as_deref().and_then(|text| text.split_once('-'));
    ends.and_then(|(min, max)| Some(min.parse().ok()?..=max.parse().ok()?)).unwrap_or(proto::PROTOCOL)
}

/// Those of this build.
#[cfg(not(feature = "fault-points"))]
#[inline]
#[must_use]
pub fn protocol() -> std::ops::RangeInclusive<u32> {
    proto::PROTOCOL
}

/// Whether this agent knows a command. A test may make it one that is too old for some: `MPANEL_FAULT_UNKNOWN=adopt,set_media`.
#[cfg(feature = "fault-points")]
pub fn knows(command: &str) -> bool {
    !std::env::var("MPANEL_FAULT_UNKNOWN").is_ok_and(|names| names.split(',').any(|name| name == command))
}

/// It knows all that this build knows.
#[cfg(not(feature = "fault-points"))]
#[inline]
pub fn knows(_command: &str) -> bool {
    true
}

//! Points at which a test kills the process, to prove that it resumes from there. Compiled in with the feature `fault-points` only.

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

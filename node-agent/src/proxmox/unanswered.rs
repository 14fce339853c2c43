//! Clone calls that were sent and not answered.
//!
//! Proxmox may keep such a call in its queue and run it later. Until it is seen or some time has passed, a VMID without a VM is not free:
//! the clone may still come. Kept in memory; a task that is already listed is found there.

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::error::{ErrorKind, PveError};
use super::node::Pve;
use super::upid::Upid;

/// How long a clone may still come: Proxmox's own workers give a call up long before.
const OPEN_MAX: Duration = Duration::from_mins(15);

/// The VMIDs to which a clone may still come.
#[derive(Default)]
pub(super) struct Unanswered(HashMap<u32, Open>);

struct Open {
    since: Instant,
    /// Tasks of later calls for the same VMID, which were answered: their end tells nothing of the open one.
    answered: Vec<Upid>,
}

impl Unanswered {
    fn note(&mut self, vmid: u32, now: Instant) {
        self.0.retain(|_, open| now.duration_since(open.since) < OPEN_MAX);
        self.0.entry(vmid).or_insert_with(|| Open { since: now, answered: Vec::new() }).since = now;
    }

    fn age(&self, vmid: u32, now: Instant) -> Option<Duration> {
        self.0.get(&vmid).map(|open| now.duration_since(open.since)).filter(|age| *age < OPEN_MAX)
    }

    fn failed(&mut self, vmid: u32, upid: &Upid) {
        if self.0.get(&vmid).is_some_and(|open| !open.answered.contains(upid)) {
            self.0.remove(&vmid);
        }
    }
}

impl Pve {
    fn unanswered(&self) -> MutexGuard<'_, Unanswered> {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers how a clone's call ended.
    pub(super) fn clone_called(&self, vmid: u32, outcome: Result<&Upid, &PveError>) {
        match outcome {
            Err(error) if error.is_open => self.unanswered().note(vmid, Instant::now()),
            Err(_) => {}
            Ok(upid) => {
                if let Some(open) = self.unanswered().0.get_mut(&vmid) {
                    open.answered.push(upid.clone());
                }
            }
        }
    }

    /// Remembers a call of before the agent's restart.
    pub(super) fn call_recalled(&self, vmid: u32, called: Duration) {
        let Some(at) = Instant::now().checked_sub(called).filter(|_| called < OPEN_MAX) else { return };
        self.unanswered().note(vmid, at);
    }

    /// The VM is there: the clone came.
    pub(super) fn clone_seen(&self, vmid: u32) {
        self.unanswered().0.remove(&vmid);
    }

    /// A clone's task failed: if it is the open call's, none comes any more.
    pub(super) fn clone_failed(&self, vmid: u32, upid: &Upid) {
        self.unanswered().failed(vmid, upid);
    }

    /// Why a VMID without a VM cannot be called free.
    pub(super) fn clone_may_come(&self, vmid: u32) -> Option<PveError> {
        let age = self.unanswered().age(vmid, Instant::now())?;
        let text = format!(
            "there is no VM {vmid} yet, but Proxmox did not answer the call to make it {} s ago and may still do so; \
             the VMID counts as free {} min after the call",
            age.as_secs(),
            OPEN_MAX.as_secs() / 60
        );
        Some(PveError::new(ErrorKind::Locked, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upid(pid: u32) -> Upid {
        format!("UPID:pve1:{pid:08X}:0002EE2C:6B00348E:qmclone:9000:root@pam!test:").parse().unwrap()
    }

    #[test]
    fn a_call_stays_open_until_it_is_known_or_old() {
        let (start, mut calls) = (Instant::now(), Unanswered::default());
        assert_eq!(calls.age(100, start), None);
        calls.note(100, start);
        assert_eq!(calls.age(100, start + Duration::from_secs(899)), Some(Duration::from_secs(899)));
        assert_eq!(calls.age(100, start + OPEN_MAX), None);
        assert_eq!(calls.age(101, start), None);
        calls.note(101, start + OPEN_MAX);
        assert_eq!(calls.0.len(), 1, "what is old is forgotten");
    }

    #[test]
    fn only_the_open_calls_own_task_closes_it() {
        let (start, mut calls) = (Instant::now(), Unanswered::default());
        calls.note(100, start);
        calls.0.get_mut(&100).unwrap().answered.push(upid(1));
        calls.failed(100, &upid(1));
        assert_eq!(calls.age(100, start), Some(Duration::ZERO));
        calls.failed(100, &upid(2));
        assert_eq!(calls.age(100, start), None);
    }
}

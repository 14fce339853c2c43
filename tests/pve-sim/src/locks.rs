//! The lock file of a VM's configuration: shared by readers of a clone's source, exclusive otherwise.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

#[derive(Debug, Default)]
pub(crate) struct VmLocks(Mutex<HashMap<u32, Arc<RwLock<()>>>>);

/// Held as long as the lock is.
#[derive(Debug)]
pub(crate) enum VmGuard {
    Shared { _guard: OwnedRwLockReadGuard<()> },
    Exclusive { _guard: OwnedRwLockWriteGuard<()> },
}

fn timed_out(vmid: u32) -> String {
    format!("can't lock file '/var/lock/qemu-server/lock-{vmid}.conf' - got timeout")
}

impl VmLocks {
    fn of(&self, vmid: u32) -> Arc<RwLock<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody holds or waits for a lock that only this table knows.
        locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        Arc::clone(locks.entry(vmid).or_default())
    }

    /// The lock, or the text of its timeout.
    pub(crate) async fn exclusive(&self, vmid: u32, wait: Duration) -> Result<VmGuard, String> {
        match tokio::time::timeout(wait, self.of(vmid).write_owned()).await {
            Ok(guard) => Ok(VmGuard::Exclusive { _guard: guard }),
            Err(_) => Err(timed_out(vmid)),
        }
    }

    /// As [`VmLocks::exclusive`], for one of several readers.
    pub(crate) async fn shared(&self, vmid: u32, wait: Duration) -> Result<VmGuard, String> {
        match tokio::time::timeout(wait, self.of(vmid).read_owned()).await {
            Ok(guard) => Ok(VmGuard::Shared { _guard: guard }),
            Err(_) => Err(timed_out(vmid)),
        }
    }

    /// Whether the lock is held by anybody.
    pub(crate) fn is_held(&self, vmid: u32) -> bool {
        self.of(vmid).try_write().is_err()
    }
}

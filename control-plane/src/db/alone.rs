//! One control plane for one SQLite file: a lock beside it, which the system lets go of when the process ends, however it does.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use crate::clock::Stopwatch;
use crate::error::{Error, Result};

/// The one before may still be on its way out.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// See the module. Without a file there is nothing to be alone with.
#[derive(Clone, Debug)]
pub(super) struct Alone {
    file: Option<PathBuf>,
    held: Arc<Mutex<Option<File>>>,
}

impl Alone {
    /// Of this SQLite file.
    pub(super) fn of(file: Option<PathBuf>) -> Self {
        Self { file, held: Arc::default() }
    }

    pub(super) async fn take(&self) -> Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let Some(lock) = locked(&beside(file, "in-use"), PATIENCE).await? else {
            return Err(Error::conflict(
                "database_in_use",
                format!(
                    "another control plane runs over {}: stop it first; several of them need PostgreSQL (database.url)",
                    file.display()
                ),
            ));
        };
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(lock);
        Ok(())
    }

    pub(super) fn release(&self) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// `mpanel.db` → `mpanel.db.in-use`.
pub(super) fn beside(file: &Path, what: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(what);
    PathBuf::from(name)
}

/// Locks a file, waiting for so long; `None`: somebody else keeps it.
pub(super) async fn locked(path: &Path, patience: Duration) -> Result<Option<File>> {
    let watch = Stopwatch::start();
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path);
    let file = file.map_err(|error| Error::internal(format!("{}: {error}", path.display())))?;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(file)),
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) if watch.elapsed() < patience => {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return Err(Error::internal(format!("{}: {error}", path.display()))),
        }
    }
}

//! The state directory: one JSON snapshot, replaced atomically.
//!
//! A snapshot is written to a temporary file and renamed over the last one, so a kill at any instant leaves either
//! the state before or the state after. (It is not synced to the disk: a power cut is not what is simulated.)

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::state::Cluster;

/// A state directory that could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Reading or writing failed.
    #[error("state directory {path}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The snapshot is not one of ours.
    #[error("{path} is no state of this simulator ({source}); delete it to start afresh")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

#[derive(Debug)]
pub(crate) struct Store {
    dir: PathBuf,
    /// The newest generation on disk; also keeps writers in line.
    saved: Mutex<u64>,
}

impl Store {
    pub(crate) fn open(dir: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(dir).map_err(|source| StoreError::Io { path: dir.to_owned(), source })?;
        Ok(Self { dir: dir.to_owned(), saved: Mutex::new(0) })
    }

    fn snapshot_path(&self) -> PathBuf {
        self.dir.join("state.json")
    }

    pub(crate) fn load(&self) -> Result<Option<Cluster>, StoreError> {
        let path = self.snapshot_path();
        match std::fs::read(&path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map(Some).map_err(|source| StoreError::Corrupt { path, source })
            }
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::Io { path, source }),
        }
    }

    /// Saves unless a snapshot at least as new as `generation` is there; `snapshot` gives the state and its generation.
    pub(crate) fn save(&self, generation: u64, snapshot: impl FnOnce() -> (u64, Vec<u8>)) -> Result<(), StoreError> {
        let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        if *saved >= generation {
            return Ok(());
        }
        let (newest, bytes) = snapshot();
        self.write_file("state.json", &bytes)?;
        *saved = newest;
        Ok(())
    }

    /// A file of the state directory, `None` when it is not there.
    pub(crate) fn read_file(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.dir.join(name);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::Io { path, source }),
        }
    }

    /// Replaces a file of the state directory.
    pub(crate) fn write_file(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let temporary = self.dir.join(format!("{name}.new"));
        let path = self.dir.join(name);
        std::fs::write(&temporary, bytes).map_err(|source| StoreError::Io { path: temporary.clone(), source })?;
        std::fs::rename(&temporary, &path).map_err(|source| StoreError::Io { path, source })
    }
}

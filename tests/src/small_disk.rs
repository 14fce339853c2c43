//! A disk of a few MiB, to be filled up: a tmpfs, which only root may mount.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::postgres::{is_root, own, run};

/// See the module. Dropped, it is gone.
pub struct SmallDisk(TempDir);

impl SmallDisk {
    /// An empty one; `None`, saying so: this process may not mount.
    #[must_use]
    pub fn mount(mib: u32) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let size = format!("size={mib}m");
        let mounted =
            is_root() && run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(dir.path()));
        if !mounted {
            eprintln!(
                "a disk of {mib} MiB cannot be mounted: only root may, outside of a container without that right"
            );
            return None;
        }
        own(dir.path());
        Some(Self(dir))
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Somebody else's file takes all the room that is left.
    pub fn fill(&self) {
        let mut filler = File::options().create(true).append(true).open(self.filler()).expect("a file");
        // Smaller and smaller pieces, until not a byte more fits.
        for piece in [1 << 20, 4096, 1] {
            while filler.write_all(&vec![0; piece]).is_ok() {}
        }
    }

    /// That file is gone.
    pub fn make_room(&self) {
        std::fs::remove_file(self.filler()).expect("the file can be removed");
    }

    /// Nothing can be written any more. Nobody may have a file of it open for writing.
    pub fn read_only(&self) {
        self.remount("remount,ro");
    }

    /// It can again.
    pub fn writable(&self) {
        self.remount("remount,rw");
    }

    fn remount(&self, options: &str) {
        let done = run(Command::new("mount").args(["-o", options]).arg(self.path()));
        assert!(done, "{} is mounted anew: {options}", self.path().display());
    }

    fn filler(&self) -> std::path::PathBuf {
        self.path().join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Whoever still has a file open there keeps it until it lets go.
        run(Command::new("umount").arg("--lazy").arg(self.path()));
    }
}

//! A clock on the wall that is wrong, for the processes that are given it: a few lines of C, loaded before libc. TLS, logs and
//! all else of such a process see that clock.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// See the module.
pub struct WallClock {
    ahead: File,
    env: [(&'static str, String); 2],
    _dir: TempDir,
}

impl WallClock {
    /// So many seconds fast; negative: slow.
    ///
    /// # Panics
    /// Where there is no C compiler.
    #[must_use]
    pub fn ahead_by(seconds: i64) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (source, library) = (dir.path().join("wall_clock.c"), dir.path().join("wall_clock.so"));
        std::fs::write(&source, include_str!("wall_clock.c")).expect("the source is written");
        let made = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).args([&library, &source]).status();
        assert!(made.is_ok_and(|status| status.success()), "cc compiles the clock");
        let path = dir.path().join("ahead");
        let ahead = File::options().create(true).truncate(false).write(true).open(&path).expect("a file");
        let text = |path: &PathBuf| path.display().to_string();
        let env = [("LD_PRELOAD", text(&library)), ("MPANEL_TEST_WALL_CLOCK", text(&path))];
        let clock = Self { ahead, env, _dir: dir };
        clock.set(seconds);
        clock
    }

    /// Makes it jump.
    pub fn set(&self, seconds: i64) {
        self.ahead.write_all_at(&seconds.to_ne_bytes(), 0).expect("the file takes it");
    }

    /// What a process that goes by it needs in its environment.
    #[must_use]
    pub fn env(&self) -> [(&str, &str); 2] {
        [0, 1].map(|n| (self.env[n].0, self.env[n].1.as_str()))
    }
}

//! A control plane in a process of its own, to be killed.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::app::{Api, TOKEN};
use crate::database::TestDatabase;

const PATIENCE: Duration = Duration::from_mins(1);

/// `mpanel serve`, running. Dropped, it is killed.
pub struct Process {
    /// Speaks to it with the platform's token.
    pub api: Api,
    /// What it printed until it was ready.
    pub greeting: Vec<String>,
    child: Child,
}

/// How to start it: the database, the folder for its files, the environment.
pub struct Setup<'a> {
    /// The program, which has to have its fault points: `env!("CARGO_BIN_EXE_mpanel-faulty")`.
    pub program: &'a str,
    /// Its database.
    pub database: &'a TestDatabase,
    /// Its files; the same again for a restart.
    pub dir: &'a TempDir,
}

impl Setup<'_> {
    /// The command, without its arguments.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(self.program);
        command
            .env_clear()
            .env("MPANEL__DATABASE__URL", &self.database.url)
            .env("MPANEL__SECRETS__KEY_FILE", self.dir.path().join("secret.key"))
            .env("MPANEL__HTTP__LISTEN", "127.0.0.1:0")
            .env("MPANEL__AGENTS__LISTEN", "127.0.0.1:0")
            .env("MPANEL_BOOTSTRAP_TOKEN", TOKEN)
            .stdin(Stdio::null());
        command
    }

    /// Starts it and waits until it listens.
    #[must_use]
    pub fn serve(&self, change: impl FnOnce(&mut Command)) -> Process {
        let mut command = self.command();
        command.arg("serve").stdout(Stdio::piped()).stderr(Stdio::inherit());
        change(&mut command);
        let mut child = command.spawn().expect("the program starts");
        let mut output = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut greeting = Vec::new();
        let mut url = None;
        for line in output.by_ref() {
            let line = line.expect("a line");
            let last = line.contains("/api/docs");
            url = url.or_else(|| line.strip_prefix("mPanel listens on ").map(str::to_owned));
            greeting.push(line);
            if last {
                break;
            }
        }
        let url = url.unwrap_or_else(|| panic!("it did not start: {greeting:?}"));
        Process { api: Api::new(&url, TOKEN), greeting, child }
    }
}

impl Process {
    /// Sends it a signal by name: `TERM`, `HUP`, `STOP`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success(), "no signal {name}");
    }

    /// Waits until it has ended.
    #[must_use]
    pub fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("its status") {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "it did not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Ended already, perhaps.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

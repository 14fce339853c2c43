//! Real processes: started from what the build put beside the suites, killed for real.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};

/// A port that nobody listens on now.
#[must_use]
pub fn free_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr()).expect("a free port").port()
}

/// A process with its output in a file. It is killed when this is dropped.
pub struct Daemon {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts `program`; its output goes to `<dir>/<name>.log`, behind what an earlier run left there.
    #[must_use]
    pub fn start(dir: &Path, name: &str, program: &str, args: &[&str], env: &[(String, String)]) -> Self {
        let log = dir.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log).expect("a log file");
        let child = Command::new(program)
            .args(args)
            .envs(env.iter().map(|(k, v)| (k.as_str(), v.as_str())))
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a second handle"))
            .stderr(file)
            .kill_on_drop(true)
            .spawn()
            .expect("the process starts");
        Self { name: name.to_owned(), child, log }
    }

    /// kill -9, and waits until it is gone.
    pub async fn kill(&mut self) {
        self.child.kill().await.expect("the process can be killed");
    }

    /// Sends SIGTERM and waits for its end.
    pub async fn stop(&mut self, deadline: Duration) -> ExitStatus {
        self.signal("TERM");
        self.ended(deadline).await
    }

    /// Sends it a signal by name, `TERM`, `STOP`, `CONT`, if it has not ended.
    pub fn signal(&self, name: &str) {
        if let Some(pid) = self.child.id() {
            let sent = std::process::Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
            assert!(sent.is_ok_and(|status| status.success()), "SIG{name} reaches {}", self.name);
        }
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it has not ended by the deadline, with its log.
    pub async fn ended(&mut self, deadline: Duration) -> ExitStatus {
        let Ok(status) = tokio::time::timeout(deadline, self.child.wait()).await else {
            panic!("{} did not end within {deadline:?}:\n{}", self.name, self.tail());
        };
        status.expect("the process can be waited for")
    }

    /// Whether it has ended already.
    pub fn is_over(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the process can be asked")
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// In how many lines it said this, earlier runs of the same name included.
    #[must_use]
    pub fn times_said(&self, words: &str) -> usize {
        self.said().lines().filter(|line| line.contains(words)).count()
    }

    /// All that it said.
    #[must_use]
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The last lines of what it said.
    #[must_use]
    pub fn tail(&self) -> String {
        let text = self.said();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }
}

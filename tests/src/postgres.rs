//! A PostgreSQL server of a test's own: one that may be stopped, filled up and started again.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sqlx::{Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;

use crate::daemon::free_port;
use crate::database::TestDatabase;

/// See the module. Dropped, it is stopped and its files are gone.
pub struct PostgresServer {
    bin: PathBuf,
    data: PathBuf,
    port: u16,
    /// The log and the socket, and the data unless they are elsewhere.
    dir: TempDir,
}

impl PostgresServer {
    /// Started on a fresh folder; `None`, saying so: PostgreSQL's server is not installed here.
    #[must_use]
    pub fn start() -> Option<Self> {
        Self::start_in(None)
    }

    /// The same with its data, its log of writes included, in an empty folder inside `place`.
    #[must_use]
    pub fn start_in(place: Option<&Path>) -> Option<Self> {
        let Some(bin) = programs() else {
            eprintln!(
                "PostgreSQL's server is not installed here: a server of one's own is needed (tests/run installs it)"
            );
            return None;
        };
        let dir = tempfile::tempdir().expect("a temporary folder");
        own(dir.path());
        let data = place.unwrap_or(dir.path()).join("data");
        let server = Self { bin, data, port: free_port(), dir };
        let data = server.data.display().to_string();
        let mut made =
            server.command("initdb", &["-D", &data, "-U", "mpanel", "--auth=trust", "-E", "UTF8", "--locale=C"]);
        // Small steps, so that a small disk is filled by what is stored and not by what is set aside.
        assert!(run(made.arg("--no-sync").arg("--wal-segsize=1")), "initdb makes {data}");
        server.start_again();
        Some(server)
    }

    /// Ends it without any goodbye: `pg_ctl stop -m immediate`.
    pub fn stop(&self) {
        assert!(self.control(&["-m", "immediate", "-w", "stop"]), "PostgreSQL stops:\n{}", self.log());
    }

    /// Starts it, unless it runs.
    pub fn start_again(&self) {
        if self.control(&["status"]) {
            return;
        }
        let dir = self.dir.path().display();
        let options = format!(
            "-p {} -k {dir} -c listen_addresses=127.0.0.1 -c max_connections=200 -c min_wal_size=2MB -c max_wal_size=8MB",
            self.port
        );
        let log = format!("{dir}/log");
        assert!(self.control(&["-w", "-l", &log, "-o", &options, "start"]), "PostgreSQL starts:\n{}", self.log());
    }

    /// An empty database.
    pub async fn database(&self) -> TestDatabase {
        self.database_with("").await
    }

    /// An empty database whose tables are in `place`; everything else of the server is where it was.
    pub async fn database_in(&self, place: &Path) -> TestDatabase {
        let place = place.join("tables");
        std::fs::create_dir(&place).expect("a folder");
        own(&place);
        let mut connection = PgConnection::connect(&self.url("postgres")).await.expect("PostgreSQL answers");
        let tablespace = format!("CREATE TABLESPACE elsewhere LOCATION '{}'", place.display());
        connection.execute(sqlx::AssertSqlSafe(tablespace)).await.expect("a tablespace is made");
        self.database_with("TABLESPACE elsewhere").await
    }

    async fn database_with(&self, more: &str) -> TestDatabase {
        let mut connection = PgConnection::connect(&self.url("postgres")).await.expect("PostgreSQL answers");
        let create = format!("CREATE DATABASE mpanel {more}");
        connection.execute(sqlx::AssertSqlSafe(create)).await.expect("a database is created");
        TestDatabase::at(self.url("mpanel"))
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://mpanel@127.0.0.1:{}/{database}", self.port)
    }

    fn control(&self, args: &[&str]) -> bool {
        let data = self.data.display().to_string();
        run(self.command("pg_ctl", &["-D", &data]).args(args))
    }

    /// PostgreSQL refuses to run as root.
    fn command(&self, program: &str, args: &[&str]) -> Command {
        let program = self.bin.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.args(args).current_dir(self.dir.path());
        command
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        let _ended_already = self.control(&["-m", "immediate", "-w", "stop"]);
    }
}

/// Whether this process may do what only root may.
#[must_use]
pub fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Gives a folder to whoever runs PostgreSQL.
pub(crate) fn own(path: &Path) {
    if is_root() {
        assert!(run(Command::new("chown").arg("postgres").arg(path)), "{} is given to postgres", path.display());
    }
}

pub(crate) fn run(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Where the newest PostgreSQL's programs are: Debian keeps them out of the path.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian = versions.map(|version| version.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> =
        debian.chain(std::env::split_paths(&path)).filter(|bin| bin.join("initdb").is_file()).collect();
    found.sort();
    found.pop()
}

//! Fresh databases for tests: SQLite always, PostgreSQL where `MPANEL_TEST_POSTGRES_URL` names a server (`tests/run`
//! starts one).

use sqlx::{Connection, Executor};
use tempfile::TempDir;

/// A database of its own, empty.
pub struct TestDatabase {
    /// For `Db::open` or the configuration.
    pub url: String,
    /// `sqlite` or `postgres`, for messages.
    pub name: &'static str,
    dir: Option<TempDir>,
    _made: Option<Made>,
}

/// A database that was made on a server for one test, and goes with it: hundreds of them would fill the memory.
struct Made {
    server: String,
    name: String,
}

impl Drop for Made {
    fn drop(&mut self) {
        let Self { server, name } = self;
        let gone = async {
            let mut connection = sqlx::PgConnection::connect(server).await?;
            connection.execute(sqlx::AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))).await
        };
        // On a thread of its own: the test's runtime may be on its way out. A server that is gone has taken it along.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.map(|runtime| runtime.block_on(gone))
            });
        });
    }
}

impl TestDatabase {
    /// A SQLite file in a temporary folder that goes with this.
    #[must_use]
    pub fn sqlite() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite://{}/mpanel.db", dir.path().display());
        Self { url, name: "sqlite", dir: Some(dir), _made: None }
    }

    /// The SQLite file of a folder that goes later than this.
    #[must_use]
    pub fn sqlite_in(place: &std::path::Path) -> Self {
        Self { url: format!("sqlite://{}/mpanel.db", place.display()), name: "sqlite", dir: None, _made: None }
    }

    /// A PostgreSQL database that is there.
    #[must_use]
    pub fn at(url: String) -> Self {
        Self { url, name: "postgres", dir: None, _made: None }
    }

    /// A database on the PostgreSQL server of the environment; `None`: there is no such server.
    pub async fn postgres() -> Option<Self> {
        let server = std::env::var("MPANEL_TEST_POSTGRES_URL").ok()?;
        let name = format!("mpanel_test_{}", uuid::Uuid::new_v4().simple());
        let mut connection = sqlx::PgConnection::connect(&server).await.expect("MPANEL_TEST_POSTGRES_URL answers");
        connection
            .execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .await
            .expect("a database is created");
        let mut url = url::Url::parse(&server).expect("MPANEL_TEST_POSTGRES_URL is a URL");
        url.set_path(&name);
        let made = Some(Made { server, name });
        Some(Self { url: url.to_string(), name: "postgres", dir: None, _made: made })
    }

    /// Where the SQLite file is; `None` on PostgreSQL.
    #[must_use]
    pub fn dir(&self) -> Option<&std::path::Path> {
        self.dir.as_ref().map(TempDir::path)
    }
}

/// Every kind of database that is there to test with.
pub async fn databases() -> Vec<TestDatabase> {
    let mut all = vec![TestDatabase::sqlite()];
    match TestDatabase::postgres().await {
        Some(postgres) => all.push(postgres),
        None => eprintln!("MPANEL_TEST_POSTGRES_URL is not set: this test ran on SQLite only (tests/run sets it)"),
    }
    all
}

/// Waits until `condition` gives something, looking every few milliseconds.
///
/// # Panics
/// When `deadline` passes first, naming `what` was waited for.
pub async fn eventually<T>(
    what: &str,
    deadline: std::time::Duration,
    mut condition: impl AsyncFnMut() -> Option<T>,
) -> T {
    let start = std::time::Instant::now();
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(start.elapsed() < deadline, "waited {deadline:?} in vain for: {what}");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

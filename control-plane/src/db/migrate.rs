//! Brings the tables up to date. One process does it while the others wait; doing it again does nothing; a database that a
//! newer mPanel has changed is refused.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

use super::Pools;
use super::alone::{beside, locked};
use crate::error::{Error, Result};

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// What our connections call themselves.
pub(super) const APPLICATION: &str = "mpanel";

/// How long one waits for another that is at it.
const PATIENCE: Duration = Duration::from_mins(5);

/// SQLite: the lock is a file beside the database. Answers where the database is.
pub(super) async fn sqlite(url: &str) -> Result<(Pools, PathBuf)> {
    let file = SqliteConnectOptions::from_str(url)?.get_filename().to_owned();
    let lock = locked(&beside(&file, "migrating"), PATIENCE).await?.ok_or_else(busy)?;
    let pools = super::open_sqlite(url).await?;
    if let Pools::Sqlite { writer, .. } = &pools {
        MIGRATIONS.run(writer).await.map_err(|error| refused(&error))?;
    }
    drop(lock);
    Ok((pools, file))
}

/// PostgreSQL: the migrator holds an advisory lock, on a connection of its own that may take its time.
pub(super) async fn postgres(url: &str) -> Result<()> {
    let mut connection = PgConnectOptions::from_str(url)?.application_name("mpanel-migrate").connect().await?;
    let before = applied(&mut connection).await?;
    let run = tokio::time::timeout(PATIENCE, MIGRATIONS.run(&mut connection)).await.map_err(|_| busy())?;
    run.map_err(|error| refused(&error))?;
    if before.is_some_and(|before| before < MIGRATIONS.iter().count() as i64) {
        others_reconnect(&mut connection).await?;
    }
    connection.close().await?;
    Ok(())
}

/// How many migrations the database has seen; `None`: it is empty.
async fn applied(connection: &mut PgConnection) -> Result<Option<i64>> {
    const EXISTS: &str = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
    const COUNT: &str = "SELECT COUNT(*) FROM _sqlx_migrations";
    let (exists,): (bool,) = sqlx::query_as(EXISTS).fetch_one(&mut *connection).await?;
    if !exists {
        return Ok(None);
    }
    let (count,): (i64,) = sqlx::query_as(COUNT).fetch_one(connection).await?;
    Ok(Some(count))
}

/// What other control planes have prepared was for the tables as they were: they get new connections.
async fn others_reconnect(connection: &mut PgConnection) -> Result<()> {
    const SQL: &str = "
        SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND usename = current_user AND application_name = $1 AND pid <> pg_backend_pid()";
    let (told,): (i64,) = sqlx::query_as(SQL).bind(APPLICATION).fetch_one(connection).await?;
    if told > 0 {
        tracing::info!(told, "the tables were changed: the other control planes connect anew");
    }
    Ok(())
}

fn busy() -> Error {
    Error::unavailable("another process has been changing this database's tables for minutes; look what it waits for")
}

fn refused(error: &MigrateError) -> Error {
    let newest = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
    match error {
        MigrateError::VersionMissing(version) | MigrateError::VersionTooNew(version, _) if *version > newest => {
            Error::conflict(
                "schema_newer",
                format!(
                    "the database was changed by a newer mPanel: its tables are at version {version}, and this one ({}) \
                     knows them up to {newest}; start the newer mPanel, or restore the backup from before the upgrade",
                    env!("CARGO_PKG_VERSION")
                ),
            )
        }
        MigrateError::VersionMissing(version) | MigrateError::VersionMismatch(version) => Error::conflict(
            "schema_foreign",
            format!("the database was changed by another build of mPanel, which differs in migration {version}"),
        ),
        other => Error::internal(format!("the database's tables could not be brought up to date: {other}")),
    }
}

//! Brings the tables up to date. One process does it while the others wait; doing it again does nothing; a database that a
//! newer mPanel has changed is refused.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, SqlSafeStr as _};

use super::Pools;
use super::alone::{beside, locked};
use crate::error::{Error, Result};

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// Begins the lines that one kind of database alone understands: `-- only sqlite` or `-- only postgres`.
const ONLY: &str = "-- only ";
/// Ends them.
const END_ONLY: &str = "-- end only";

/// What our connections call themselves.
pub(super) const APPLICATION: &str = "mpanel";

/// How long one waits for another that is at it.
const PATIENCE: Duration = Duration::from_mins(5);

/// The migrations as the database at `url` understands them. One text serves both kinds but for the lines between
/// `-- only sqlite` or `-- only postgres` and `-- end only`, which are for what the two say differently, such as triggers. A
/// migration's checksum is that of its whole text on either.
#[must_use]
pub fn migrations(url: &str) -> Migrator {
    let kind = if url.starts_with("sqlite:") { "sqlite" } else { "postgres" };
    let of_kind = MIGRATIONS.iter().cloned().map(|mut migration| {
        migration.sql = AssertSqlSafe(text_for(kind, migration.sql.as_str())).into_sql_str();
        migration
    });
    Migrator { migrations: of_kind.collect(), ..Migrator::DEFAULT }
}

fn text_for(kind: &str, text: &str) -> String {
    let mut only = None;
    let mut kept = String::with_capacity(text.len());
    for line in text.lines() {
        match line.strip_prefix(ONLY) {
            Some(kind) => only = Some(kind.trim()),
            None if line.trim_end() == END_ONLY => only = None,
            None if only.is_none_or(|only| only == kind) => {
                kept.push_str(line);
                kept.push('\n');
            }
            None => {}
        }
    }
    kept
}

/// SQLite: the lock is a file beside the database. Answers where the database is.
pub(super) async fn sqlite(url: &str) -> Result<(Pools, PathBuf)> {
    let file = SqliteConnectOptions::from_str(url)?.get_filename().to_owned();
    let lock = locked(&beside(&file, "migrating"), PATIENCE).await?.ok_or_else(busy)?;
    let pools = super::open_sqlite(url).await?;
    if let Pools::Sqlite { writer, .. } = &pools {
        migrations(url).run(writer).await.map_err(|error| refused(&error))?;
    }
    drop(lock);
    Ok((pools, file))
}

/// PostgreSQL: the lock is an advisory one, on a connection of its own that may take its time. It is held until the others
/// were told, so that whoever waited finds nothing to do and is not told himself while he begins.
pub(super) async fn postgres(url: &str) -> Result<()> {
    const LOCK: &str = "SELECT pg_advisory_lock(hashtextextended('mpanel migrations', 0))";
    let mut connection = PgConnectOptions::from_str(url)?.application_name("mpanel-migrate").connect().await?;
    let locked = tokio::time::timeout(PATIENCE, sqlx::query(LOCK).execute(&mut connection)).await;
    locked.map_err(|_| busy())??;
    let before = applied(&mut connection).await?;
    let run = tokio::time::timeout(PATIENCE, run_between_others(url, &mut connection)).await.map_err(|_| busy())?;
    run.map_err(|error| refused(&error))?;
    if before.is_some_and(|before| before < MIGRATIONS.iter().count() as i64) {
        others_reconnect(&mut connection).await?;
    }
    connection.close().await?;
    Ok(())
}

/// Who waits for a table keeps all who come after it waiting: so it waits for moments, lets the others through and tries again. What was
/// done stays done, and what was begun is taken back.
async fn run_between_others(url: &str, connection: &mut PgConnection) -> std::result::Result<(), MigrateError> {
    const MOMENT: &str = "SET lock_timeout = '2s'";
    const BETWEEN: Duration = Duration::from_secs(1);
    sqlx::query(MOMENT).execute(&mut *connection).await?;
    loop {
        match migrations(url).run(&mut *connection).await {
            Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) if is_taken(&error) => {
                tracing::info!(%error, "others use the tables that are to be changed: trying again");
                tokio::time::sleep(BETWEEN).await;
            }
            ended => return ended,
        }
    }
}

/// Somebody else has what was asked for: waited for it for long enough, or each for the other.
fn is_taken(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| matches!(&*code, "55P03" | "40P01"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_given_the_lines_for_all_and_those_for_its_kind() {
        let text = "a;\n-- only sqlite\nb;\n-- end only\n-- only postgres\nc;\n-- end only\nd;\n";
        assert_eq!(text_for("sqlite", text), "a;\nb;\nd;\n");
        assert_eq!(text_for("postgres", text), "a;\nc;\nd;\n");
    }

    #[test]
    fn the_checksum_is_the_same_on_either() {
        let checksums = |url| migrations(url).iter().map(|m| m.checksum.to_vec()).collect::<Vec<_>>();
        assert_eq!(checksums("sqlite://x"), checksums("postgres://x"));
        assert_eq!(checksums("sqlite://x"), MIGRATIONS.iter().map(|m| m.checksum.to_vec()).collect::<Vec<_>>());
    }
}

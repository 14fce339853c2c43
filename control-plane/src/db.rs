//! The store: SQLite (embedded, the default) or PostgreSQL (by URL), one set of SQL for both.
//!
//! Writers take [`Tx`], so that state, job, audit and event commit together or not at all. Readers take [`Conn`], which
//! both a [`Tx`] and a [`Read`] lend. The macros [`fetch_all!`](crate::fetch_all), [`fetch_optional!`](crate::fetch_optional),
//! [`fetch_one!`](crate::fetch_one) and [`execute!`](crate::execute) send the same `$1` text to either database.

mod alone;
mod migrate;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, PgConnection, PgPool, Postgres, Sqlite, SqliteConnection, SqlitePool, Transaction};

pub use self::migrate::migrations;

use uuid::Uuid;

use self::alone::Alone;
use crate::clock::{Ms, Stopwatch};
use crate::error::{Result, commit_unanswered};
use crate::events::{Topic, Wakes};

/// How long a caller waits for a connection before it is told 503.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// An answer about the time that took longer says too little.
const TIME_TAKES_MAX: Duration = Duration::from_secs(1);
/// Connections to PostgreSQL; one of them listens for wake-ups.
const POSTGRES_CONNECTIONS: u32 = 17;

/// The database, to be cloned freely.
#[derive(Clone, Debug)]
pub struct Db {
    pools: Pools,
    wakes: Wakes,
    alone: Alone,
}

#[derive(Clone, Debug)]
enum Pools {
    /// One writer, because `BEGIN IMMEDIATE` on one connection never fails and on several often does; readers beside it.
    Sqlite {
        writer: SqlitePool,
        readers: SqlitePool,
    },
    Postgres(PgPool),
}

/// A borrowed connection, for reading and, inside a [`Tx`], for writing.
pub enum Conn<'a> {
    /// SQLite's.
    Sqlite(&'a mut SqliteConnection),
    /// PostgreSQL's.
    Postgres(&'a mut PgConnection),
}

impl Conn<'_> {
    /// The same connection for a shorter time, for a function that asks twice.
    pub fn again(&mut self) -> Conn<'_> {
        match self {
            Self::Sqlite(c) => Conn::Sqlite(c),
            Self::Postgres(c) => Conn::Postgres(c),
        }
    }
}

/// A connection to read from, outside a transaction.
pub enum Read {
    /// SQLite's.
    Sqlite(PoolConnection<Sqlite>),
    /// PostgreSQL's.
    Postgres(PoolConnection<Postgres>),
}

impl Read {
    /// Lends the connection.
    pub fn conn(&mut self) -> Conn<'_> {
        match self {
            Self::Sqlite(c) => Conn::Sqlite(c),
            Self::Postgres(c) => Conn::Postgres(c),
        }
    }
}

/// The database as it was at one moment: what several queries of it say fits together.
#[derive(Debug)]
pub struct Snapshot(TxInner);

impl Snapshot {
    /// Lends the connection.
    pub fn conn(&mut self) -> Conn<'_> {
        self.0.conn()
    }
}

/// Which part of a list a reader wants: keyset pagination, never OFFSET.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window<K> {
    /// At most so many rows: one more than a page holds, so that it is known whether there is a next page.
    pub limit: i64,
    /// Only rows after this key; `None`: from the start.
    pub after: Option<K>,
}

/// A transaction. Dropped without [`Tx::commit`], it is rolled back.
#[derive(Debug)]
pub struct Tx {
    inner: TxInner,
    wakes: Wakes,
    topics: BTreeSet<Topic>,
}

#[derive(Debug)]
enum TxInner {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl TxInner {
    fn conn(&mut self) -> Conn<'_> {
        match self {
            Self::Sqlite(tx) => Conn::Sqlite(tx),
            Self::Postgres(tx) => Conn::Postgres(tx),
        }
    }
}

impl Tx {
    /// Lends the connection.
    pub fn conn(&mut self) -> Conn<'_> {
        self.inner.conn()
    }

    /// Wakes whoever waits for `topic` once this has committed.
    pub fn wake(&mut self, topic: Topic) {
        self.topics.insert(topic);
    }

    /// Makes it durable, then wakes the loops that were named.
    pub async fn commit(self) -> Result<()> {
        match self.inner {
            TxInner::Sqlite(tx) => tx.commit().await,
            TxInner::Postgres(tx) => tx.commit().await,
        }
        .map_err(commit_unanswered)?;
        for topic in self.topics {
            self.wakes.wake(topic);
        }
        Ok(())
    }
}

impl Db {
    /// Opens the database at `url` (`sqlite:///var/lib/mpanel/mpanel.db` or `postgres://user:password@host/name`) and
    /// brings its tables up to date. Several processes may do this at once on PostgreSQL: one migrates, the others wait.
    pub async fn open(url: &str) -> Result<Self> {
        let (pools, file) = if url.starts_with("sqlite:") {
            let (pools, file) = migrate::sqlite(url).await?;
            (pools, Some(file))
        } else {
            migrate::postgres(url).await?;
            (open_postgres(url).await?, None)
        };
        Ok(Self { pools, wakes: Wakes::default(), alone: Alone::of(file) })
    }

    /// Begins a transaction that may write.
    pub async fn begin(&self) -> Result<Tx> {
        let inner = match &self.pools {
            Pools::Sqlite { writer, .. } => TxInner::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?),
            Pools::Postgres(pool) => TxInner::Postgres(pool.begin().await?),
        };
        Ok(Tx { inner, wakes: self.wakes.clone(), topics: BTreeSet::new() })
    }

    /// Begins to look at the database as it is at one moment, whatever others write meanwhile.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        const REPEATABLE: &str = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY";
        Ok(match &self.pools {
            Pools::Sqlite { readers, .. } => Snapshot(TxInner::Sqlite(readers.begin().await?)),
            Pools::Postgres(pool) => {
                let mut tx = pool.begin().await?;
                sqlx::query(REPEATABLE).execute(&mut *tx).await?;
                Snapshot(TxInner::Postgres(tx))
            }
        })
    }

    /// Takes a connection to read from.
    pub async fn read(&self) -> Result<Read> {
        Ok(match &self.pools {
            Pools::Sqlite { readers, .. } => Read::Sqlite(readers.acquire().await?),
            Pools::Postgres(pool) => Read::Postgres(pool.acquire().await?),
        })
    }

    /// Asks the database for a sign of life.
    pub async fn ping(&self) -> Result<()> {
        const SQL: &str = "SELECT 1";
        let mut read = self.read().await?;
        crate::execute!(read.conn(), SQL)?;
        Ok(())
    }

    /// The database's own time, right to half of what asking took; `None`: it is this machine's, or asking took too long to
    /// be of use.
    pub async fn time(&self) -> Result<Option<Ms>> {
        const SQL: &str = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";
        let Some(pool) = self.postgres() else { return Ok(None) };
        let mut connection = pool.acquire().await?;
        let watch = Stopwatch::start();
        let (at,): (Ms,) = sqlx::query_as(SQL).fetch_one(&mut *connection).await?;
        let took = watch.elapsed();
        Ok((took < TIME_TAKES_MAX).then(|| at.plus(took / 2)))
    }

    /// Makes sure that no other control plane runs over the same SQLite file, until [`Db::close`]. On PostgreSQL others may.
    pub async fn alone(&self) -> Result<()> {
        self.alone.take().await
    }

    /// Each pool's name, its connections and those of them that are idle.
    #[must_use]
    pub fn connections(&self) -> Vec<(&'static str, u32, usize)> {
        match &self.pools {
            Pools::Sqlite { writer, readers } => {
                vec![("writer", writer.size(), writer.num_idle()), ("readers", readers.size(), readers.num_idle())]
            }
            Pools::Postgres(pool) => vec![("postgres", pool.size(), pool.num_idle())],
        }
    }

    /// The wake-ups.
    #[must_use]
    pub fn wakes(&self) -> &Wakes {
        &self.wakes
    }

    /// The pool, on PostgreSQL.
    pub(crate) fn postgres(&self) -> Option<&PgPool> {
        match &self.pools {
            Pools::Sqlite { .. } => None,
            Pools::Postgres(pool) => Some(pool),
        }
    }

    /// Whether only this process can be using the database, so that what an earlier process held is certainly free.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        matches!(self.pools, Pools::Sqlite { .. })
    }

    /// Closes every connection, waiting for those in use.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
        self.alone.release();
    }
}

/// Where to look for rows that wait to be worked off in the order of their ids: after the last one, and every few seconds from the
/// start, for those whose transactions were slow to commit. Always from the start, one would go over all the rows that were worked
/// off and that PostgreSQL cannot clean away while an old transaction is open.
#[derive(Debug, Default)]
pub struct Lookout(Mutex<(Option<Ms>, Uuid)>);

impl Lookout {
    /// It looks from the start so often.
    const BACK_EVERY: Duration = Duration::from_secs(5);

    /// The id after which to look now.
    pub fn after(&self, now: Ms) -> Uuid {
        let mut looked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if looked.0.is_none_or(|at| now < at || now.since(at) >= Self::BACK_EVERY) {
            *looked = (Some(now), Uuid::nil());
        }
        looked.1
    }

    /// Everything up to this id is worked off, as far as it is to be seen.
    pub fn done(&self, last: Uuid) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1 = last;
    }
}

async fn open_sqlite(url: &str) -> Result<Pools> {
    let options = SqliteConnectOptions::from_str(url)?
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5));
    // A full disk ends a transaction by itself; sqlx still takes it for open, and would begin no other one on that connection.
    let pool = SqlitePoolOptions::new()
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }));
    let writer = pool.clone().max_connections(1).connect_with(options.clone()).await?;
    let readers = pool.max_connections(4).connect_with(options.read_only(true).create_if_missing(false)).await?;
    Ok(Pools::Sqlite { writer, readers })
}

async fn open_postgres(url: &str) -> Result<Pools> {
    // A control plane that stands still in the midst of a transaction must not keep the others waiting, nor may any statement.
    let options = PgConnectOptions::from_str(url)?.application_name(migrate::APPLICATION).options([
        ("idle_in_transaction_session_timeout", "10s"),
        ("lock_timeout", "5s"),
        ("statement_timeout", "30s"),
    ]);
    let pool = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options)
        .await?;
    Ok(Pools::Postgres(pool))
}

/// PostgreSQL's `FOR UPDATE SKIP LOCKED` where there are several writers; nothing on SQLite, which has one.
/// Used as `claim!(conn, "… {} …")` is not: sqlx wants whole static texts, so a claim names both texts.
#[macro_export]
macro_rules! sql_by_db {
    ($conn:expr, sqlite: $sqlite:expr, postgres: $postgres:expr) => {
        match &$conn {
            $crate::db::Conn::Sqlite(_) => $sqlite,
            $crate::db::Conn::Postgres(_) => $postgres,
        }
    };
}

/// `fetch_all!(conn, Row, "SELECT … $1", bind, …)`: all rows.
#[macro_export]
macro_rules! fetch_all {
    ($conn:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        match $conn {
            $crate::db::Conn::Sqlite(c) => sqlx::query_as::<_, $row>($sql)$(.bind($bind))*.fetch_all(c).await,
            $crate::db::Conn::Postgres(c) => sqlx::query_as::<_, $row>($sql)$(.bind($bind))*.fetch_all(c).await,
        }
    };
}

/// `fetch_by_ids!(conn, Row, "SELECT … WHERE tenant_id", "GROUP BY …", ids, bind, …)`: all rows of these ids, which are `$1`.
#[macro_export]
macro_rules! fetch_by_ids {
    ($conn:expr, $row:ty, $before:literal, $after:literal, $ids:expr $(, $bind:expr)* $(,)?) => {{
        const SQLITE: &str = concat!($before, " IN (SELECT unhex(value) FROM json_each($1, '$.ids')) ", $after);
        const POSTGRES: &str =
            concat!($before, " IN (SELECT value::uuid FROM jsonb_array_elements_text($1 -> 'ids')) ", $after);
        let conn = $conn;
        let list: $crate::ids::IdList = $ids.iter().map(|id| id.0).collect();
        let sql = $crate::sql_by_db!(conn, sqlite: SQLITE, postgres: POSTGRES);
        $crate::fetch_all!(conn, $row, sql, sqlx::types::Json(list) $(, $bind)*)
    }};
}

/// `fetch_optional!(conn, Row, "SELECT … $1", bind, …)`: the first row, if there is one.
#[macro_export]
macro_rules! fetch_optional {
    ($conn:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        match $conn {
            $crate::db::Conn::Sqlite(c) => sqlx::query_as::<_, $row>($sql)$(.bind($bind))*.fetch_optional(c).await,
            $crate::db::Conn::Postgres(c) => sqlx::query_as::<_, $row>($sql)$(.bind($bind))*.fetch_optional(c).await,
        }
    };
}

/// `fetch_one!(conn, Row, "SELECT … $1", bind, …)`: the first row; none is an error.
#[macro_export]
macro_rules! fetch_one {
    ($conn:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        match $conn {
            $crate::db::Conn::Sqlite(c) => sqlx::query_as::<_, $row>($sql)$(.bind($bind))*.fetch_one(c).await,
            $crate::db::Conn::Postgres(c) => sqlx::query_as::<_, $row>($sql)$(.bind($bind))*.fetch_one(c).await,
        }
    };
}

/// `execute!(conn, "UPDATE … $1", bind, …)`: the number of rows that it touched.
#[macro_export]
macro_rules! execute {
    ($conn:expr, $sql:expr $(, $bind:expr)* $(,)?) => {
        match $conn {
            $crate::db::Conn::Sqlite(c) => sqlx::query($sql)$(.bind($bind))*.execute(c).await.map(|done| done.rows_affected()),
            $crate::db::Conn::Postgres(c) => sqlx::query($sql)$(.bind($bind))*.execute(c).await.map(|done| done.rows_affected()),
        }
    };
}

//! The outbox: what happened, appended in the transaction that made it happen, and the wake-ups that follow a commit.
//!
//! On PostgreSQL the wake-ups go to every control plane by NOTIFY, gathered for some milliseconds and outside the transactions
//! that cause them: a NOTIFY inside would have all commits wait for each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use serde::Serialize;
use sqlx::postgres::PgListener;
use sqlx::types::Json;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::clock::Ms;
use crate::db::{Conn, Db, Lookout, Tx};
use crate::error::Result;
use crate::ids::{EventId, InstanceId, TenantId};
use crate::{execute, fetch_all, fetch_one, fetch_optional, sql_by_db};

/// PostgreSQL's channel; its messages are `<sender> <topic>`.
const CHANNEL: &str = "mpanel_wakes";
/// Wake-ups of so long go out as one.
const GATHER: Duration = Duration::from_millis(5);
/// Between two tries to listen.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);

/// What a loop waits for. A missed wake-up costs a poll interval and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// A job may be claimed.
    Jobs,
    /// Events were numbered: they can be read in order.
    Events,
    /// A control plane asks another for something, or has answered.
    Calls,
    /// A tenant was suspended or reactivated.
    Tenants,
}

impl Topic {
    const ALL: [Self; 4] = [Self::Jobs, Self::Events, Self::Calls, Self::Tenants];

    fn as_str(self) -> &'static str {
        match self {
            Self::Jobs => "jobs",
            Self::Events => "events",
            Self::Calls => "calls",
            Self::Tenants => "tenants",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.as_str() == text)
    }
}

/// The wake-ups within this process, and those that are to reach the others.
#[derive(Clone, Debug, Default)]
pub struct Wakes(Arc<Bell>);

#[derive(Debug, Default)]
struct Bell {
    here: [Notify; Topic::ALL.len()],
    /// One bit for each topic that the others have not been told of.
    untold: AtomicU8,
    told: Notify,
}

impl Wakes {
    /// Wakes one waiter of `topic` in every control plane, now or when it next waits.
    pub fn wake(&self, topic: Topic) {
        self.wake_here(topic);
        self.0.untold.fetch_or(1 << topic as u8, Ordering::SeqCst);
        self.0.told.notify_one();
    }

    /// Waits until `topic` is woken.
    pub async fn wait(&self, topic: Topic) {
        self.0.here[topic as usize].notified().await;
    }

    /// Wakes one waiter of `topic` in this process alone.
    pub fn wake_here(&self, topic: Topic) {
        self.0.here[topic as usize].notify_one();
    }

    /// Waits until there is something to tell the others, and takes it.
    async fn untold(&self) -> Vec<Topic> {
        self.0.told.notified().await;
        tokio::time::sleep(GATHER).await;
        let bits = self.0.untold.swap(0, Ordering::SeqCst);
        Topic::ALL.into_iter().filter(|topic| bits & (1 << *topic as u8) != 0).collect()
    }
}

/// Carries wake-ups between the control planes of one PostgreSQL database until `shutdown`; on SQLite there is nothing to carry.
pub async fn wakes_carry(db: Db, instance: InstanceId, shutdown: CancellationToken) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = wakes_send(&db, instance) => {}
        () = wakes_receive(&db, instance) => {}
    }
}

async fn wakes_send(db: &Db, instance: InstanceId) {
    const SQL: &str = "SELECT pg_notify($1, $2)";
    let Some(pool) = db.postgres() else { return };
    loop {
        for topic in db.wakes().untold().await {
            let message = format!("{instance} {}", topic.as_str());
            if let Err(error) = sqlx::query(SQL).bind(CHANNEL).bind(message).execute(pool).await {
                tracing::debug!(%error, "a wake-up is lost: the others find out when they next look");
            }
        }
    }
}

async fn wakes_receive(db: &Db, instance: InstanceId) {
    let Some(pool) = db.postgres() else { return };
    let own = instance.to_string();
    loop {
        let heard: sqlx::Result<()> = async {
            let mut listener = PgListener::connect_with(pool).await?;
            listener.listen(CHANNEL).await?;
            loop {
                // What was said before, or while the connection was gone, was not heard.
                for topic in Topic::ALL {
                    db.wakes().wake_here(topic);
                }
                while let Some(said) = listener.try_recv().await? {
                    let (sender, topic) = said.payload().split_once(' ').unwrap_or_default();
                    if let Some(topic) = Topic::parse(topic).filter(|_| sender != own) {
                        db.wakes().wake_here(topic);
                    }
                }
            }
        }
        .await;
        if let Err(error) = heard {
            tracing::warn!(%error, "not listening for wake-ups now: they come by polling until this is better");
        }
        tokio::time::sleep(LISTEN_AGAIN).await;
    }
}

/// Something that happened, for those who watch.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// Whose it is; `None`: the platform's alone.
    pub tenant: Option<TenantId>,
    /// `noun.verb`, e.g. `cloudpod.created`.
    pub name: &'a str,
    /// The noun's id.
    pub subject: String,
}

/// Appends to the outbox.
pub async fn event_append(tx: &mut Tx, at: Ms, event: Event<'_>, data: &impl Serialize) -> Result<()> {
    const SQL: &str =
        "INSERT INTO events (id, tenant_id, name, subject, data, created_at) VALUES ($1, $2, $3, $4, $5, $6)";
    let data = serde_json::to_value(data).map_err(crate::error::Error::internal)?;
    execute!(tx.conn(), SQL, EventId::generate(), event.tenant, event.name, event.subject, Json(data), at)?;
    Ok(())
}

/// Events that are numbered by one transaction.
const NUMBER_BATCH: i64 = 1000;

/// Numbers the events that were appended, in the order in which they are seen; how many, and whether more may wait. Any number of
/// control planes may do this at once: one at a time does. A number is given when its transaction commits, and all before it are
/// given by then, so that a reader who asks for what comes after a number misses nothing.
pub async fn events_number(db: &Db, lookout: &Lookout, now: Ms) -> Result<(u64, bool)> {
    const WAITS: &str = "SELECT id FROM events WHERE seq IS NULL AND id > $1 ORDER BY id LIMIT 1";
    let after = lookout.after(now);
    let waits = fetch_optional!(db.read().await?.conn(), (EventId,), WAITS, after)?;
    if waits.is_none() {
        return Ok((0, false));
    }
    let mut tx = db.begin().await?;
    let numbered = number(&mut tx, after).await?;
    if let Some(last) = numbered.iter().map(|(id,)| id.0).max() {
        tx.wake(Topic::Events);
        tx.commit().await?;
        lookout.done(last);
    }
    Ok((numbered.len() as u64, numbered.len() as i64 == NUMBER_BATCH))
}

async fn number(tx: &mut Tx, after: Uuid) -> Result<Vec<(EventId,)>> {
    const SQLITE: &str = "SELECT seq FROM event_head WHERE id = 1";
    const POSTGRES: &str = "SELECT seq FROM event_head WHERE id = 1 FOR UPDATE";
    const NUMBER: &str = "
        UPDATE events SET seq = numbered.seq
        FROM (SELECT id, $1 + ROW_NUMBER() OVER (ORDER BY id) AS seq
              FROM (SELECT id FROM events WHERE seq IS NULL AND id > $2 ORDER BY id LIMIT $3) AS waiting) AS numbered
        WHERE events.id = numbered.id
        RETURNING events.id";
    const HEAD: &str = "UPDATE event_head SET seq = seq + $1 WHERE id = 1";
    let sql = sql_by_db!(tx.conn(), sqlite: SQLITE, postgres: POSTGRES);
    let (head,) = fetch_one!(tx.conn(), (i64,), sql)?;
    let numbered = fetch_all!(tx.conn(), (EventId,), NUMBER, head, after, NUMBER_BATCH)?;
    execute!(tx.conn(), HEAD, numbered.len() as i64)?;
    Ok(numbered)
}

/// An event as it is kept, with its number.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbered {
    /// Its number: higher than that of all that were numbered before.
    pub seq: i64,
    /// Its id.
    pub id: EventId,
    /// Whose it is; `None`: the platform's alone.
    pub tenant: Option<TenantId>,
    /// `noun.verb`.
    pub name: String,
    /// The noun's id.
    pub subject: String,
    /// What more there is to say.
    pub data: serde_json::Value,
    /// When.
    pub at: Ms,
}

#[derive(sqlx::FromRow)]
struct NumberedRow {
    seq: i64,
    id: EventId,
    tenant_id: Option<TenantId>,
    name: String,
    subject: String,
    data: Json<serde_json::Value>,
    created_at: Ms,
}

impl From<NumberedRow> for Numbered {
    fn from(row: NumberedRow) -> Self {
        let NumberedRow { seq, id, tenant_id: tenant, name, subject, data: Json(data), created_at: at } = row;
        Self { seq, id, tenant, name, subject, data, at }
    }
}

/// Events after this number, in their order.
pub async fn events_after(conn: Conn<'_>, seq: i64, limit: i64) -> Result<Vec<Numbered>> {
    const SQL: &str = "SELECT seq, id, tenant_id, name, subject, data, created_at FROM events
                       WHERE seq > $1 ORDER BY seq LIMIT $2";
    Ok(fetch_all!(conn, NumberedRow, SQL, seq, limit)?.into_iter().map(Numbered::from).collect())
}

/// The highest number given, and the highest that was deleted: who has read less far has missed something.
pub async fn events_bounds(conn: Conn<'_>) -> Result<(i64, i64)> {
    const SQL: &str = "SELECT seq, pruned FROM event_head WHERE id = 1";
    Ok(fetch_one!(conn, (i64, i64), SQL)?)
}

/// Deletes up to `limit` of the oldest events that happened before `before`; how many.
pub async fn events_prune(tx: &mut Tx, before: Ms, limit: u32) -> Result<u64> {
    const SQL: &str = "
        DELETE FROM events WHERE created_at < $1
            AND seq IN (SELECT seq FROM events WHERE seq IS NOT NULL ORDER BY seq LIMIT $2)
        RETURNING seq";
    const PRUNED: &str = "UPDATE event_head SET pruned = $1 WHERE id = 1 AND pruned < $1";
    let deleted = fetch_all!(tx.conn(), (i64,), SQL, before, i64::from(limit))?;
    if let Some(highest) = deleted.iter().map(|(seq,)| *seq).max() {
        execute!(tx.conn(), PRUNED, highest)?;
    }
    Ok(deleted.len() as u64)
}

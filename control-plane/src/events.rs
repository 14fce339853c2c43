//! The outbox: what happened, appended in the transaction that made it happen, and the wake-ups that follow a commit.

use std::sync::Arc;

use serde::Serialize;
use sqlx::types::Json;
use tokio::sync::Notify;

use crate::clock::Ms;
use crate::db::Tx;
use crate::error::Result;
use crate::execute;
use crate::ids::{EventId, TenantId};

/// What a loop waits for. A missed wake-up costs a poll interval and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// A job may be claimed.
    Jobs,
    /// An event was appended.
    Events,
}

/// The wake-ups within this process.
#[derive(Clone, Debug, Default)]
pub struct Wakes(Arc<[Notify; 2]>);

impl Wakes {
    /// Wakes one waiter of `topic`, now or when it next waits.
    pub fn wake(&self, topic: Topic) {
        self.notify(topic).notify_one();
    }

    /// Waits until `topic` is woken.
    pub async fn wait(&self, topic: Topic) {
        self.notify(topic).notified().await;
    }

    fn notify(&self, topic: Topic) -> &Notify {
        match topic {
            Topic::Jobs => &self.0[0],
            Topic::Events => &self.0[1],
        }
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
    tx.wake(Topic::Events);
    Ok(())
}

/// Deletes up to `limit` of the oldest events that happened before `before`; how many.
pub async fn events_prune(tx: &mut Tx, before: Ms, limit: u32) -> Result<u64> {
    const SQL: &str = "DELETE FROM events WHERE created_at < $1 AND id IN (SELECT id FROM events ORDER BY id LIMIT $2)";
    Ok(execute!(tx.conn(), SQL, before, i64::from(limit))?)
}

//! Reads what is new, once for all streams of this process.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast;

use crate::db::Db;
use crate::error::Result;
use crate::events::{Numbered, events_after, events_bounds};
use crate::ids::{TenantId, TokenId, UserId};

/// Events that wait for the streams; a stream that is behind by more is cut.
const RING: usize = 1024;
/// Events that are read at once.
const PAGE: i64 = 500;
/// Streams of one person at once, by whatever tokens and sign-ins; and of one holder of the platform's token.
const PER_PERSON: usize = 16;
/// Streams of one tenant's people at once.
const PER_TENANT: usize = 64;
/// Streams of a process at once; each holds a connection.
const STREAMS_MAX: usize = 1000;

/// See the module.
pub struct Service {
    db: Db,
    ring: broadcast::Sender<Arc<Numbered>>,
    /// The number of the last event in the ring; negative: nothing was read yet.
    position: AtomicI64,
    streams: Arc<Mutex<Streams>>,
}

/// Whose streams are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Holder {
    /// Those by the platform's own token.
    Token(TokenId),
    /// A person's.
    Person(UserId),
    /// Those of a tenant's people in that tenant.
    Tenant(TenantId),
}

impl Holder {
    /// The most that it may have.
    fn streams_max(self) -> usize {
        match self {
            Self::Token(_) | Self::Person(_) => PER_PERSON,
            Self::Tenant(_) => PER_TENANT,
        }
    }
}

/// How many streams there are.
#[derive(Debug, Default)]
struct Streams {
    all: usize,
    by_holder: HashMap<Holder, usize>,
}

/// The right to one stream, given back when it ends.
#[derive(Debug)]
pub struct Place {
    holders: Vec<Holder>,
    streams: Arc<Mutex<Streams>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.all -= 1;
        for holder in &self.holders {
            if let Some(count) = streams.by_holder.get_mut(holder) {
                *count -= 1;
                if *count == 0 {
                    streams.by_holder.remove(holder);
                }
            }
        }
    }
}

impl Service {
    /// Over this database.
    #[must_use]
    pub fn new(db: Db) -> Self {
        let (ring, _) = broadcast::channel(RING);
        Self { db, ring, position: AtomicI64::new(-1), streams: Arc::default() }
    }

    /// Brings new events to the streams of this process; how many, and whether there are more. Only one at a time may do this.
    pub async fn events_pull(&self) -> Result<(u64, bool)> {
        let mut read = self.db.read().await?;
        let position = self.position.load(Ordering::SeqCst);
        if position < 0 {
            // Those before the start of this process are for whoever resumes, who reads them himself.
            let (head, _) = events_bounds(read.conn()).await?;
            self.position.store(head, Ordering::SeqCst);
            return Ok((0, false));
        }
        let events = events_after(read.conn(), position, PAGE).await?;
        drop(read);
        let count = events.len();
        for event in events {
            self.position.store(event.seq, Ordering::SeqCst);
            // It fails only where nobody watches, and then there is nobody to miss it: who comes later reads from the database.
            let _watchers = self.ring.send(Arc::new(event));
        }
        Ok((count as u64, count as i64 == PAGE))
    }

    /// What comes from now on.
    #[must_use]
    pub fn watch(&self) -> broadcast::Receiver<Arc<Numbered>> {
        self.ring.subscribe()
    }

    /// A page of what was numbered after this.
    pub async fn events_after(&self, seq: i64) -> Result<Vec<Numbered>> {
        let mut read = self.db.read().await?;
        events_after(read.conn(), seq, PAGE).await
    }

    /// The highest number given, and the highest that was deleted.
    pub async fn bounds(&self) -> Result<(i64, i64)> {
        let mut read = self.db.read().await?;
        events_bounds(read.conn()).await
    }

    /// A place for one more stream, which counts for each of these; `None`: one of them has too many, or the process has.
    #[must_use]
    pub fn place(&self, holders: Vec<Holder>) -> Option<Place> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let count = |holder: &Holder| streams.by_holder.get(holder).copied().unwrap_or(0);
        if streams.all >= STREAMS_MAX || holders.iter().any(|holder| count(holder) >= holder.streams_max()) {
            return None;
        }
        streams.all += 1;
        for holder in &holders {
            *streams.by_holder.entry(*holder).or_insert(0) += 1;
        }
        Some(Place { holders, streams: self.streams.clone() })
    }
}

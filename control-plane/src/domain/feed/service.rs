//! Reads what is new, once for all streams of this process.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast;

use crate::db::Db;
use crate::error::Result;
use crate::events::{Numbered, events_after, events_bounds};

/// Events that wait for the streams; a stream that is behind by more is cut.
const RING: usize = 1024;
/// Events that are read at once.
const PAGE: i64 = 500;
/// Streams of one principal at once.
const PER_PRINCIPAL: usize = 16;
/// Streams of a process at once; each holds a connection.
const STREAMS_MAX: usize = 1000;

/// See the module.
pub struct Service {
    db: Db,
    ring: broadcast::Sender<Arc<Numbered>>,
    /// The number of the last event in the ring; negative: nothing was read yet.
    position: AtomicI64,
    streams: Arc<Mutex<HashMap<String, usize>>>,
}

/// The right to one stream, given back when it ends.
#[derive(Debug)]
pub struct Place {
    principal: String,
    streams: Arc<Mutex<HashMap<String, usize>>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = streams.get_mut(&self.principal) {
            *count -= 1;
            if *count == 0 {
                streams.remove(&self.principal);
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

    /// A place for one more stream of this principal; `None`: there are too many.
    #[must_use]
    pub fn place(&self, principal: &str) -> Option<Place> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if streams.values().sum::<usize>() >= STREAMS_MAX {
            return None;
        }
        let count = streams.entry(principal.to_owned()).or_insert(0);
        if *count >= PER_PRINCIPAL {
            return None;
        }
        *count += 1;
        Some(Place { principal: principal.to_owned(), streams: self.streams.clone() })
    }
}

//! What others may do with pods' traffic.

use std::collections::BTreeMap;

use super::{Month, Sample, Used, store};
use crate::clock::Clock;
use crate::db::{Conn, Tx};
use crate::error::Result;
use crate::ids::{CloudPodId, ServerId};

/// How many months are kept.
const KEPT_MONTHS: i64 = 36;

/// The traffic of all pods.
pub struct Service {
    clock: Clock,
}

impl Service {
    /// Over whatever transaction it is given.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock }
    }

    /// The present month.
    #[must_use]
    pub fn month(&self) -> Month {
        Month::of(self.clock.now())
    }

    /// Adds what counters grew by, in one statement however many VMs there are. Of a pod only if it is on that server, with
    /// that VMID; of a session only if it is the server's present one. Repeatable: the same counters add nothing.
    pub async fn traffic_record(
        &self,
        tx: &mut Tx,
        server: ServerId,
        session_epoch: u64,
        samples: &[Sample],
    ) -> Result<u64> {
        // One of a pod: the last that was said.
        let last: BTreeMap<CloudPodId, Sample> = samples.iter().map(|sample| (sample.pod, *sample)).collect();
        if last.is_empty() {
            return Ok(0);
        }
        let now = self.clock.now();
        store::traffic_add(tx, server, session_epoch, Month::of(now), now, last.into_values()).await
    }

    /// What a pod used, the newest month first.
    pub async fn traffic_of(&self, conn: Conn<'_>, pod: CloudPodId, months: u32) -> Result<Vec<Used>> {
        store::traffic_of(conn, pod, months).await
    }

    /// Deletes up to `limit` rows of months that nobody asks for any more; how many.
    pub async fn traffic_prune(&self, tx: &mut Tx, limit: u32) -> Result<u64> {
        store::traffic_prune(tx, self.month().back(KEPT_MONTHS), limit).await
    }
}

//! Claims keys and keeps answers.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::{Answer, Begun, Claim, Effect, RETENTION, Request, store};
use crate::clock::Clock;
use crate::db::Db;
use crate::domain::cluster::service::Service as Cluster;
use crate::error::Result;
use crate::ids::InstanceId;

/// See the module.
#[derive(Clone)]
pub struct Service {
    db: Db,
    clock: Clock,
    instance: InstanceId,
    lease: Duration,
    cluster: Arc<Cluster>,
}

impl Service {
    /// For this process, whose requests take at most `lease`; `cluster` knows which others are dead.
    #[must_use]
    pub fn new(db: Db, clock: Clock, instance: InstanceId, lease: Duration, cluster: Arc<Cluster>) -> Self {
        Self { db, clock, instance, lease, cluster }
    }

    /// Claims the key for a request, or says what became of the first one.
    pub async fn key_begin(&self, request: &Request<'_>) -> Result<Begun> {
        let now = self.clock.now();
        let claim = Claim { key: request.key.to_owned(), id: Uuid::new_v4() };
        let lease = store::Lease { owner: self.instance, until: now.plus(self.lease) };
        let mut tx = self.db.begin().await?;
        if store::key_insert(&mut tx, now, request, &claim, lease).await? {
            if let Err(error) = tx.commit().await {
                // Its answer may be lost, and the claim stands; but nothing is done under it, so it goes if it can.
                drop(self.key_release(request.actor, &claim).await);
                return Err(error);
            }
            return Ok(Begun::Run(claim));
        }
        let Some(kept) = store::key_get(tx.conn(), request.actor, request.key).await? else {
            // It was released between the two statements: the first request is as good as under way.
            return Ok(Begun::Running);
        };
        let store::Kept { hash, claim_id, owner, lease_until, effect, answer } = kept;
        if hash != request.hash && hash != request.hash_before {
            return Ok(Begun::Reused);
        }
        if let Some(answer) = answer {
            return Ok(Begun::Replay(answer));
        }
        let abandoned = lease_until <= now || self.cluster.is_dead(tx.conn(), owner).await?;
        if let Some(effect) = effect {
            let first = Claim { key: claim.key, id: claim_id };
            return Ok(if abandoned { Begun::Recover(first, effect) } else { Begun::Running });
        }
        if abandoned && store::key_take_over(&mut tx, request, claim_id, &claim, lease).await? {
            tx.commit().await?;
            return Ok(Begun::Run(claim));
        }
        Ok(Begun::Running)
    }

    /// Keeps the answer of a request that is done.
    pub async fn key_finish(&self, actor: &str, claim: &Claim, answer: &Answer) -> Result<()> {
        let mut tx = self.db.begin().await?;
        store::key_finish(&mut tx, self.clock.now(), actor, claim, answer).await?;
        tx.commit().await
    }

    /// Gives the key back after a request that had no effect: its repetition is a new try. One that had an effect keeps
    /// the key, and its repetition finds out what the effect was.
    pub async fn key_release(&self, actor: &str, claim: &Claim) -> Result<()> {
        let mut tx = self.db.begin().await?;
        if !store::key_delete_unmarked(&mut tx, actor, claim).await? {
            store::key_expire(&mut tx, self.clock.now(), actor, claim).await?;
        }
        tx.commit().await
    }

    /// What the request under this claim did, if it did anything.
    pub async fn key_effect(&self, actor: &str, claim: &Claim) -> Result<Option<Effect>> {
        let mut read = self.db.read().await?;
        let kept = store::key_get(read.conn(), actor, &claim.key).await?;
        Ok(kept.filter(|kept| kept.claim_id == claim.id).and_then(|kept| kept.effect))
    }

    /// Forgets what is older than [`RETENTION`]; how many there were.
    pub async fn keys_prune(&self) -> Result<u64> {
        let mut tx = self.db.begin().await?;
        let pruned = store::keys_delete_before(&mut tx, self.clock.now().minus(RETENTION)).await?;
        tx.commit().await?;
        Ok(pruned)
    }
}

//! The queue: what of it is due, and who takes it.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use super::super::store;
use super::Engine;
use crate::clock::Ms;
use crate::domain::jobs::Job;
use crate::error::Result;
use crate::fault;
use crate::ids::TenantId;

/// Between two looks at all of the queue: so late is a job begun that was stored long after the time for it was taken.
const LOOK_WHOLE_EVERY: Duration = Duration::from_secs(1);
/// Within so long of taking the time for it a new job is mostly stored.
const STORED_WITHIN: Duration = Duration::from_secs(5);
/// How often within a lease it is looked for leases that have ended. Seldom enough that it may look at all of them, the dead rows
/// of a long transaction among them.
const LAPSE_TIMES_A_LEASE: u32 = 4;

/// What is known of the queue, so that a look at it need not begin with what was done long ago.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Looked {
    /// When all of it was looked at.
    whole_at: Option<Ms>,
    /// Nothing that is queued was due before this, as far as was seen then.
    from: Ms,
    /// When leases that had ended were last let go of.
    lapsed_at: Option<Ms>,
}

impl Engine {
    /// Takes one batch of due jobs and starts on each; the number taken.
    pub async fn dispatch(&self) -> Result<usize> {
        let now = self.0.clock.now();
        if self.0.tasks.is_closed() {
            return Ok(0);
        }
        self.leases_lapse(now).await?;
        let Some(from) = self.due(now).await? else { return Ok(0) };
        let free = u32::try_from(self.0.slots.available_permits()).unwrap_or(u32::MAX);
        let Ok(mut slots) = self.0.slots.clone().try_acquire_many_owned(free.max(1)) else { return Ok(0) };
        let jobs = self.claim(now, from, free).await?;
        let taken = jobs.len();
        for job in jobs {
            fault::point("job.claimed");
            self.spawn(job, slots.split(1));
        }
        Ok(taken)
    }

    fn served(&self) -> MutexGuard<'_, TenantId> {
        self.0.served.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn looked(&self) -> MutexGuard<'_, Looked> {
        self.0.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a claim might find anything, and from which time on it has to look at what is queued.
    async fn due(&self, now: Ms) -> Result<Option<Ms>> {
        let known = *self.looked();
        let whole = known.whole_at.is_none_or(|at| now < at || now.since(at) >= LOOK_WHOLE_EVERY);
        let from = if whole { Ms(0) } else { known.from };
        let store::Due { queued, free } = store::jobs_due(self.0.db.read().await?.conn(), from, now).await?;
        let mut looked = self.looked();
        // Who stores a job now may have taken the time for it a moment ago.
        looked.from = queued.unwrap_or(now).min(now.minus(STORED_WITHIN));
        if whole {
            looked.whole_at = Some(now);
        }
        Ok((free || queued.is_some_and(|at| at <= now)).then_some(from))
    }

    /// Lets go of what is under a lease that has ended, every now and then.
    async fn leases_lapse(&self, now: Ms) -> Result<()> {
        let last = self.looked().lapsed_at.filter(|at| *at <= now);
        if last.is_some_and(|at| now.since(at) < self.0.pace.lease / LAPSE_TIMES_A_LEASE) {
            return Ok(());
        }
        if store::any_lapsed(self.0.db.read().await?.conn(), now).await? {
            let mut tx = self.0.db.begin().await?;
            store::leases_lapse(&mut tx, now).await?;
            tx.commit().await?;
        }
        self.looked().lapsed_at = Some(now);
        Ok(())
    }

    async fn claim(&self, now: Ms, from: Ms, batch: u32) -> Result<Vec<Job>> {
        let (owner, lease_until) = self.lease();
        let pace = &self.0.pace;
        let claim = store::Claim {
            owner,
            now,
            lease_until,
            alive: now.minus(pace.lease),
            batch,
            per_server: pace.per_server,
            per_tenant: pace.per_tenant,
            per_storage: pace.per_storage,
            after: *self.served(),
            from,
        };
        let mut tx = self.0.db.begin().await?;
        let (jobs, after) = store::jobs_claim(&mut tx, &claim).await?;
        tx.commit().await?;
        *self.served() = after;
        Ok(jobs)
    }
}

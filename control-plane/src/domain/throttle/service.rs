//! Counts attempts, and tells those who make too many to wait.

use super::{FADE, FORGET, Subject, store};
use crate::clock::{Clock, Ms};
use crate::db::{Db, Tx};
use crate::error::{Error, Result};

/// See the module.
#[derive(Clone, Debug)]
pub struct Service {
    db: Db,
    clock: Clock,
}

impl Service {
    /// Over this database.
    #[must_use]
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }

    /// Counts an attempt of each of these as a failure, or refuses it (429) because one of them has to wait. How many failures the
    /// last of them has with this one.
    pub async fn attempt_charge(&self, subjects: &[Subject]) -> Result<i64> {
        let (now, mut last) = (self.clock.now(), 0);
        // A look first, so that whoever has to wait costs no write.
        let mut read = self.db.read().await?;
        for subject in subjects {
            refuse_waiting(store::wait_until(read.conn(), &subject.key).await?, now)?;
        }
        drop(read);
        let mut tx = self.db.begin().await?;
        for subject in subjects {
            store::failures_fade(&mut tx, &subject.key, (now, now.minus(FORGET)), FADE).await?;
            let counted = store::failure_count(&mut tx, &subject.key, now, subject.failures_max()).await?;
            let Some(failures) = counted else {
                refuse_waiting(store::wait_until(tx.conn(), &subject.key).await?, now)?;
                return Err(Error::retry("another attempt was counted at this moment; try again"));
            };
            store::wait_set(&mut tx, &subject.key, now.plus(subject.wait(failures))).await?;
            last = failures;
        }
        tx.commit().await?;
        Ok(last)
    }

    /// Takes back what [`Service::attempt_charge`] counted: the attempt was right.
    pub async fn attempt_refund(&self, tx: &mut Tx, subjects: &[Subject]) -> Result<()> {
        for subject in subjects {
            store::failure_refund(tx, &subject.key, self.clock.now()).await?;
        }
        Ok(())
    }

    /// Forgets all failures of a subject.
    pub async fn attempts_forget(&self, tx: &mut Tx, subject: &Subject) -> Result<()> {
        store::failures_forget(tx, &subject.key).await
    }

    /// Deletes counts that mean nothing any more.
    pub async fn attempts_prune(&self, tx: &mut Tx, limit: u32) -> Result<u64> {
        store::failures_prune(tx, self.clock.now().minus(FORGET), i64::from(limit)).await
    }
}

fn refuse_waiting(until: Option<Ms>, now: Ms) -> Result<()> {
    match until {
        // Whole seconds, and never one too few.
        Some(until) if until > now => Err(Error::TooMany {
            retry_after: std::time::Duration::from_secs(until.since(now).as_millis().div_ceil(1000) as u64),
        }),
        _ => Ok(()),
    }
}

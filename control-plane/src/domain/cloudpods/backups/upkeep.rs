//! What policies ask for: backups that are due, and the pruning of those that nothing keeps. Both may run on any number of
//! control planes at once: each due time and each backup is taken by one conditional update.

use serde_json::json;

use super::{BackupCreate, IN_USE};
use crate::domain::audit::{Actor, Scope};
use crate::domain::backups::BackupState;
use crate::domain::cloudpods::State;
use crate::domain::cloudpods::sagas::kind;
use crate::domain::cloudpods::service::Service;
use crate::domain::tenants::quotas::EXCEEDED;
use crate::error::{Error, Result};
use crate::ids::{BackupId, CloudPodId};

/// What one run looks at of each.
const BATCH: u32 = 50;
/// Of one pod's jobs that wait, so many are left to its owner: pruning can wait.
const JOBS_OF_POD_MAX: usize = 4;

/// What one run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// Backups that were begun.
    pub begun: u64,
    /// Backups that could not be begun; the reason is an event of the pod.
    pub skipped: u64,
    /// Backups whose deletion was begun.
    pub pruned: u64,
    /// There is more to do at once.
    pub more: bool,
}

/// What became of a backup that was due.
enum Due {
    Begun,
    /// It cannot be made now, which is written down beside the pod.
    Skipped,
    /// It is not due any more: another control plane was quicker, the policy changed, or the pod is gone.
    Moved,
}

impl Service {
    /// Begins what is due and prunes what nothing keeps.
    pub async fn backups_upkeep(&self) -> Result<Upkeep> {
        let mut done = Upkeep::default();
        let actor = Actor::system("backups");
        let mut read = self.db.read().await?;
        let due = self.books.backups.policies_due(read.conn(), BATCH).await?;
        let prunable = self.books.backups.backups_prunable(read.conn(), BATCH).await?;
        drop(read);
        let full = due.len().max(prunable.len()) >= BATCH as usize;
        for pod in due {
            match self.backup_due(&actor, pod).await {
                Ok(Due::Begun) => done.begun += 1,
                Ok(Due::Skipped) => done.skipped += 1,
                Ok(Due::Moved) => {}
                // The database is away: the next run comes soon.
                Err(error) if error.retryable() => return Err(error),
                // One that cannot even be written down keeps nobody else from theirs.
                Err(error) => tracing::error!(%pod, %error, "a due backup policy cannot be followed"),
            }
        }
        for backup in prunable {
            done.pruned += u64::from(self.backup_prune(&actor, backup).await?);
        }
        done.more = full && done.begun + done.skipped + done.pruned > 0;
        Ok(done)
    }

    /// Begins the backup that a pod's policy asks for now.
    async fn backup_due(&self, actor: &Actor, id: CloudPodId) -> Result<Due> {
        let mut tx = self.db.begin().await?;
        let held = self.pod_held_to_grow(&mut tx, Scope::Platform, id).await?;
        let pod = &held.0;
        let policy = self.books.backups.policy_get(tx.conn(), id).await?;
        if let State::Deleted { .. } = pod.state {
            self.books.backups.policy_end(&mut tx, id).await?;
            tx.commit().await?;
            return Ok(Due::Moved);
        }
        if !self.books.backups.policy_advance(&mut tx, &policy).await? {
            return Ok(Due::Moved);
        }
        let live = self.jobs.jobs_live_of_pod(tx.conn(), id).await?;
        let reason = match pod.state {
            State::Active | State::Suspended if live.iter().any(|job| job.kind == kind::BACKUP) => {
                Some("the backup before it is not over yet".to_owned())
            }
            State::Active | State::Suspended => None,
            _ => Some(format!("the pod is {}", pod.state.as_str())),
        };
        let mut quota_full = false;
        let reason = if reason.is_some() {
            reason
        } else {
            let (storage, mode) = (policy.storage.clone(), policy.mode);
            let input = BackupCreate { storage, mode, note: String::new(), protected: false, keep_days: None };
            match self.backup_ask(&mut tx, actor, &held, input, true).await {
                Ok(_) => None,
                // What is wrong with it is written down beside the pod; nothing of it was.
                Err(error) if !error.retryable() => {
                    quota_full = error.code() == EXCEEDED;
                    Some(error.to_string())
                }
                Err(error) => return Err(error),
            }
        };
        // A full quota is so every time until somebody does something: that is written down once.
        let full = if quota_full { EXCEEDED } else { "" };
        let told = self.books.backups.policy_skipped_set(&mut tx, id, full).await?;
        if let Some(reason) = reason.as_ref().filter(|_| told || !quota_full) {
            tracing::warn!(pod = %id, reason, "a backup that was due is not made");
            self.record(&mut tx, actor, pod, "cloudpod.backup_skipped", &json!({ "reason": reason })).await?;
        }
        tx.commit().await?;
        Ok(if reason.is_some() { Due::Skipped } else { Due::Begun })
    }

    async fn backup_prune(&self, actor: &Actor, id: BackupId) -> Result<bool> {
        let mut tx = self.db.begin().await?;
        let Some(backup) = self.books.backups.backup_find(tx.conn(), id).await? else { return Ok(false) };
        let pod = self.pod_held(&mut tx, Scope::Platform, backup.pod).await?;
        // Again, now that nobody else changes what keeps it.
        let Some(backup) = self.books.backups.backup_find(tx.conn(), id).await? else { return Ok(false) };
        if backup.protected || backup.state != BackupState::Ready || pod.state == State::Deleting {
            return Ok(false);
        }
        if self.jobs.jobs_live_of_pod(tx.conn(), pod.id).await?.len() >= JOBS_OF_POD_MAX {
            return Ok(false);
        }
        match self.backup_delete_ask(&mut tx, actor, &pod, &backup, "cloudpod.backup_pruned").await {
            Ok(Some(_)) => {}
            Ok(None) | Err(Error::Conflict { code: IN_USE, .. }) => return Ok(false),
            Err(error) => return Err(error),
        }
        tx.commit().await?;
        Ok(true)
    }
}

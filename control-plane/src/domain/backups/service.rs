//! What others may do with the rows of backups. The jobs that make, delete and restore them are the pods' business.

use std::time::Duration;

use super::{Backup, BackupPolicy, BackupState, NewBackup, store};
use crate::clock::{Clock, Ms};
use crate::db::{Conn, Tx, Window};
use crate::domain::audit::Scope;
use crate::domain::jobs::BackupSeen;
use crate::error::{Error, Result};
use crate::ids::{BackupId, CloudPodId, ServerId};

/// Backups of one pod on one storage that are taken note of.
const SEEN_MAX: usize = 1000;
/// The longest name of a backup that is taken from a host.
const VOLID_MAX: usize = 512;

/// What the operator allows.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most backups that a pod may have.
    pub per_pod: u32,
    /// How long what is not protected is kept after its pod's destroy.
    pub after_destroy: Duration,
}

/// The service of this slice.
#[derive(Clone, Debug)]
pub struct Service {
    clock: Clock,
    limits: Limits,
}

impl Service {
    /// Within these limits.
    #[must_use]
    pub fn new(clock: Clock, limits: Limits) -> Self {
        Self { clock, limits }
    }

    /// A page of a tenant's backups, or of one pod's, the newest first.
    pub async fn backup_list(
        &self,
        conn: Conn<'_>,
        scope: Scope,
        pod: Option<CloudPodId>,
        window: Window<BackupId>,
    ) -> Result<Vec<Backup>> {
        store::backup_list(conn, scope, pod, window).await
    }

    /// One backup.
    pub async fn backup_get(&self, conn: Conn<'_>, scope: Scope, id: BackupId) -> Result<Backup> {
        store::backup_get(conn, scope, id).await?.ok_or_else(|| Error::not_found("backup", id))
    }

    /// As [`Service::backup_get`], for a job: it may be gone.
    pub async fn backup_find(&self, conn: Conn<'_>, id: BackupId) -> Result<Option<Backup>> {
        store::backup_get(conn, Scope::Platform, id).await
    }

    /// All of a pod's, the oldest first.
    pub async fn backups_of(&self, conn: Conn<'_>, pod: CloudPodId) -> Result<Vec<Backup>> {
        store::backups_of(conn, pod).await
    }

    /// Notes that one is to be made. A conflict when the pod has as many as it may. The pod's row is held by the caller.
    pub async fn backup_insert(&self, tx: &mut Tx, new: &NewBackup) -> Result<BackupId> {
        let count = store::backups_count(tx.conn(), new.pod).await?;
        if count >= i64::from(self.limits.per_pod) {
            return Err(Error::conflict(
                "backup_limit",
                format!(
                    "the pod has {count} backups; {} are allowed: delete one first, or keep fewer by its backup policy",
                    self.limits.per_pod
                ),
            ));
        }
        let id = BackupId::generate();
        store::backup_insert(tx, id, new, self.clock.now()).await?;
        Ok(id)
    }

    /// Where its pod is at the time of its making.
    pub async fn backup_at(&self, tx: &mut Tx, id: BackupId, server: ServerId, vmid: u32) -> Result<()> {
        store::backup_at(tx, id, server, vmid).await
    }

    /// It is made. Repeatable.
    pub async fn backup_made(&self, tx: &mut Tx, id: BackupId, seen: &BackupSeen) -> Result<()> {
        store::backup_seen(tx, id, seen, true).await
    }

    /// It was found on the host, though its job failed: to be deleted with that job's undoing.
    pub async fn backup_left(&self, tx: &mut Tx, id: BackupId, seen: &BackupSeen) -> Result<()> {
        store::backup_seen(tx, id, seen, false).await
    }

    /// Stores a transition. `false`: it was not `from` any more.
    pub async fn backup_state_set(
        &self,
        tx: &mut Tx,
        id: BackupId,
        from: BackupState,
        to: BackupState,
    ) -> Result<bool> {
        store::backup_state_set(tx, id, from, to).await
    }

    /// Holds one for the transaction, so that nobody begins to delete it. `false`: it is not ready to be used any more.
    pub async fn backup_hold(&self, tx: &mut Tx, id: BackupId) -> Result<bool> {
        store::backup_hold(tx, id).await
    }

    /// Its deletion failed: the loop that prunes leaves it alone for so long.
    pub async fn backup_prune_after(&self, tx: &mut Tx, id: BackupId, wait: Duration) -> Result<()> {
        store::backup_prune_at(tx, id, self.clock.now().plus(wait)).await
    }

    /// Whether and how long it is kept.
    pub async fn backup_keep(&self, tx: &mut Tx, id: BackupId, protected: bool, kept_until: Option<Ms>) -> Result<()> {
        store::backup_keep(tx, id, protected, kept_until).await
    }

    /// Forgets one that is certainly gone, or never was. `false`: it is not in this state.
    pub async fn backup_forget(&self, tx: &mut Tx, id: BackupId, state: BackupState) -> Result<bool> {
        store::backup_delete(tx, id, state).await
    }

    /// Makes the rows say what is on a storage: all backups there whose notes name the pod. One that no row knows is a
    /// backup whose job did not hear of its end; one that is gone was pruned by somebody else. `like`: whose, and where.
    ///
    /// A storage that is not mounted, or that the agent may not look into, shows nothing at all, and no error: of that nothing is
    /// concluded. What is protected is forgotten only when somebody deletes it.
    pub async fn backups_reconcile(&self, tx: &mut Tx, like: &NewBackup, seen: &[BackupSeen]) -> Result<()> {
        let mut known = store::backups_of(tx.conn(), like.pod).await?;
        let shown: Vec<_> = seen.iter().filter(|seen| is_of(seen, like.pod)).take(SEEN_MAX).collect();
        if shown.is_empty() {
            return Ok(());
        }
        for found in shown {
            match known.iter().position(|row| row.volid.as_deref() == Some(&*found.volid)) {
                Some(at) => drop(known.swap_remove(at)),
                None => store::backup_adopt(tx, BackupId::generate(), like, found, self.clock.now()).await?,
            }
        }
        for gone in known {
            let here = gone.server == like.server && gone.storage == like.storage;
            if here && gone.state != BackupState::Creating && !gone.protected {
                store::backup_delete(tx, gone.id, gone.state).await?;
            }
        }
        Ok(())
    }

    /// What is on a storage of the pod's and that no row knows.
    pub async fn backups_unknown<'a>(
        &self,
        conn: Conn<'_>,
        pod: CloudPodId,
        seen: &'a [BackupSeen],
    ) -> Result<Vec<&'a BackupSeen>> {
        let known = store::backups_of(conn, pod).await?;
        let is_known = |found: &BackupSeen| known.iter().any(|row| row.volid.as_deref() == Some(&*found.volid));
        Ok(seen.iter().filter(|seen| is_of(seen, pod) && !is_known(seen)).collect())
    }

    /// Those that nothing keeps any more, the oldest first.
    pub async fn backups_prunable(&self, conn: Conn<'_>, limit: u32) -> Result<Vec<BackupId>> {
        let now = self.clock.now();
        store::backups_prunable(conn, now, now.minus(self.limits.after_destroy), limit).await
    }

    /// A pod's policy.
    pub async fn policy_get(&self, conn: Conn<'_>, pod: CloudPodId) -> Result<BackupPolicy> {
        Ok(store::policy_get(conn, pod).await?.unwrap_or_else(|| BackupPolicy::none(pod)))
    }

    /// Stores a pod's policy. The pod's row is held by the caller.
    pub async fn policy_set(&self, tx: &mut Tx, policy: &BackupPolicy) -> Result<()> {
        store::policy_set(tx, policy, self.clock.now()).await
    }

    /// The pods for which a backup is due.
    pub async fn policies_due(&self, conn: Conn<'_>, limit: u32) -> Result<Vec<CloudPodId>> {
        store::policies_due(conn, self.clock.now(), limit).await
    }

    /// Moves a due policy on to its next time, so that one control plane alone makes the backup. `false`: another one did.
    pub async fn policy_advance(&self, tx: &mut Tx, policy: &BackupPolicy) -> Result<bool> {
        let now = self.clock.now();
        match (policy.next_at, policy.next_after(now)) {
            (Some(due), Some(next)) if due <= now => store::policy_advance(tx, policy.pod, due, next).await,
            _ => Ok(false),
        }
    }

    /// Notes why a backup that was due is not made, '' when it is. `true`: that is another reason than before.
    pub async fn policy_skipped_set(&self, tx: &mut Tx, pod: CloudPodId, reason: &str) -> Result<bool> {
        store::policy_skipped_set(tx, pod, reason).await
    }

    /// A pod that is no more has no schedule; what was made stays.
    pub async fn policy_end(&self, tx: &mut Tx, pod: CloudPodId) -> Result<()> {
        store::policy_end(tx, pod).await
    }
}

fn is_of(seen: &BackupSeen, pod: CloudPodId) -> bool {
    let volid = &seen.volid;
    seen.pod == Some(pod) && !volid.is_empty() && volid.len() <= VOLID_MAX && !volid.chars().any(char::is_control)
}

//! What is asked for of a pod's backups, by people and by policies.

mod recreate;
pub mod routes;
mod upkeep;

pub use recreate::Recreate;

use std::time::Duration;

use serde_json::json;

use super::asked::Asked;
use super::sagas::{BackupParams, RestoreParams, kind, servers_seeing};
use super::service::Service;
use super::upkeep::require_unseen;
use super::{CloudPod, DesiredPower, Detail, State};
use crate::clock::Ms;
use crate::db::{Tx, Window};
use crate::domain::access::{Permission, Permissions};
use crate::domain::audit::{Actor, Scope};
use crate::domain::backups::{Backup, BackupPolicy, BackupState, NOTE_MAX, NewBackup};
use crate::domain::check::Checks;
use crate::domain::jobs::Job;
use crate::domain::jobs::command::BackupMode;
use crate::domain::servers::Server;
use crate::domain::tenants::quotas::{self, Amounts};
use crate::error::{Error, Result};
use crate::ids::{BackupId, CloudPodId, ServerId};

/// A backup to be made.
#[derive(Clone, Debug)]
pub struct BackupCreate {
    /// Where to; `None`: the server's backup storage.
    pub storage: Option<String>,
    /// How consistent.
    pub mode: BackupMode,
    /// For people.
    pub note: String,
    /// Never pruned.
    pub protected: bool,
    /// Pruned after so many days; `None`: as the pod's policy says.
    pub keep_days: Option<u32>,
}

/// A change of a pod's policy; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct PolicyPatch {
    /// `Some(None)`: none are made by themselves any more.
    pub every_hours: Option<Option<u32>>,
    /// `Some(None)`: the server's backup storage.
    pub storage: Option<Option<String>>,
    /// How consistent.
    pub mode: Option<BackupMode>,
    /// The newest so many are kept.
    pub keep_last: Option<Option<u32>>,
    /// Those younger than so many days are kept.
    pub keep_days: Option<Option<u32>>,
}

/// The code of a backup that a pod is being made of.
const IN_USE: &str = "backup_in_use";
const DAY: Duration = Duration::from_hours(24);

impl Service {
    /// A page of backups, the newest first: a tenant's, or one pod's. Those of pods that are gone are among them.
    pub async fn backup_list(
        &self,
        scope: Scope,
        pod: Option<CloudPodId>,
        window: Window<BackupId>,
    ) -> Result<Vec<Backup>> {
        if let Some(pod) = pod {
            self.cloudpod_get(scope, pod).await?;
        }
        let mut read = self.db.read().await?;
        self.books.backups.backup_list(read.conn(), scope, pod, window).await
    }

    /// Makes a backup.
    pub async fn backup_create(
        &self,
        actor: &Actor,
        scope: Scope,
        id: CloudPodId,
        input: BackupCreate,
    ) -> Result<(Detail, Job)> {
        let mut checks = Checks::new();
        if let Some(storage) = &input.storage {
            checks.storage_name("storage", storage);
        }
        checks.text("note", &input.note, 0..=NOTE_MAX);
        if let Some(days) = input.keep_days {
            checks.range("keep_days", days, 1..=36_500);
            checks.require(
                !input.protected,
                "keep_days",
                "goes with no `protected`, which keeps it until that is taken away",
            );
        }
        checks.finish()?;
        let mut tx = self.db.begin().await?;
        let held = self.pod_held_to_grow(&mut tx, scope, id).await?;
        held.0.state.power_change("be backed up")?;
        let job = self.backup_ask(&mut tx, actor, &held, input, false).await?;
        tx.commit().await?;
        self.asked(scope, id, job).await
    }

    /// Queues the job that makes a backup of a pod that is held, as is its tenant.
    async fn backup_ask(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        (pod, tenant): &(CloudPod, quotas::Held),
        input: BackupCreate,
        scheduled: bool,
    ) -> Result<Job> {
        let BackupCreate { storage, mode, note, protected, keep_days } = input;
        // Before anything is written: a policy's backup that cannot be made is written down in this transaction.
        self.room_for_job(tx, pod.id).await?;
        let (Some(server), Some(vmid)) = (&pod.server, pod.vmid) else {
            return Err(Error::conflict("cloudpod_without_vm", "the pod has no VM to back up"));
        };
        let host = self.books.servers.server_get(tx.conn(), server.id).await?;
        let storage = storage_on(&host, storage)?;
        tenant.require(tx, Amounts { backups: 1, ..Amounts::default() }).await?;
        let kept_until = keep_days.map(|days| self.books.clock.now().plus(DAY * days));
        let detail = json!({ "storage": storage, "mode": mode, "scheduled": scheduled, "protected": protected });
        let (tenant, server) = (pod.tenant, server.id);
        let new =
            NewBackup { tenant, pod: pod.id, server, vmid, storage, mode, note, scheduled, protected, kept_until };
        let backup = self.books.backups.backup_insert(tx, &new).await?;
        let params = serde_json::to_value(BackupParams { backup }).map_err(Error::internal)?;
        let event = "cloudpod.backup_requested";
        self.job_ask(tx, actor, pod, Asked { kind: kind::BACKUP, params, event, detail }).await
    }

    /// Says whether and how long a backup is kept; what is `None` stays.
    pub async fn backup_update(
        &self,
        actor: &Actor,
        scope: Scope,
        id: CloudPodId,
        backup: BackupId,
        protected: Option<bool>,
        kept_until: Option<Option<Ms>>,
    ) -> Result<Backup> {
        let mut tx = self.db.begin().await?;
        let pod = self.pod_held(&mut tx, scope, id).await?;
        let before = self.backup_of(&mut tx, scope, &pod, backup).await?;
        let protected = protected.unwrap_or(before.protected);
        let kept_until = kept_until.unwrap_or(before.kept_until);
        if kept_until.is_some_and(|until| Some(until) != before.kept_until && until <= self.books.clock.now()) {
            return Err(Error::invalid("kept_until", "is over already; name a time to come, or delete the backup"));
        }
        if (protected, kept_until) != (before.protected, before.kept_until) {
            self.books.backups.backup_keep(&mut tx, backup, protected, kept_until).await?;
            let detail = json!({ "backup_id": backup,
                "before": { "protected": before.protected, "kept_until": before.kept_until },
                "after": { "protected": protected, "kept_until": kept_until } });
            self.record(&mut tx, actor, &pod, "cloudpod.backup_updated", &detail).await?;
        }
        let after = self.books.backups.backup_get(tx.conn(), scope, backup).await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Deletes a backup, which must not be protected. Its pod may be gone.
    pub async fn backup_delete(
        &self,
        actor: &Actor,
        scope: Scope,
        id: CloudPodId,
        backup: BackupId,
    ) -> Result<(Detail, Job)> {
        let mut tx = self.db.begin().await?;
        let pod = self.pod_held(&mut tx, scope, id).await?;
        let found = self.backup_of(&mut tx, scope, &pod, backup).await?;
        ready(&found)?;
        if found.protected {
            let detail = "the backup is protected: take that away first, by changing its `protected`";
            return Err(Error::conflict("backup_protected", detail));
        }
        let job = self.backup_delete_ask(&mut tx, actor, &pod, &found, "cloudpod.backup_delete_requested").await?;
        let job = job.ok_or(Error::Stale)?;
        tx.commit().await?;
        self.asked(scope, id, job).await
    }

    /// Queues the job that deletes a backup; `None`: somebody else did.
    async fn backup_delete_ask(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        pod: &CloudPod,
        backup: &Backup,
        event: &'static str,
    ) -> Result<Option<Job>> {
        let (from, to) = (BackupState::Ready, BackupState::Deleting);
        if !self.books.backups.backup_state_set(tx, backup.id, from, to).await? {
            return Ok(None);
        }
        // Now that the backup is held: who would make a pod of it finds that it goes, or is found here.
        if self.recreated(tx, backup.id).await? {
            let detail = "a pod is being made of the backup: delete it when that is over";
            return Err(Error::conflict(IN_USE, detail));
        }
        let params = serde_json::to_value(BackupParams { backup: backup.id }).map_err(Error::internal)?;
        let detail = json!({ "backup_id": backup.id, "volid": backup.volid });
        self.job_ask(tx, actor, pod, Asked { kind: kind::DELETE_BACKUP, params, event, detail }).await.map(Some)
    }

    /// Whether a pod is being made of a backup.
    async fn recreated(&self, tx: &mut Tx, backup: BackupId) -> Result<bool> {
        for job in self.jobs.jobs_live_of_kind(tx.conn(), kind::RECREATE).await? {
            let params: RestoreParams = serde_json::from_value(job.params).map_err(Error::internal)?;
            if params.backup == backup {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes a pod back to a backup: in place when it has a VM; elsewhere, on `target` or wherever the scheduler finds room,
    /// when it has none because its host was declared lost. What the platform suspended comes back suspended, and only by the platform.
    pub async fn backup_restore(
        &self,
        actor: &Actor,
        (scope, grant): (Scope, Permissions),
        id: CloudPodId,
        backup: BackupId,
        target: Option<&str>,
    ) -> Result<(Detail, Job)> {
        let mut tx = self.db.begin().await?;
        let pod = self.pod_held(&mut tx, scope, id).await?;
        let found = self.backup_of(&mut tx, scope, &pod, backup).await?;
        ready(&found)?;
        if pod.condition.suspension.is_some() && !grant.has(Permission::CloudpodsManage) {
            let detail = "the pod is suspended by the platform: it is not restored until that is over";
            return Err(Error::conflict("cloudpod_suspended", detail));
        }
        let target = match target {
            None => None,
            Some(name) => match self.books.servers.server_find(tx.conn(), name).await {
                Ok(server) => Some(server.id),
                Err(error @ Error::NotFound { .. }) => return Err(Error::invalid("server", error.to_string())),
                Err(error) => return Err(error),
            },
        };
        let in_place = self.restore_place(&mut tx, &pod, &found, target).await?;
        let addresses = !self.books.ipam.addresses_of(tx.conn(), id).await?.is_empty();
        let start = pod.desired_power == DesiredPower::Running;
        let params = RestoreParams { backup, in_place, target, addresses, start };
        let params = serde_json::to_value(params).map_err(Error::internal)?;
        let detail = json!({ "backup_id": backup, "volid": found.volid, "in_place": in_place, "server_id": target });
        let event = "cloudpod.restore_requested";
        let job = self.job_ask(&mut tx, actor, &pod, Asked { kind: kind::RESTORE, params, event, detail }).await?;
        tx.commit().await?;
        self.asked(scope, id, job).await
    }

    /// Whether it is restored into the VM that it has; `Invalid` or a conflict when it cannot be restored as asked.
    async fn restore_place(
        &self,
        tx: &mut Tx,
        pod: &CloudPod,
        backup: &Backup,
        target: Option<ServerId>,
    ) -> Result<bool> {
        if let (Some(server), Some(_)) = (&pod.server, pod.vmid) {
            pod.state.power_change("be restored")?;
            if target.is_some_and(|target| target != server.id) {
                let detail = format!("the pod is on server {}, and is restored there; leave this out", server.name);
                return Err(Error::invalid("server", detail));
            }
            return Ok(true);
        }
        match pod.state {
            State::Failed { .. } => {}
            _ => pod.state.power_change("be restored")?,
        }
        require_unseen(tx, &self.books, pod).await?;
        let live = self.jobs.jobs_live_of_pod(tx.conn(), pod.id).await?;
        if let Some(other) = live.iter().find(|job| job.kind == kind::RESTORE || job.kind == kind::REHOME) {
            let detail =
                format!("the job {} ({}) brings the pod back already: {}", other.id, other.kind, other.way_out());
            return Err(Error::conflict("cloudpod_busy", detail));
        }
        if let Some(target) = target
            && !servers_seeing(&self.books, tx.conn(), backup).await?.contains_key(&target)
        {
            let detail = format!(
                "is not known to see the storage {} of server {}: choose one of the same cluster, or say that a server has that storage: `mpanel server edit SERVER --backup-storage {}`",
                backup.storage, backup.server_name, backup.storage
            );
            return Err(Error::invalid("server", detail));
        }
        Ok(false)
    }

    async fn backup_of(&self, tx: &mut Tx, scope: Scope, pod: &CloudPod, id: BackupId) -> Result<Backup> {
        let backup = self.books.backups.backup_get(tx.conn(), scope, id).await?;
        if backup.pod == pod.id { Ok(backup) } else { Err(Error::not_found("backup", id)) }
    }

    /// A pod's backup policy.
    pub async fn policy_get(&self, scope: Scope, id: CloudPodId) -> Result<BackupPolicy> {
        self.cloudpod_get(scope, id).await?;
        let mut read = self.db.read().await?;
        self.books.backups.policy_get(read.conn(), id).await
    }

    /// Changes a pod's backup policy. `expected`: the version that the caller has read.
    pub async fn policy_update(
        &self,
        actor: &Actor,
        scope: Scope,
        id: CloudPodId,
        expected: Option<i64>,
        patch: PolicyPatch,
    ) -> Result<BackupPolicy> {
        let PolicyPatch { every_hours, storage, mode, keep_last, keep_days } = patch;
        let storage_named = storage.is_some();
        let mut tx = self.db.begin().await?;
        let pod = self.pod_held(&mut tx, scope, id).await?;
        pod.state.update()?;
        let before = self.books.backups.policy_get(tx.conn(), id).await?;
        if expected.is_some_and(|version| version != before.version) {
            return Err(Error::Stale);
        }
        let mut after = BackupPolicy {
            pod: id,
            every_hours: every_hours.unwrap_or(before.every_hours),
            storage: storage.unwrap_or_else(|| before.storage.clone()),
            mode: mode.unwrap_or(before.mode),
            keep_last: keep_last.unwrap_or(before.keep_last),
            keep_days: keep_days.unwrap_or(before.keep_days),
            next_at: before.next_at,
            version: before.version + 1,
        };
        policy_check(&after)?;
        let named = after.storage.is_some() && storage_named;
        let begins = after.every_hours.is_some() && (storage_named || before.every_hours.is_none());
        if let Some(server) = pod.server.as_ref().filter(|_| named || begins) {
            let host = self.books.servers.server_get(tx.conn(), server.id).await?;
            storage_on(&host, after.storage.clone())?;
        }
        if after.every_hours != before.every_hours {
            after.next_at = None;
            after.next_at = after.next_after(self.books.clock.now());
        }
        self.books.backups.policy_set(&mut tx, &after).await?;
        let detail = json!({ "before": shown(&before), "after": shown(&after) });
        self.record(&mut tx, actor, &pod, "cloudpod.backup_policy_updated", &detail).await?;
        tx.commit().await?;
        Ok(after)
    }
}

/// The storage that backups of a pod on `host` go to: the one that is named, or else the host's.
fn storage_on(host: &Server, named: Option<String>) -> Result<String> {
    let storage = named.or_else(|| host.backup_storage.clone()).ok_or_else(|| {
        let name = &host.name;
        let cure = format!("name one, or give the server one: `mpanel server edit {name} --backup-storage STORAGE`");
        Error::invalid("storage", format!("is missing, and server {name} has no backup storage: {cure}"))
    })?;
    host.takes_backups(&storage).map_err(|why| Error::invalid("storage", why))?;
    Ok(storage)
}

fn ready(backup: &Backup) -> Result<()> {
    let cure = match backup.state {
        BackupState::Ready => return Ok(()),
        BackupState::Creating => "wait until the job that makes it has ended",
        BackupState::Deleting => "it is on its way out",
    };
    Err(Error::conflict("backup_state", format!("the backup is {}: {cure}", backup.state.as_str())))
}

fn policy_check(policy: &BackupPolicy) -> Result<()> {
    let mut checks = Checks::new();
    if let Some(hours) = policy.every_hours {
        checks.range("every_hours", hours, 1..=8784);
        checks.require(
            policy.keep_last.is_some() || policy.keep_days.is_some(),
            "keep_last",
            "is missing: what is made by itself has to be pruned by itself; set keep_last or keep_days",
        );
    }
    if let Some(storage) = &policy.storage {
        checks.storage_name("storage", storage);
    }
    if let Some(last) = policy.keep_last {
        checks.range("keep_last", last, 1..=1000);
    }
    if let Some(days) = policy.keep_days {
        checks.range("keep_days", days, 1..=36_500);
    }
    checks.finish()
}

fn shown(policy: &BackupPolicy) -> serde_json::Value {
    let BackupPolicy { pod: _, every_hours, storage, mode, keep_last, keep_days, next_at: _, version: _ } = policy;
    json!({ "every_hours": every_hours, "storage": storage, "mode": mode, "keep_last": keep_last, "keep_days": keep_days })
}

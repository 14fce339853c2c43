//! Backups of a pod's VM: made (check → clean → backup) and deleted (check → delete).
//!
//! Before one is made the storage is asked for what there is, so that afterwards whatever no row knows is this job's.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Books, QUICK, kind, order, params_of, pod_of, power_store, require_settled};
use crate::db::Tx;
use crate::domain::backups::{Backup, BackupState, NewBackup};
use crate::domain::cloudpods::{CloudPod, State};
use crate::domain::jobs::{Action, AgentCommand, CommandKind, CommandOutput, End, Job, Saga, Step};
use crate::error::{Error, Result};
use crate::ids::BackupId;

/// A large disk to a slow storage.
const MAKE_TIMEOUT: Duration = Duration::from_hours(12);
const DELETE_TIMEOUT: Duration = Duration::from_mins(30);
/// One that could not be deleted is not tried again by itself before this.
const PRUNE_AGAIN: Duration = Duration::from_hours(6);

/// Which backup.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BackupParams {
    /// Its row.
    pub backup: BackupId,
}

/// Makes a backup.
pub(super) struct MakeBackup {
    books: Arc<Books>,
    steps: Vec<Box<dyn Step>>,
}

impl MakeBackup {
    pub(super) fn new(books: &Arc<Books>) -> Self {
        let b = || books.clone();
        let steps: Vec<Box<dyn Step>> = vec![
            // Looks, and changes nothing on the host.
            Box::new(Look(b())),
            // do: nothing; undo: delete what the next step's undo has found.
            Box::new(Clean(b())),
            // do: make it; undo: look whether there is one.
            Box::new(Make(b())),
        ];
        Self { books: books.clone(), steps }
    }
}

#[async_trait]
impl Saga for MakeBackup {
    fn kind(&self) -> &'static str {
        kind::BACKUP
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.steps
    }

    async fn ended(&self, tx: &mut Tx, job: &Job, end: &End) -> Result<()> {
        match end {
            End::Failed(_) | End::Cancelled => {
                let BackupParams { backup } = params_of(job)?;
                self.books.backups.backup_forget(tx, backup, BackupState::Creating).await.map(|_| ())
            }
            End::Stuck(_) | End::Succeeded => Ok(()),
        }
    }

    /// It takes hours, and a schedule comes again.
    fn attempts_max(&self) -> u32 {
        4
    }
}

/// The job's backup, while it is being made.
async fn making(tx: &mut Tx, books: &Books, job: &Job) -> Result<Backup> {
    let BackupParams { backup } = params_of(job)?;
    let found = books.backups.backup_find(tx.conn(), backup).await?;
    found.ok_or_else(|| Error::internal(format!("the row of the backup {backup} is gone")))
}

/// The job's pod, if it can be backed up: also one that is suspended, by its policy.
async fn backed_up(tx: &mut Tx, job: &Job) -> Result<CloudPod> {
    let pod = pod_of(tx, job).await?;
    match pod.state {
        State::Suspended => {}
        _ => pod.state.power_change("be backed up")?,
    }
    require_settled(&pod)?;
    Ok(pod)
}

/// What one that was found is taken for.
fn like(backup: &Backup, note: &str) -> NewBackup {
    NewBackup {
        tenant: backup.tenant,
        pod: backup.pod,
        server: backup.server,
        vmid: backup.vmid,
        storage: backup.storage.clone(),
        mode: backup.mode,
        note: note.to_owned(),
        scheduled: backup.scheduled,
        protected: false,
        kept_until: None,
    }
}

const FOUND: &str = "found on the storage: its job did not hear of its end";

/// Asks the storage for what there is of the pod's.
struct Look(Arc<Books>);

#[async_trait]
impl Step for Look {
    fn name(&self) -> &'static str {
        "check"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = backed_up(tx, job).await?;
        let backup = making(tx, &self.0, job).await?;
        let listing = order(&pod, CommandKind::ListBackups { storage: backup.storage }, QUICK)?;
        // It may have moved since it was asked for.
        self.0.backups.backup_at(tx, backup.id, listing.server, listing.vmid).await?;
        Ok(Action::Command(listing))
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        let backup = making(tx, &self.0, job).await?;
        self.0.backups.backups_reconcile(tx, &like(&backup, FOUND), &output.backups).await
    }
}

struct Clean(Arc<Books>);

#[async_trait]
impl Step for Clean {
    fn name(&self) -> &'static str {
        "clean"
    }

    async fn begin(&self, _tx: &mut Tx, _job: &Job) -> Result<Action> {
        Ok(Action::Done("there is nothing to clean up".to_owned()))
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let Backup { volid, server, pod, vmid, .. } = making(tx, &self.0, job).await?;
        match volid {
            None => Ok(Action::Done("there is none".to_owned())),
            Some(volid) => {
                let kind = CommandKind::DeleteBackup { volid };
                Ok(Action::Command(AgentCommand { server, pod, vmid, kind, timeout: DELETE_TIMEOUT }))
            }
        }
    }
}

struct Make(Arc<Books>);

#[async_trait]
impl Step for Make {
    fn name(&self) -> &'static str {
        "backup"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = backed_up(tx, job).await?;
        let Backup { storage, mode, protected, .. } = making(tx, &self.0, job).await?;
        Ok(Action::Command(order(&pod, CommandKind::MakeBackup { storage, mode, protected }, MAKE_TIMEOUT)?))
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        let Backup { id, .. } = making(tx, &self.0, job).await?;
        let Some(made) = output.backups.first() else {
            return Err(Error::retry("the agent says that a backup was made, and not which"));
        };
        self.0.backups.backup_made(tx, id, made).await?;
        power_store(tx, &self.0, job, output).await
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let Backup { server, pod, vmid, storage, .. } = making(tx, &self.0, job).await?;
        let kind = CommandKind::ListBackups { storage };
        Ok(Action::Command(AgentCommand { server, pod, vmid, kind, timeout: QUICK }))
    }

    async fn undone(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        let backup = making(tx, &self.0, job).await?;
        let unknown = self.0.backups.backups_unknown(tx.conn(), backup.pod, &output.backups).await?;
        // What a command of another job has made, and no row knows for whatever reason, is not this one's to delete: ids rise with time.
        let own = unknown.iter().rev().find(|seen| seen.command.is_some_and(|command| command.0 > job.id.0));
        match own {
            Some(left) if backup.volid.is_none() => self.0.backups.backup_left(tx, backup.id, left).await?,
            _ => {}
        }
        // Several tries may each have made one: those beside the first become backups like any other.
        self.0.backups.backups_reconcile(tx, &like(&backup, FOUND), &output.backups).await
    }
}

/// Deletes a backup. There is no undo, and no cancelling once it may have begun.
pub(super) struct DeleteBackup {
    books: Arc<Books>,
    steps: Vec<Box<dyn Step>>,
}

impl DeleteBackup {
    pub(super) fn new(books: &Arc<Books>) -> Self {
        let steps: Vec<Box<dyn Step>> = vec![Box::new(Check(books.clone())), Box::new(Delete(books.clone()))];
        Self { books: books.clone(), steps }
    }
}

#[async_trait]
impl Saga for DeleteBackup {
    fn kind(&self) -> &'static str {
        kind::DELETE_BACKUP
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.steps
    }

    async fn ended(&self, tx: &mut Tx, job: &Job, end: &End) -> Result<()> {
        match end {
            End::Failed(_) | End::Cancelled | End::Stuck(_) => {
                let BackupParams { backup } = params_of(job)?;
                let (from, to) = (BackupState::Deleting, BackupState::Ready);
                self.books.backups.backup_state_set(tx, backup, from, to).await?;
                self.books.backups.backup_prune_after(tx, backup, PRUNE_AGAIN).await
            }
            End::Succeeded => Ok(()),
        }
    }
}

struct Check(Arc<Books>);

#[async_trait]
impl Step for Check {
    fn name(&self) -> &'static str {
        "check"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let Some(backup) = self.0.backups.backup_find(tx.conn(), params_of::<BackupParams>(job)?.backup).await? else {
            return Ok(Action::Done("it is gone already".to_owned()));
        };
        if backup.state != BackupState::Deleting {
            let detail = format!("the backup is {}, not deleting", backup.state.as_str());
            return Err(Error::conflict("backup_state", detail));
        }
        Ok(Action::Done(backup.volid.unwrap_or_default()))
    }
}

struct Delete(Arc<Books>);

#[async_trait]
impl Step for Delete {
    fn name(&self) -> &'static str {
        "delete"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let found = self.0.backups.backup_find(tx.conn(), params_of::<BackupParams>(job)?.backup).await?;
        let Some(Backup { volid: Some(volid), server, pod, vmid, .. }) = found else {
            return Ok(Action::Done("it is gone already".to_owned()));
        };
        if let Err(Error::NotFound { .. }) = self.0.servers.server_get(tx.conn(), server).await {
            let BackupParams { backup } = params_of(job)?;
            self.0.backups.backup_forget(tx, backup, BackupState::Deleting).await?;
            return Ok(Action::Done("its server is registered no more: only its record was removed".to_owned()));
        }
        let kind = CommandKind::DeleteBackup { volid };
        Ok(Action::Command(AgentCommand { server, pod, vmid, kind, timeout: DELETE_TIMEOUT }))
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, _output: &CommandOutput) -> Result<()> {
        let BackupParams { backup } = params_of(job)?;
        self.0.backups.backup_forget(tx, backup, BackupState::Deleting).await.map(|_| ())
    }

    fn cancellable(&self) -> bool {
        false
    }
}

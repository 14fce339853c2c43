//! Replaces a pod's SSH keys: configure → commit → restart → wait_running.
//!
//! cloud-init reads them at the next start: the job restarts the pod, or the pod says that a restart is needed. Once stored,
//! the new keys stand: a restart that fails changes nothing of that.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::restart::{IfNeeded, RestartParams, restart_note};
use super::running::{Restart, WaitRunning};
use super::vm::{configuration_of, macs_note};
use super::{Books, QUICK, active_pod_of, kind, order, params_of, pod_of};
use crate::db::Tx;
use crate::domain::cloudpods::{CloudPod, RestartCause, State, store};
use crate::domain::jobs::{Action, CommandKind, CommandOutput, Job, Saga, Step};
use crate::error::Result;

const WANTED: &str = "get other SSH keys";

/// The new keys.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::domain::cloudpods) struct SshKeysParams {
    pub keys: Vec<String>,
    /// The pod was wanted running when it was asked for.
    pub running: bool,
    #[serde(flatten)]
    pub restart: RestartParams,
}

/// The saga.
pub(super) struct SshKeys {
    steps: Vec<Box<dyn Step>>,
}

impl SshKeys {
    pub(super) fn new(books: &Arc<Books>) -> Self {
        let steps: Vec<Box<dyn Step>> = vec![
            // do: give the new keys to cloud-init; undo: the old ones.
            Box::new(Configure(books.clone())),
            // do: they stand.
            Box::new(Commit(books.clone())),
            Box::new(Restart(IfNeeded(WANTED, RestartCause::SshKeys))),
            Box::new(WaitRunning::restarted(books, IfNeeded(WANTED, RestartCause::SshKeys))),
        ];
        Self { steps }
    }
}

#[async_trait]
impl Saga for SshKeys {
    fn kind(&self) -> &'static str {
        kind::SSH_KEYS
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.steps
    }
}

struct Configure(Arc<Books>);

impl Configure {
    async fn configure(&self, tx: &mut Tx, pod: &CloudPod, keys: Vec<String>) -> Result<Action> {
        let mut configure = configuration_of(tx, &self.0, pod).await?;
        (configure.ssh_keys, configure.exact_ssh_keys) = (keys, true);
        Ok(Action::Command(order(pod, CommandKind::Configure(Box::new(configure)), QUICK)?))
    }
}

#[async_trait]
impl Step for Configure {
    fn name(&self) -> &'static str {
        "configure"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = active_pod_of(tx, job, WANTED).await?;
        self.configure(tx, &pod, params_of::<SshKeysParams>(job)?.keys).await
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        let pod = pod_of(tx, job).await?;
        macs_note(tx, &pod, output).await
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = pod_of(tx, job).await?;
        if pod.state != State::Active || pod.ssh_keys == params_of::<SshKeysParams>(job)?.keys {
            return Ok(Action::Done("its keys stand".to_owned()));
        }
        self.configure(tx, &pod, pod.ssh_keys.clone()).await
    }
}

struct Commit(Arc<Books>);

#[async_trait]
impl Step for Commit {
    fn name(&self) -> &'static str {
        "commit"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = active_pod_of(tx, job, WANTED).await?;
        let SshKeysParams { keys, running, restart: _ } = params_of(job)?;
        store::pod_keys_set(tx, pod.id, &keys, self.0.clock.now()).await?;
        restart_note(tx, &self.0, &pod, RestartCause::SshKeys, running).await?;
        Ok(Action::Done(format!("{} keys", keys.len())))
    }
}

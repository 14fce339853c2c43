//! Sets a user's password: set_password → configure → restart → wait_running.
//!
//! Through the guest agent while the VM runs. Without one, where the job may restart the pod, by cloud-init and a restart. The
//! password lies sealed under the job's name until it is set or the job is over: it is in no row, log or record.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::restart::restart_note;
use super::running::{Restart, Subject, Turn, WaitRunning};
use super::vm::{configuration_of, macs_note};
use super::{Books, QUICK, active_pod_of, kind, order, params_of, pod_of};
use crate::db::Tx;
use crate::domain::cloudpods::RestartCause;
use crate::domain::jobs::{
    Action, CommandFailure, CommandKind, CommandOutput, End, FailureKind, Job, Saga, Step, Verdict,
};
use crate::domain::secrets::Secret;
use crate::error::{Error, Result};
use crate::ids::JobId;

const WANTED: &str = "get another password";

/// Whose password, and what the job may do for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::domain::cloudpods) struct PasswordParams {
    pub user: String,
    /// It may be set by cloud-init and a restart.
    pub restart: bool,
    /// The pod was wanted running when it was asked for.
    pub running: bool,
}

/// The name under which a job's password is sealed.
pub(in crate::domain::cloudpods) fn secret_name(job: JobId) -> String {
    format!("job/{job}/password")
}

/// The saga.
pub(super) struct ResetPassword {
    books: Arc<Books>,
    steps: Vec<Box<dyn Step>>,
}

impl ResetPassword {
    pub(super) fn new(books: &Arc<Books>) -> Self {
        let b = || books.clone();
        // Nobody knows the old one, so that nothing can be undone.
        let steps: Vec<Box<dyn Step>> = vec![
            Box::new(SetPassword(b())),
            // The rest only where that did not do it.
            Box::new(Configure(b())),
            Box::new(Restart(ByRestart(b()))),
            Box::new(WaitRunning::restarted(books, ByRestart(b()))),
        ];
        Self { books: books.clone(), steps }
    }
}

#[async_trait]
impl Saga for ResetPassword {
    fn kind(&self) -> &'static str {
        kind::RESET_PASSWORD
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.steps
    }

    async fn ended(&self, tx: &mut Tx, job: &Job, _end: &End) -> Result<()> {
        self.books.secrets.secret_forget(tx, &secret_name(job.id)).await
    }
}

/// The password; `None`: it is set.
async fn password_of(tx: &mut Tx, books: &Books, job: &Job) -> Result<Option<Secret<String>>> {
    let Some(sealed) = books.secrets.secret_read(tx.conn(), &secret_name(job.id)).await? else { return Ok(None) };
    let text =
        String::from_utf8(sealed.expose().clone()).map_err(|_| Error::internal("a sealed password is no text"))?;
    Ok(Some(Secret::new(text)))
}

struct SetPassword(Arc<Books>);

#[async_trait]
impl Step for SetPassword {
    fn name(&self) -> &'static str {
        "set_password"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = active_pod_of(tx, job, WANTED).await?;
        let PasswordParams { user, restart, running } = params_of(job)?;
        let refused = |kind: FailureKind| job.error.as_ref().is_some_and(|error| error.code == kind.code());
        if !running {
            return Ok(Action::Done("it does not run: cloud-init sets it at the next start".to_owned()));
        }
        if restart && job.attempt > 1 && refused(FailureKind::GuestAgent) {
            return Ok(Action::Done("no guest agent answers: cloud-init sets it, with a restart".to_owned()));
        }
        let Some(password) = password_of(tx, &self.0, job).await? else {
            return Ok(Action::Done("it is set".to_owned()));
        };
        let kind = CommandKind::SetPassword { user, password: password.expose().clone() };
        Ok(Action::Command(order(&pod, kind, QUICK)?))
    }

    async fn failed(&self, _tx: &mut Tx, job: &Job, failure: &CommandFailure) -> Result<Verdict> {
        if failure.kind != FailureKind::GuestAgent {
            return Ok(if failure.kind.retryable() { Verdict::Retry } else { Verdict::Fail });
        }
        let PasswordParams { restart: true, .. } = params_of(job)? else {
            return Err(Error::conflict(
                "guest_agent_needed",
                format!(
                    "no guest agent answers in the VM: {}; install and start qemu-guest-agent there, or ask again with \
                     `\"reboot\": true` (`mpanel pod reset-password --reboot`): then cloud-init sets the password at a restart",
                    failure.message
                ),
            ));
        };
        Ok(Verdict::Retry)
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, _output: &CommandOutput) -> Result<()> {
        self.0.secrets.secret_forget(tx, &secret_name(job.id)).await
    }
}

struct Configure(Arc<Books>);

#[async_trait]
impl Step for Configure {
    fn name(&self) -> &'static str {
        "configure"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = active_pod_of(tx, job, WANTED).await?;
        let Some(password) = password_of(tx, &self.0, job).await? else {
            return Ok(Action::Done("not needed: it is set".to_owned()));
        };
        let mut configure = configuration_of(tx, &self.0, &pod).await?;
        configure.password.clone_from(password.expose());
        Ok(Action::Command(order(&pod, CommandKind::Configure(Box::new(configure)), QUICK)?))
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        let pod = pod_of(tx, job).await?;
        macs_note(tx, &pod, output).await?;
        restart_note(tx, &self.0, &pod, RestartCause::Password, output.restart_needed).await
    }
}

/// By a restart, while the password is not set.
struct ByRestart(Arc<Books>);

#[async_trait]
impl Subject for ByRestart {
    async fn turn(&self, tx: &mut Tx, job: &Job) -> Result<Turn> {
        let pod = active_pod_of(tx, job, WANTED).await?;
        let PasswordParams { running, .. } = params_of(job)?;
        if running && password_of(tx, &self.0, job).await?.is_some() {
            return Ok(Turn::go(pod));
        }
        Ok(Turn::rest("not needed"))
    }
}

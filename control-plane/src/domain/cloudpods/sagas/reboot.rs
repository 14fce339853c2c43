//! Asks the guest of a pod's VM to restart and waits until it runs: reboot → wait_running.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::running::{Active, WaitRunning};
use super::{BESIDE_GUEST, Books, active_pod_of, kind, order, params_of};
use crate::db::Tx;
use crate::domain::jobs::{Action, CommandFailure, CommandKind, FailureKind, Job, Saga, Step, Verdict};
use crate::error::{Error, Result};

const WANTED: &str = "be rebooted";

/// How the guest is asked.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct RebootParams {
    /// How long the guest gets, in seconds.
    pub timeout_s: u64,
}

/// The saga.
pub(super) struct Reboot {
    steps: Vec<Box<dyn Step>>,
}

impl Reboot {
    pub(super) fn new(books: &Arc<Books>) -> Self {
        let steps: Vec<Box<dyn Step>> =
            vec![Box::new(RebootVm), Box::new(WaitRunning::restarted(books, Active(WANTED)))];
        Self { steps }
    }
}

#[async_trait]
impl Saga for Reboot {
    fn kind(&self) -> &'static str {
        kind::REBOOT
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.steps
    }
}

/// What power the VM has in the midst of it is not stored: the next step stores that it runs again.
struct RebootVm;

#[async_trait]
impl Step for RebootVm {
    fn name(&self) -> &'static str {
        "reboot"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = active_pod_of(tx, job, WANTED).await?;
        let RebootParams { timeout_s } = params_of(job)?;
        let kind = CommandKind::Reboot { timeout_s };
        Ok(Action::Command(order(&pod, kind, Duration::from_secs(timeout_s) + BESIDE_GUEST)?))
    }

    async fn failed(&self, _tx: &mut Tx, _job: &Job, failure: &CommandFailure) -> Result<Verdict> {
        reboot_verdict(failure)
    }
}

/// A guest that rebooted is not to be rebooted again: only what certainly did not begin is tried again.
pub(super) fn reboot_verdict(failure: &CommandFailure) -> Result<Verdict> {
    match failure.kind {
        FailureKind::Locked | FailureKind::Ledger => Ok(Verdict::Retry),
        FailureKind::Timeout | FailureKind::Lost | FailureKind::Unavailable | FailureKind::Deadline => {
            Err(Error::conflict(
                "reboot_unknown",
                format!(
                    "it is not known whether the guest rebooted: {} ({}); see how long it has been up, and reboot it \
                     again if it did not",
                    failure.message,
                    failure.kind.code()
                ),
            ))
        }
        FailureKind::TaskFailed
        | FailureKind::BadParameter
        | FailureKind::NotFound
        | FailureKind::Permission
        | FailureKind::VmidTaken
        | FailureKind::NoSpace
        | FailureKind::Unsupported
        | FailureKind::Cancelled
        | FailureKind::ForeignVm
        | FailureKind::GuestAgent
        | FailureKind::Refused => Ok(Verdict::Fail),
    }
}

//! Brings a pod's firewall to its host: firewall. The same step stands in every saga that makes a VM, or makes it anew.
//!
//! What is wanted stays wanted: a failure is shown, and beside it which version the host has.

use std::sync::Arc;

use async_trait::async_trait;

use super::vm::{nics, server_of};
use super::{Books, QUICK, active_pod_of, kind, order, pod_of};
use crate::db::Tx;
use crate::domain::cloudpods::{CloudPod, State};
use crate::domain::jobs::{
    Action, CommandFailure, CommandKind, CommandOutput, End, FailureKind, Job, Saga, Step, Verdict,
};
use crate::error::{Error, Result};

/// The saga.
pub(super) struct SetFirewall {
    steps: Vec<Box<dyn Step>>,
}

impl SetFirewall {
    pub(super) fn new(books: &Arc<Books>) -> Self {
        let steps: Vec<Box<dyn Step>> = vec![Box::new(ApplyFirewall { books: books.clone(), cancellable: true })];
        Self { steps }
    }
}

#[async_trait]
impl Saga for SetFirewall {
    fn kind(&self) -> &'static str {
        kind::FIREWALL
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.steps
    }

    /// What is wanted stays wanted.
    async fn ended(&self, _tx: &mut Tx, _job: &Job, _end: &End) -> Result<()> {
        Ok(())
    }
}

/// Brings what is wanted now to the pod's host.
pub(super) struct ApplyFirewall {
    pub(super) books: Arc<Books>,
    /// Whether the job can still be cancelled at this step.
    pub(super) cancellable: bool,
}

/// The job's pod, unless it is on its way out.
async fn filtered_pod_of(tx: &mut Tx, job: &Job) -> Result<CloudPod> {
    if job.kind == kind::FIREWALL {
        return active_pod_of(tx, job, "get another firewall").await;
    }
    let pod = pod_of(tx, job).await?;
    match pod.state {
        State::Deleting | State::Deleted { .. } => {
            let detail = format!("the pod {} is {} meanwhile", pod.name, pod.state.as_str());
            Err(Error::conflict("cloudpod_deleting", detail))
        }
        _ => Ok(pod),
    }
}

#[async_trait]
impl Step for ApplyFirewall {
    fn name(&self) -> &'static str {
        "firewall"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = filtered_pod_of(tx, job).await?;
        let unsupported = job.error.as_ref().is_some_and(|error| error.code == FailureKind::Unsupported.code());
        if job.kind != kind::FIREWALL && job.attempt > 1 && unsupported {
            let detail = "the host's agent is too old for firewalls: update it, then set the pod's firewall again";
            return Ok(Action::Done(detail.to_owned()));
        }
        let server = self.books.servers.server_get(tx.conn(), server_of(&pod)?).await?;
        let held = self.books.ipam.addresses_of(tx.conn(), pod.id).await?;
        let single = |address: &String| address.split('/').next().unwrap_or_default().to_owned();
        let cards = nics(&held, &server.bridge).into_iter();
        let addresses = cards.map(|nic| (nic.index, nic.addresses.iter().map(single).collect())).collect();
        let policy = self.books.firewalls.firewall_sending(tx, pod.id).await?;
        let kind = CommandKind::SetFirewall(Box::new(policy.command(addresses)));
        Ok(Action::Command(order(&pod, kind, QUICK)?))
    }

    async fn failed(&self, _tx: &mut Tx, job: &Job, failure: &CommandFailure) -> Result<Verdict> {
        // A VM is not refused because its host's agent is older than firewalls.
        let old_agent = failure.kind == FailureKind::Unsupported && job.kind != kind::FIREWALL;
        Ok(if old_agent || failure.kind.retryable() { Verdict::Retry } else { Verdict::Fail })
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, _output: &CommandOutput) -> Result<()> {
        let pod = pod_of(tx, job).await?;
        self.books.firewalls.firewall_applied(tx, pod.id).await
    }

    fn cancellable(&self) -> bool {
        self.cancellable
    }
}

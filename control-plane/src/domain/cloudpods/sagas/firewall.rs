//! Brings a pod's firewall to its host: firewall. The same step stands in every saga that makes a pod's VM, makes it anew, or
//! leaves it elsewhere or as it was before, and there it comes before the VM is started.
//!
//! What is wanted stays wanted: a failure is shown, and beside it which version the host has. It ends the job; where the undo
//! starts a guest again that was running before, that is not held up by a firewall that cannot be brought ([`bring_again`]).

use std::sync::Arc;

use async_trait::async_trait;

use super::vm::{nics, server_of};
use super::{Books, QUICK, kept_pod_of, kind, order, pod_of};
use crate::db::Tx;
use crate::domain::cloudpods::{CloudPod, State};
use crate::domain::jobs::{
    Action, AgentCommand, CommandFailure, CommandKind, CommandOutput, FailureKind, Job, Saga, Step, Verdict,
};
use crate::error::{Error, Result};
use crate::ids::ServerId;

/// How often an undo tries to bring it.
const UNDO_TRIES: u32 = 3;

/// The saga.
pub(super) struct SetFirewall {
    steps: Vec<Box<dyn Step>>,
}

impl SetFirewall {
    pub(super) fn new(books: &Arc<Books>) -> Self {
        let steps: Vec<Box<dyn Step>> = vec![Box::new(ApplyFirewall::making(books, true))];
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
}

/// Brings what is wanted now to the pod's host.
pub(super) struct ApplyFirewall {
    books: Arc<Books>,
    /// Whether a pod that nobody gave a firewall gets the default.
    default: bool,
    /// Whether the job can still be cancelled at this step.
    cancellable: bool,
}

impl ApplyFirewall {
    /// Of a VM that the job has made: without a wish of anybody's it gets the default.
    pub(super) fn making(books: &Arc<Books>, cancellable: bool) -> Self {
        Self { books: books.clone(), default: true, cancellable }
    }

    /// Of a VM that the job has found, moved or brought back. One that was adopted keeps what it came with, until somebody says
    /// what its firewall is to be.
    pub(super) fn keeping(books: &Arc<Books>) -> Self {
        Self { books: books.clone(), default: false, cancellable: false }
    }
}

/// Whether nobody said what the pod's firewall is to be.
async fn is_unsaid(tx: &mut Tx, books: &Books, pod: &CloudPod) -> Result<bool> {
    Ok(books.firewalls.firewall_get(tx.conn(), pod.id).await?.version == 0)
}

/// What is wanted now, for a VM of the pod's on this server.
async fn firewall_wanted(tx: &mut Tx, books: &Books, pod: &CloudPod, server: ServerId) -> Result<CommandKind> {
    let server = books.servers.server_get(tx.conn(), server).await?;
    let held = books.ipam.addresses_of(tx.conn(), pod.id).await?;
    let single = |address: &String| address.split('/').next().unwrap_or_default().to_owned();
    let cards = nics(&held, &server.bridge).into_iter();
    let addresses = cards.map(|nic| (nic.index, nic.addresses.iter().map(single).collect())).collect();
    let policy = books.firewalls.firewall_sending(tx, pod.id).await?;
    Ok(CommandKind::SetFirewall(Box::new(policy.command(addresses))))
}

/// In an undo, before a guest is started again: brings what is wanted to the pod's VM on this server. Where that cannot be done
/// it is shown as missing, and holds up nothing else.
pub(super) async fn bring_again(
    tx: &mut Tx,
    books: &Books,
    job: &Job,
    pod: &CloudPod,
    (server, vmid): (ServerId, u32),
) -> Result<Action> {
    books.firewalls.firewall_doubt(tx, pod.id).await?;
    if is_unsaid(tx, books, pod).await? {
        return Ok(Action::Done("nobody said what its firewall is to be: it is what the VM came with".to_owned()));
    }
    if job.attempt > UNDO_TRIES {
        return Ok(Action::Done("the host did not take the firewall: set the pod's firewall again".to_owned()));
    }
    let kind = firewall_wanted(tx, books, pod, server).await?;
    Ok(Action::Command(AgentCommand { server, pod: pod.id, vmid, kind, timeout: QUICK }))
}

/// The job's pod, unless it is on its way out.
async fn filtered_pod_of(tx: &mut Tx, job: &Job) -> Result<CloudPod> {
    if job.kind == kind::FIREWALL {
        return kept_pod_of(tx, job, "get another firewall").await;
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
        if !self.default && is_unsaid(tx, &self.books, &pod).await? {
            return Ok(Action::Done("nobody said what it is to be: it is what the VM came with".to_owned()));
        }
        let kind = firewall_wanted(tx, &self.books, &pod, server_of(&pod)?).await?;
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

//! Makes a pod's VM: reserve → address → vmid → clone → configure → resize_disk → firewall → start → wait_running.
//!
//! Undone from where it failed: the VM is destroyed, and only when the agent says *absent* are the VMID, the addresses and
//! the reservation free. A pod that could not be made ends `failed`, with its cause, holding nothing.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::firewall::ApplyFirewall;
use super::running::{Configure, ResizeDisk, Start, Subject, Turn, WaitRunning};
use super::vm::{addresses_take, brought_back, not_placed, server_of, vmid_replace};
use super::{Books, kind, order, pod_of, require_absent, state_store, tenant_of};
use crate::db::Tx;
use crate::domain::cloudpods::{CloudPod, State, service, store};
use crate::domain::jobs::{
    Action, CommandFailure, CommandKind, CommandOutput, End, FailureKind, Job, Saga, Step, Verdict,
};
use crate::error::{Error, NO_CAPACITY, Result};

/// A full clone copies the whole template.
const CLONE_TIMEOUT: Duration = Duration::from_hours(1);
const DESTROY_TIMEOUT: Duration = Duration::from_mins(15);

/// The saga.
pub(super) struct Provision {
    books: Arc<Books>,
    steps: Vec<Box<dyn Step>>,
}

impl Provision {
    pub(super) fn new(books: &Arc<Books>) -> Self {
        let b = || books.clone();
        let steps: Vec<Box<dyn Step>> = vec![
            // do: hold room on a server; undo: give it back.
            Box::new(Reserve(b())),
            // do: allocate addresses; undo: release them.
            Box::new(Address(b())),
            // do: take a VMID; undo: release it.
            Box::new(Vmid(b())),
            // do: clone the template; undo: destroy the clone, and nothing before it is undone until it is absent.
            Box::new(Clone(b())),
            // The rest changes that VM alone, so that its destruction undoes it.
            Box::new(Configure(b(), Made)),
            Box::new(ResizeDisk(Made)),
            Box::new(ApplyFirewall::making(books, true)),
            Box::new(Start(b(), Made)),
            Box::new(WaitRunning::started(books, Made)),
        ];
        Self { books: books.clone(), steps }
    }
}

#[async_trait]
impl Saga for Provision {
    fn kind(&self) -> &'static str {
        kind::PROVISION
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.steps
    }

    async fn began(&self, tx: &mut Tx, job: &Job) -> Result<()> {
        // Its first step wants it too, in the same transaction: before the pod is held.
        tenant_of(tx, job).await?;
        let pod = pod_of(tx, job).await?;
        let to = pod.state.clone().provision_begin()?;
        state_store(tx, &self.books, job, &pod, to).await
    }

    async fn ended(&self, tx: &mut Tx, job: &Job, end: &End) -> Result<()> {
        let pod = pod_of(tx, job).await?;
        let to = match end {
            End::Succeeded => pod.state.clone().provision_succeed()?,
            End::Failed(error) if error.code == NO_CAPACITY => {
                let request = service::request_of(&self.books, tx.conn(), &pod).await?;
                self.books.scheduling.placement_refuse(tx, pod.id, &request).await?;
                // Its customer reads this: what is said of each server stays with the placement and the job.
                pod.state.clone().provision_fail("there was no room for it; its placement says why".to_owned())
            }
            End::Failed(error) => pod.state.clone().provision_fail(error.detail.clone()),
            End::Cancelled => pod.state.clone().provision_fail("its provisioning was cancelled".to_owned()),
            End::Stuck(error) => pod.state.clone().provision_fail(format!(
                "{}; and its undoing cannot finish, so that it still holds what it held: see the job {}",
                error.detail, job.id
            )),
        };
        state_store(tx, &self.books, job, &pod, to).await
    }
}

/// The job's pod, unless somebody wants it gone.
async fn wanted_pod_of(tx: &mut Tx, job: &Job) -> Result<CloudPod> {
    let pod = pod_of(tx, job).await?;
    if pod.state == State::Provisioning {
        return Ok(pod);
    }
    Err(Error::conflict("cloudpod_deleting", format!("the pod {} is {} meanwhile", pod.name, pod.state.as_str())))
}

struct Reserve(Arc<Books>);

#[async_trait]
impl Step for Reserve {
    fn name(&self) -> &'static str {
        "reserve"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        // Pods that keep away from each other are placed one after the other.
        tenant_of(tx, job).await?;
        let pod = wanted_pod_of(tx, job).await?;
        if let (Some(server), Some(storage)) = (&pod.server, &pod.storage) {
            return Ok(Action::Done(format!("server {}, storage {storage}", server.name)));
        }
        let request = service::request_of(&self.0, tx.conn(), &pod).await?;
        let choice = self.0.scheduling.placement_commit(tx, pod.id, request).await?;
        store::pod_place(tx, pod.id, &choice, self.0.clock.now()).await?;
        Ok(Action::Done(format!("server {}, storage {}", choice.name, choice.storage)))
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = pod_of(tx, job).await?;
        if let Some(done) = brought_back(&pod) {
            return Ok(done);
        }
        self.0.servers.reservation_release(tx, pod.id).await?;
        store::pod_unplace(tx, pod.id, self.0.clock.now()).await?;
        Ok(Action::Done("the reservation is released".to_owned()))
    }
}

struct Address(Arc<Books>);

#[async_trait]
impl Step for Address {
    fn name(&self) -> &'static str {
        "address"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let tenant = tenant_of(tx, job).await?;
        let pod = wanted_pod_of(tx, job).await?;
        Ok(Action::Done(addresses_take(tx, &self.0, &tenant, &pod).await?))
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = pod_of(tx, job).await?;
        if let Some(done) = brought_back(&pod) {
            return Ok(done);
        }
        self.0.ipam.addresses_release(tx, pod.id).await?;
        Ok(Action::Done("the addresses are released".to_owned()))
    }
}

struct Vmid(Arc<Books>);

#[async_trait]
impl Step for Vmid {
    fn name(&self) -> &'static str {
        "vmid"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = wanted_pod_of(tx, job).await?;
        let vmid = self.0.servers.vmid_take(tx, server_of(&pod)?, pod.id).await?;
        store::pod_vmid_set(tx, pod.id, Some(vmid), self.0.clock.now()).await?;
        Ok(Action::Done(format!("VMID {vmid}")))
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = pod_of(tx, job).await?;
        if let Some(done) = brought_back(&pod) {
            return Ok(done);
        }
        self.0.servers.vmid_release(tx, pod.id).await?;
        store::pod_vmid_set(tx, pod.id, None, self.0.clock.now()).await?;
        Ok(Action::Done("the VMID is released".to_owned()))
    }
}

struct Clone(Arc<Books>);

#[async_trait]
impl Step for Clone {
    fn name(&self) -> &'static str {
        "clone"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = wanted_pod_of(tx, job).await?;
        let template_vmid = pod.template_vmid.ok_or_else(|| not_placed(&pod))?;
        let storage = pod.storage.clone().ok_or_else(|| not_placed(&pod))?;
        let kind = CommandKind::Clone { template_vmid, name: pod.name.clone(), full: true, storage };
        Ok(Action::Command(order(&pod, kind, CLONE_TIMEOUT)?))
    }

    async fn failed(&self, tx: &mut Tx, job: &Job, failure: &CommandFailure) -> Result<Verdict> {
        if failure.kind != FailureKind::VmidTaken {
            return Ok(if failure.kind.retryable() { Verdict::Retry } else { Verdict::Fail });
        }
        let pod = pod_of(tx, job).await?;
        vmid_replace(tx, &self.0, &pod).await
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = pod_of(tx, job).await?;
        if pod.vmid.is_none() {
            return Ok(Action::Done("there is no VM".to_owned()));
        }
        if let Some(done) = brought_back(&pod) {
            return Ok(done);
        }
        Ok(Action::Command(order(&pod, CommandKind::Destroy, DESTROY_TIMEOUT)?))
    }

    async fn undone(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        let pod = pod_of(tx, job).await?;
        require_absent(&pod, output)
    }
}

/// Once it is made, it runs.
struct Made;

#[async_trait]
impl Subject for Made {
    async fn turn(&self, tx: &mut Tx, job: &Job) -> Result<Turn> {
        Ok(Turn::go(wanted_pod_of(tx, job).await?))
    }
}

//! Makes a pod of a VM that somebody else made: claim → stamp → inspect.
//!
//! Nothing of the VM is changed but its stamp. Undone, the stamp is taken off again, and then the books forget it: the pod is
//! deleted, and its name free. Until it has succeeded the VM is somebody else's: where it cannot be undone, a deletion of the pod lets go of the VM instead of destroying it.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Books, QUICK, kind, order, params_of, pod_of, power_store, release_all, state_store, tenant_of};
use crate::db::Tx;
use crate::domain::access::Permission;
use crate::domain::cloudpods::upkeep::store as upkeep;
use crate::domain::cloudpods::{DesiredPower, State, store};
use crate::domain::jobs::{Action, CommandKind, CommandOutput, End, Job, Power, Presence, Saga, Step};
use crate::error::{Error, Result};
use crate::ids::ServerId;

/// Which VM, and what it is to hold.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AdoptParams {
    /// On this server.
    pub server: ServerId,
    /// Under this number.
    pub vmid: u32,
    /// On this storage.
    pub storage: String,
    /// Which it uses.
    pub addresses: Vec<IpAddr>,
}

/// The saga.
pub(super) struct Adopt {
    books: Arc<Books>,
    steps: Vec<Box<dyn Step>>,
}

impl Adopt {
    pub(super) fn new(books: &Arc<Books>) -> Self {
        let steps: Vec<Box<dyn Step>> = vec![
            // do: hold its room, its VMID and its addresses; undo: give them back.
            Box::new(Claim(books.clone())),
            // do: put the pod's stamp on it; undo: take it off.
            Box::new(Stamp),
            Box::new(Inspect(books.clone())),
        ];
        Self { books: books.clone(), steps }
    }
}

#[async_trait]
impl Saga for Adopt {
    fn kind(&self) -> &'static str {
        kind::ADOPT
    }

    fn permission(&self, _job: &Job) -> Permission {
        Permission::CloudpodsManage
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
            End::Succeeded => {
                store::pod_adopting_set(tx, pod.id, false, self.books.clock.now()).await?;
                pod.state.clone().provision_succeed()?
            }
            // The job says why.
            End::Failed(_) | End::Cancelled => pod.state.clone().adoption_fail(self.books.clock.now()),
            End::Stuck(error) => pod.state.clone().provision_fail(format!(
                "it could not be adopted: {}; and the VM may still bear its stamp, so that what was claimed stays held: see \
                 the job {}; the VM is left as it is, also when the pod is deleted",
                error.detail, job.id
            )),
        };
        state_store(tx, &self.books, job, &pod, to).await
    }
}

struct Claim(Arc<Books>);

#[async_trait]
impl Step for Claim {
    fn name(&self) -> &'static str {
        "claim"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let tenant = tenant_of(tx, job).await?;
        let pod = pod_of(tx, job).await?;
        if pod.state != State::Provisioning {
            let detail = format!("the pod {} is {} meanwhile", pod.name, pod.state.as_str());
            return Err(Error::conflict("cloudpod_deleting", detail));
        }
        let AdoptParams { server, vmid, storage, addresses } = params_of(job)?;
        let books = &self.0;
        // Addresses before the VMID before the room, in the order in which other jobs take them.
        let before = books.ipam.addresses_of(tx.conn(), pod.id).await?.len();
        for address in &addresses {
            books.ipam.address_claim(tx, pod.id, *address).await?;
        }
        tenant.require_addresses_taken(tx, addresses.len().saturating_sub(before) as u64).await?;
        books.servers.vmid_claim(tx, server, vmid, pod.id).await?;
        let (vcpu, memory, disk) = (pod.vcpu, pod.memory_mib, pod.disk_gib);
        books.servers.reservation_claim(tx, pod.id, server, &storage, vcpu, memory, disk).await?;
        upkeep::pod_put(tx, pod.id, server, &storage, vmid, books.clock.now()).await?;
        store::pod_adopting_set(tx, pod.id, true, books.clock.now()).await?;
        let shown: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        let shown = if shown.is_empty() { "no addresses".to_owned() } else { shown.join(", ") };
        Ok(Action::Done(format!("VMID {vmid}, storage {storage}, {shown}")))
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = pod_of(tx, job).await?;
        // The VM is somebody else's, as it was before: it is in the inventory, so that nobody is given its number.
        release_all(tx, &self.0, &pod).await?;
        store::pod_adopting_set(tx, pod.id, false, self.0.clock.now()).await?;
        Ok(Action::Done("what was claimed is free".to_owned()))
    }
}

struct Stamp;

#[async_trait]
impl Step for Stamp {
    fn name(&self) -> &'static str {
        "stamp"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = pod_of(tx, job).await?;
        Ok(Action::Command(order(&pod, CommandKind::Adopt, QUICK)?))
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = pod_of(tx, job).await?;
        if pod.vmid.is_none() {
            return Ok(Action::Done("the VM was let go with the pod".to_owned()));
        }
        Ok(Action::Command(order(&pod, CommandKind::Release, QUICK)?))
    }
}

struct Inspect(Arc<Books>);

#[async_trait]
impl Step for Inspect {
    fn name(&self) -> &'static str {
        "inspect"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = pod_of(tx, job).await?;
        Ok(Action::Command(order(&pod, CommandKind::Inspect, QUICK)?))
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        if output.presence != Presence::Present || !output.node.is_empty() {
            let detail = format!("the host does not say that the VM {} is there", output.vmid);
            return Err(Error::conflict("vm_not_there", detail));
        }
        let pod = pod_of(tx, job).await?;
        // As it is, so it shall be.
        let desired = if output.power == Power::Running { DesiredPower::Running } else { DesiredPower::Stopped };
        store::pod_desire(tx, pod.id, desired, self.0.clock.now()).await?;
        power_store(tx, &self.0, job, output).await
    }
}

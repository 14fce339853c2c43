//! Takes a pod's VM where it was found: inspect_there → inspect_here → rehome → firewall → set_options.
//!
//! Both hosts are asked: the VM has to be where it was seen, and certainly not where the books have it, unless that host was
//! declared lost. Only `rehome` changes the books, in one transaction: by what the new host then says once more.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::autostart::SetOptions;
use super::firewall::ApplyFirewall;
use super::migrate_orders::sighting;
use super::{Books, QUICK, kind, params_of, pod_of, state_store};
use crate::db::Tx;
use crate::domain::access::Permission;
use crate::domain::cloudpods::store;
use crate::domain::cloudpods::upkeep::store as upkeep;
use crate::domain::jobs::{Action, AgentCommand, CommandKind, CommandOutput, Job, Power, Saga, Step};
use crate::domain::servers::Sighting;
use crate::error::{Error, Result};
use crate::ids::ServerId;

/// Where the VM was found.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct RehomeParams {
    /// On this server.
    pub server: ServerId,
    /// Under this number.
    pub vmid: u32,
}

/// The saga.
pub(super) struct Rehome {
    steps: Vec<Box<dyn Step>>,
}

impl Rehome {
    pub(super) fn new(books: &Arc<Books>) -> Self {
        let steps: Vec<Box<dyn Step>> = vec![
            Box::new(InspectThere),
            Box::new(InspectHere),
            Box::new(Take(books.clone())),
            // It may have come there without.
            Box::new(ApplyFirewall::keeping(books)),
            // A host that was declared lost took it off.
            Box::new(SetOptions),
        ];
        Self { steps }
    }
}

#[async_trait]
impl Saga for Rehome {
    fn kind(&self) -> &'static str {
        kind::REHOME
    }

    fn permission(&self, _job: &Job) -> Permission {
        Permission::CloudpodsManage
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.steps
    }
}

struct InspectThere;

#[async_trait]
impl Step for InspectThere {
    fn name(&self) -> &'static str {
        "inspect_there"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        there(tx, job).await
    }

    async fn complete(&self, _tx: &mut Tx, _job: &Job, output: &CommandOutput) -> Result<()> {
        power_there(output).map(|_| ())
    }
}

/// Asks the new host.
async fn there(tx: &mut Tx, job: &Job) -> Result<Action> {
    let pod = pod_of(tx, job).await?;
    pod.state.clone().vm_found(pod.condition.suspension.is_some())?;
    let RehomeParams { server, vmid } = params_of(job)?;
    let kind = CommandKind::Inspect;
    Ok(Action::Command(AgentCommand { server, pod: pod.id, vmid, kind, timeout: QUICK }))
}

/// The VM's power on the new host, which has to have it.
fn power_there(output: &CommandOutput) -> Result<Power> {
    if let Sighting::Present(power) = sighting(output, "new host")? {
        return Ok(power);
    }
    let detail = format!("the host does not say that the VM {} is there: look where it is now", output.vmid);
    Err(Error::conflict("vm_not_there", detail))
}

struct InspectHere;

#[async_trait]
impl Step for InspectHere {
    fn name(&self) -> &'static str {
        "inspect_here"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = pod_of(tx, job).await?;
        let params: RehomeParams = params_of(job)?;
        match (&pod.server, pod.vmid) {
            (Some(server), Some(vmid)) if (server.id, vmid) != (params.server, params.vmid) => {
                let kind = CommandKind::Inspect;
                Ok(Action::Command(AgentCommand { server: server.id, pod: pod.id, vmid, kind, timeout: QUICK }))
            }
            (Some(_), Some(_)) => Ok(Action::Done("the books have it there already".to_owned())),
            _ => Ok(Action::Done("the books have it nowhere".to_owned())),
        }
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        let pod = pod_of(tx, job).await?;
        if let Sighting::Present(_) = sighting(output, "old host")? {
            let detail = format!(
                "the VM {} of the pod {} is still where the books have it: the other one is a second VM with its stamp",
                output.vmid, pod.name
            );
            return Err(Error::conflict("vm_still_there", detail));
        }
        Ok(())
    }

    /// A declaration stands for the word of the host that it waits for.
    fn takes_declaration(&self) -> bool {
        true
    }
}

struct Take(Arc<Books>);

#[async_trait]
impl Step for Take {
    fn name(&self) -> &'static str {
        "rehome"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        there(tx, job).await
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        let power = power_there(output)?;
        let pod = pod_of(tx, job).await?;
        let to = pod.state.clone().vm_found(pod.condition.suspension.is_some())?;
        let RehomeParams { server, vmid } = params_of(job)?;
        let (books, now) = (&self.0, self.0.clock.now());
        let storage = books.servers.storage_for(tx.conn(), server, pod.storage.as_deref()).await?;
        let (vcpu, memory, disk) = (pod.vcpu, pod.memory_mib, pod.disk_gib);
        books.servers.reservation_claim(tx, pod.id, server, &storage, vcpu, memory, disk).await?;
        books.servers.vmid_claim(tx, server, vmid, pod.id).await?;
        upkeep::pod_put(tx, pod.id, server, &storage, vmid, now).await?;
        store::pod_observe(tx, pod.id, power, now).await?;
        books.firewalls.firewall_doubt(tx, pod.id).await?;
        store::pod_adopting_set(tx, pod.id, false, now).await?;
        state_store(tx, books, job, &pod, to).await
    }
}

//! Removes a VM that bears our stamp and is no pod's: check → destroy. The agent destroys it only if it bears that very stamp.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Books, kind, params_of};
use crate::db::Tx;
use crate::domain::access::Permission;
use crate::domain::audit::{Actor, Record, Scope, audit_append};
use crate::domain::cloudpods::store;
use crate::domain::jobs::{Action, AgentCommand, CommandKind, CommandOutput, End, Job, Presence, Saga, Step};
use crate::error::{Error, Result};
use crate::ids::{CloudPodId, ServerId};

const TIMEOUT: Duration = Duration::from_mins(15);

/// Which VM.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct OrphanParams {
    /// On this server.
    pub server: ServerId,
    /// Under this number.
    pub vmid: u32,
    /// With the stamp of this pod.
    pub pod: CloudPodId,
}

/// The saga.
pub(super) struct DestroyOrphan {
    books: Arc<Books>,
    steps: Vec<Box<dyn Step>>,
}

impl DestroyOrphan {
    pub(super) fn new(books: &Arc<Books>) -> Self {
        Self { books: books.clone(), steps: vec![Box::new(Check), Box::new(DestroyVm)] }
    }
}

#[async_trait]
impl Saga for DestroyOrphan {
    fn kind(&self) -> &'static str {
        kind::DESTROY_ORPHAN
    }

    fn permission(&self, _job: &Job) -> Permission {
        Permission::CloudpodsManage
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.steps
    }

    async fn ended(&self, tx: &mut Tx, job: &Job, end: &End) -> Result<()> {
        if *end != End::Succeeded {
            return Ok(());
        }
        let OrphanParams { server, vmid, pod } = params_of(job)?;
        let actor = Actor::system("engine");
        let (action, target_kind, target_id) = ("server.orphan_destroyed", "server", server.to_string());
        let record = Record { actor: &actor, tenant: None, action, target_kind, target_id };
        let detail = json!({ "vmid": vmid, "cloudpod_id": pod, "job_id": job.id });
        audit_append(tx, self.books.clock.now(), record, &detail).await
    }
}

/// The job's VM, unless it has become a pod's own.
pub(super) async fn orphan_of(tx: &mut Tx, job: &Job) -> Result<OrphanParams> {
    let params: OrphanParams = params_of(job)?;
    // Held, so that nobody makes it the pod's own before this is stored.
    let pod = store::pod_lock(tx, Scope::Platform, params.pod).await?;
    let at = pod.and_then(|pod| Some((pod.server?.id, pod.vmid?)));
    if at == Some((params.server, params.vmid)) {
        let detail = format!("the VM {} is the own one of cloudpod {}: it is left alone", params.vmid, params.pod);
        return Err(Error::conflict("vm_not_orphan", detail));
    }
    Ok(params)
}

pub(super) struct Check;

#[async_trait]
impl Step for Check {
    fn name(&self) -> &'static str {
        "check"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let OrphanParams { vmid, pod, .. } = orphan_of(tx, job).await?;
        Ok(Action::Done(format!("VM {vmid} bears the stamp of cloudpod {pod}, and is not its own")))
    }
}

struct DestroyVm;

#[async_trait]
impl Step for DestroyVm {
    fn name(&self) -> &'static str {
        "destroy"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let OrphanParams { server, vmid, pod } = orphan_of(tx, job).await?;
        Ok(Action::Command(AgentCommand { server, pod, vmid, kind: CommandKind::Destroy, timeout: TIMEOUT }))
    }

    async fn complete(&self, _tx: &mut Tx, _job: &Job, output: &CommandOutput) -> Result<()> {
        if output.presence == Presence::Absent {
            return Ok(());
        }
        Err(Error::retry(format!("the agent does not say that the VM {} is absent", output.vmid)))
    }

    fn cancellable(&self) -> bool {
        false
    }

    /// A VM on a host that is lost was not destroyed: it is listed when the host returns.
    fn takes_declaration(&self) -> bool {
        false
    }
}

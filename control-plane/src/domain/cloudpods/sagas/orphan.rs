//! What becomes of a VM that bears our stamp and is no pod's: removed (check → destroy), or let go (check → release). The agent does
//! either only if it bears that very stamp; one that is let go is somebody else's afterwards, and nothing else of it is changed.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Books, QUICK, kind, params_of};
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

/// The saga, either way.
pub(super) struct Orphan {
    books: Arc<Books>,
    kind: &'static str,
    /// What the audit calls it.
    action: &'static str,
    steps: Vec<Box<dyn Step>>,
}

impl Orphan {
    pub(super) fn destroy(books: &Arc<Books>) -> Self {
        Self::new(books, kind::DESTROY_ORPHAN, "server.orphan_destroyed", Box::new(Destroy))
    }

    pub(super) fn release(books: &Arc<Books>) -> Self {
        Self::new(books, kind::RELEASE_ORPHAN, "server.orphan_released", Box::new(Release))
    }

    fn new(books: &Arc<Books>, kind: &'static str, action: &'static str, step: Box<dyn Step>) -> Self {
        Self { books: books.clone(), kind, action, steps: vec![Box::new(Check), step] }
    }
}

#[async_trait]
impl Saga for Orphan {
    fn kind(&self) -> &'static str {
        self.kind
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
        let (action, target_kind, target_id) = (self.action, "server", server.to_string());
        let record = Record { actor: &actor, tenant: None, action, target_kind, target_id };
        let detail = json!({ "vmid": vmid, "cloudpod_id": pod, "job_id": job.id });
        audit_append(tx, self.books.clock.now(), record, &detail).await
    }
}

/// The job's VM, unless it has become a pod's own.
async fn orphan_of(tx: &mut Tx, job: &Job) -> Result<OrphanParams> {
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

struct Check;

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

struct Destroy;

#[async_trait]
impl Step for Destroy {
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

struct Release;

#[async_trait]
impl Step for Release {
    fn name(&self) -> &'static str {
        "release"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let OrphanParams { server, vmid, pod } = orphan_of(tx, job).await?;
        Ok(Action::Command(AgentCommand { server, pod, vmid, kind: CommandKind::Release, timeout: QUICK }))
    }
}

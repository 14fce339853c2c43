//! Takes our stamp off a VM that is no pod's: check → release. It is somebody else's VM afterwards; nothing else of it is changed.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;

use super::destroy_orphan::{Check, OrphanParams, orphan_of};
use super::{Books, QUICK, kind, params_of};
use crate::db::Tx;
use crate::domain::access::Permission;
use crate::domain::audit::{Actor, Record, audit_append};
use crate::domain::jobs::{Action, AgentCommand, CommandKind, End, Job, Saga, Step};
use crate::error::Result;

/// The saga.
pub(super) struct ReleaseOrphan {
    books: Arc<Books>,
    steps: Vec<Box<dyn Step>>,
}

impl ReleaseOrphan {
    pub(super) fn new(books: &Arc<Books>) -> Self {
        Self { books: books.clone(), steps: vec![Box::new(Check), Box::new(Release)] }
    }
}

#[async_trait]
impl Saga for ReleaseOrphan {
    fn kind(&self) -> &'static str {
        kind::RELEASE_ORPHAN
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
        let (action, target_kind, target_id) = ("server.orphan_released", "server", server.to_string());
        let record = Record { actor: &actor, tenant: None, action, target_kind, target_id };
        let detail = json!({ "vmid": vmid, "cloudpod_id": pod, "job_id": job.id });
        audit_append(tx, self.books.clock.now(), record, &detail).await
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

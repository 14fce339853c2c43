//! An image made of a pod: captured (vmid → clone → template → activate) and removed again (check → destroy → release).
//!
//! The template is a VM of its own, on the pod's server. Its stamp is the image's id, so that no two VMs ever bear one pod's
//! stamp; the image counts only once the template is made, and its VMID is free only once the VM is known to be absent.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Books, QUICK, active_pod_of, kind, params_of};
use crate::db::Tx;
use crate::domain::images::{Captured, CapturedState};
use crate::domain::jobs::{
    Action, AgentCommand, CommandFailure, CommandKind, CommandOutput, End, FailureKind, Job, Presence, Saga, Step,
    Verdict,
};
use crate::error::{Error, Result};
use crate::ids::ImageId;

/// The whole disk is copied.
const CLONE_TIMEOUT: Duration = Duration::from_hours(6);
const DESTROY_TIMEOUT: Duration = Duration::from_mins(15);

/// Which image.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImageParams {
    /// Its row.
    pub image: ImageId,
}

async fn captured(tx: &mut Tx, books: &Books, job: &Job) -> Result<Captured> {
    let ImageParams { image } = params_of(job)?;
    let found = books.images.captured_find(tx.conn(), image).await?;
    found.ok_or_else(|| Error::internal(format!("the template of the image {image} is not in the books")))
}

/// An order about the template's VM, which bears the image's stamp.
fn order(template: &Captured, kind: CommandKind, timeout: Duration) -> Result<AgentCommand> {
    let vmid = template.vmid.ok_or_else(|| Error::internal(format!("the image {} has no VMID", template.image)))?;
    Ok(AgentCommand { server: template.server, pod: template.stamp(), vmid, kind, timeout })
}

fn require_absent(output: &CommandOutput) -> Result<()> {
    if output.presence == Presence::Absent {
        return Ok(());
    }
    Err(Error::retry("the agent does not say that the template is absent: its VMID stays taken"))
}

/// Makes an image of a pod.
pub(super) struct Capture {
    books: Arc<Books>,
    steps: Vec<Box<dyn Step>>,
}

impl Capture {
    pub(super) fn new(books: &Arc<Books>) -> Self {
        let b = || books.clone();
        let steps: Vec<Box<dyn Step>> = vec![
            // do: take a VMID for the template; undo: release it.
            Box::new(Vmid(b())),
            // do: copy the pod's VM; undo: destroy the copy.
            Box::new(Clone(b())),
            // It changes that copy alone.
            Box::new(Template(b())),
            // do: let pods be made of it; undo: no more.
            Box::new(Activate(b())),
        ];
        Self { books: books.clone(), steps }
    }
}

#[async_trait]
impl Saga for Capture {
    fn kind(&self) -> &'static str {
        kind::CAPTURE
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.steps
    }

    async fn ended(&self, tx: &mut Tx, job: &Job, end: &End) -> Result<()> {
        match end {
            End::Failed(_) | End::Cancelled => {
                let ImageParams { image } = params_of(job)?;
                self.books.images.captured_forget(tx, image).await
            }
            End::Stuck(_) | End::Succeeded => Ok(()),
        }
    }
}

struct Vmid(Arc<Books>);

#[async_trait]
impl Step for Vmid {
    fn name(&self) -> &'static str {
        "vmid"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = active_pod_of(tx, job, "be captured").await?;
        let template = captured(tx, &self.0, job).await?;
        let server = pod
            .server
            .map(|server| server.id)
            .ok_or_else(|| Error::conflict("cloudpod_without_vm", "the pod has no VM"))?;
        if template.vmid.is_some() && template.server != server {
            self.0.servers.image_vmid_release(tx, template.image).await?;
        }
        let vmid = self.0.servers.image_vmid_take(tx, server, template.image).await?;
        self.0.images.captured_at(tx, template.image, server, Some(vmid)).await?;
        Ok(Action::Done(format!("VMID {vmid}")))
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let template = captured(tx, &self.0, job).await?;
        self.0.servers.image_vmid_release(tx, template.image).await?;
        self.0.images.captured_at(tx, template.image, template.server, None).await?;
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
        let pod = active_pod_of(tx, job, "be captured").await?;
        let template = captured(tx, &self.0, job).await?;
        let here = pod.server.as_ref().is_some_and(|server| server.id == template.server);
        let Some(template_vmid) = pod.vmid.filter(|_| here) else {
            return Err(Error::conflict(
                "cloudpod_moved",
                "the pod moved to another server meanwhile: capture it again",
            ));
        };
        let storage = pod.storage.clone().unwrap_or_default();
        let kind = CommandKind::Clone { template_vmid, name: template.vm_name(), full: true, storage };
        Ok(Action::Command(order(&template, kind, CLONE_TIMEOUT)?))
    }

    async fn failed(&self, tx: &mut Tx, job: &Job, failure: &CommandFailure) -> Result<Verdict> {
        if failure.kind != FailureKind::VmidTaken {
            return Ok(if failure.kind.retryable() { Verdict::Retry } else { Verdict::Fail });
        }
        // Somebody made a VM of that number by hand: it is theirs from now on, and the template takes another.
        let template = captured(tx, &self.0, job).await?;
        self.0.servers.image_vmid_mark_foreign(tx, template.image).await?;
        match self.0.servers.image_vmid_take(tx, template.server, template.image).await {
            Ok(vmid) => {
                self.0.images.captured_at(tx, template.image, template.server, Some(vmid)).await?;
                Ok(Verdict::Retry)
            }
            Err(Error::NoCapacity(_) | Error::Conflict { .. }) => {
                self.0.images.captured_at(tx, template.image, template.server, None).await?;
                Ok(Verdict::Fail)
            }
            Err(error) => Err(error),
        }
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let template = captured(tx, &self.0, job).await?;
        if template.vmid.is_none() {
            return Ok(Action::Done("there is no VM".to_owned()));
        }
        Ok(Action::Command(order(&template, CommandKind::Destroy, DESTROY_TIMEOUT)?))
    }

    async fn undone(&self, _tx: &mut Tx, _job: &Job, output: &CommandOutput) -> Result<()> {
        require_absent(output)
    }
}

struct Template(Arc<Books>);

#[async_trait]
impl Step for Template {
    fn name(&self) -> &'static str {
        "template"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let template = captured(tx, &self.0, job).await?;
        Ok(Action::Command(order(&template, CommandKind::MakeTemplate, QUICK)?))
    }
}

struct Activate(Arc<Books>);

#[async_trait]
impl Step for Activate {
    fn name(&self) -> &'static str {
        "activate"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let template = captured(tx, &self.0, job).await?;
        self.0.images.captured_activate(tx, &template).await?;
        Ok(Action::Done("pods may be made of it".to_owned()))
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let ImageParams { image } = params_of(job)?;
        self.0.images.captured_deactivate(tx, image, CapturedState::Creating).await?;
        Ok(Action::Done("pods may be made of it no more".to_owned()))
    }
}

/// Removes an image that was made of a pod, with its template. There is no undo.
pub(super) struct DeleteImage {
    books: Arc<Books>,
    steps: Vec<Box<dyn Step>>,
}

impl DeleteImage {
    pub(super) fn new(books: &Arc<Books>) -> Self {
        let b = || books.clone();
        let steps: Vec<Box<dyn Step>> =
            vec![Box::new(Check(b())), Box::new(DestroyTemplate(b())), Box::new(Release(b()))];
        Self { books: books.clone(), steps }
    }
}

#[async_trait]
impl Saga for DeleteImage {
    fn kind(&self) -> &'static str {
        kind::DELETE_IMAGE
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.steps
    }

    async fn ended(&self, tx: &mut Tx, job: &Job, end: &End) -> Result<()> {
        match end {
            End::Failed(_) | End::Cancelled | End::Stuck(_) => {
                // It stays out of use: deleting it again tries again.
                let ImageParams { image } = params_of(job)?;
                self.books.images.captured_deactivate(tx, image, CapturedState::Ready).await
            }
            End::Succeeded => Ok(()),
        }
    }
}

struct Check(Arc<Books>);

#[async_trait]
impl Step for Check {
    fn name(&self) -> &'static str {
        "check"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let template = captured(tx, &self.0, job).await?;
        self.0.images.unused_check(tx.conn(), template.image).await?;
        Ok(Action::Done("no pod is made of it".to_owned()))
    }
}

struct DestroyTemplate(Arc<Books>);

#[async_trait]
impl Step for DestroyTemplate {
    fn name(&self) -> &'static str {
        "destroy"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let template = captured(tx, &self.0, job).await?;
        Ok(Action::Command(order(&template, CommandKind::Destroy, DESTROY_TIMEOUT)?))
    }

    async fn complete(&self, _tx: &mut Tx, _job: &Job, output: &CommandOutput) -> Result<()> {
        require_absent(output)
    }

    fn cancellable(&self) -> bool {
        false
    }
}

struct Release(Arc<Books>);

#[async_trait]
impl Step for Release {
    fn name(&self) -> &'static str {
        "release"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let ImageParams { image } = params_of(job)?;
        self.0.servers.image_vmid_release(tx, image).await?;
        self.0.images.captured_forget(tx, image).await?;
        Ok(Action::Done("the VMID is free".to_owned()))
    }

    fn cancellable(&self) -> bool {
        false
    }
}

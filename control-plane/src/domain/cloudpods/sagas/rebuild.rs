//! Makes a pod's VM anew from another image: stop → destroy → prepare → clone → configure → resize_disk → firewall →
//! start → wait_running.
//!
//! Its id, addresses, MAC addresses, VMID and room stay its own. The destruction is the point of no return: before it all is undone; after it
//! a failure leaves the pod `failed` and holding what it held, and the rebuild can be asked for again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::firewall::ApplyFirewall;
use super::running::{Configure, ResizeDisk, Start, Subject, Turn, WaitRunning};
use super::vm::{not_placed, server_of, vm_missing, vmid_replace};
use super::{Books, PowerParams, QUICK, kind, order, params_of, pod_of, power_store, require_absent, state_store};
use crate::db::Tx;
use crate::domain::cloudpods::upkeep::require_unseen;
use crate::domain::cloudpods::{CloudPod, DesiredPower, GivenCard, State, store};
use crate::domain::jobs::{
    Action, CommandFailure, CommandKind, CommandOutput, End, FailureKind, Job, Saga, Step, Verdict,
};
use crate::error::{Error, Result};
use crate::ids::{ImageId, ServerId};

/// A full clone copies the whole template.
const CLONE_TIMEOUT: Duration = Duration::from_hours(1);
const DESTROY_TIMEOUT: Duration = Duration::from_mins(15);

/// What it is made of anew.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::domain::cloudpods) struct RebuildParams {
    /// What was wanted before.
    #[serde(flatten)]
    pub power: PowerParams,
    pub image: ImageId,
    /// `None`: as before.
    pub ssh_keys: Option<Vec<String>>,
    pub user: String,
}

/// The saga.
pub(super) struct Rebuild {
    books: Arc<Books>,
    steps: Vec<Box<dyn Step>>,
}

impl Rebuild {
    pub(super) fn new(books: &Arc<Books>) -> Self {
        let b = || books.clone();
        let steps: Vec<Box<dyn Step>> = vec![
            // do: cut its power; undo: start it, if it was wanted running.
            Box::new(Stop(b())),
            // do: remove the old VM. From here on there is no way back.
            Box::new(Destroy(b())),
            // do: note what it is made of now.
            Box::new(Prepare(b())),
            // These make the new VM; repeating the rebuild begins with its removal.
            Box::new(Clone(b())),
            Box::new(Configure(b(), Rebuilt)),
            Box::new(ResizeDisk(Rebuilt)),
            Box::new(ApplyFirewall::making(books, false)),
            Box::new(Start(b(), Rebuilt)),
            Box::new(WaitRunning::started(books, Rebuilt)),
        ];
        Self { books: books.clone(), steps }
    }
}

#[async_trait]
impl Saga for Rebuild {
    fn kind(&self) -> &'static str {
        kind::REBUILD
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.steps
    }

    async fn ended(&self, tx: &mut Tx, job: &Job, end: &End) -> Result<()> {
        let pod = pod_of(tx, job).await?;
        let now = self.books.clock.now();
        match end {
            End::Succeeded => {
                store::pod_rebuilding_set(tx, pod.id, false, now).await?;
                state_store(tx, &self.books, job, &pod, pod.state.clone().rebuild_succeed()).await
            }
            End::Failed(error) | End::Stuck(error) if pod.condition.rebuilding => {
                let cause = format!(
                    "its rebuild did not succeed, and its old disk is gone: {}; it keeps what it holds: rebuild it again, \
                     or delete it",
                    error.detail
                );
                state_store(tx, &self.books, job, &pod, pod.state.clone().rebuild_fail(cause)).await
            }
            End::Failed(_) | End::Cancelled | End::Stuck(_) => {
                let PowerParams { was } = params_of(job)?;
                store::pod_desire(tx, pod.id, was, now).await
            }
        }
    }
}

/// The job's pod, if its VM may be made anew.
async fn rebuilt_pod_of(tx: &mut Tx, job: &Job) -> Result<CloudPod> {
    let pod = pod_of(tx, job).await?;
    pod.state.rebuild(pod.condition.rebuilding)?;
    Ok(pod)
}

/// The image's template on the pod's server.
pub(in crate::domain::cloudpods) fn template_on(
    templates: &HashMap<ServerId, u32>,
    pod: &CloudPod,
    image: ImageId,
) -> Result<u32> {
    let server = pod.server.as_ref().ok_or_else(|| not_placed(pod))?;
    templates.get(&server.id).copied().ok_or_else(|| {
        let detail = format!("the image {image} has no template on the pod's server {}", server.name);
        Error::conflict("template_missing", detail)
    })
}

struct Stop(Arc<Books>);

#[async_trait]
impl Step for Stop {
    fn name(&self) -> &'static str {
        "stop"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = rebuilt_pod_of(tx, job).await?;
        if pod.condition.rebuilding {
            return Ok(Action::Done("what is left of its VM goes with it".to_owned()));
        }
        if vm_missing(tx, &self.0, &pod).await? {
            // Unless it is somewhere else, where it may run.
            require_unseen(tx, &self.0, &pod).await?;
            return Ok(Action::Done("its VM is missing: there is nothing to stop".to_owned()));
        }
        Ok(Action::Command(order(&pod, CommandKind::Stop, QUICK)?))
    }

    /// The last look at the VM that goes.
    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        let pod = pod_of(tx, job).await?;
        let mut macs = output.macs.clone();
        // What somebody made of a card by hand is not what it was given.
        for GivenCard { index, mac, .. } in store::pod_cards(tx.conn(), pod.id).await?.unwrap_or_default() {
            if let Some(mac) = mac {
                macs.insert(index, mac);
            }
        }
        store::pod_macs_set(tx, pod.id, &macs).await?;
        power_store(tx, &self.0, job, output).await
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = pod_of(tx, job).await?;
        let RebuildParams { power: PowerParams { was }, .. } = params_of(job)?;
        if pod.condition.rebuilding || pod.state != State::Active || was == DesiredPower::Stopped {
            return Ok(Action::Done("it is not to run".to_owned()));
        }
        if vm_missing(tx, &self.0, &pod).await? {
            return Ok(Action::Done("its VM is missing: there is nothing to start".to_owned()));
        }
        Ok(Action::Command(order(&pod, CommandKind::Start, QUICK)?))
    }

    async fn undone(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        power_store(tx, &self.0, job, output).await
    }
}

struct Destroy(Arc<Books>);

#[async_trait]
impl Step for Destroy {
    fn name(&self) -> &'static str {
        "destroy"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = rebuilt_pod_of(tx, job).await?;
        let RebuildParams { image, .. } = params_of(job)?;
        // Nothing is removed that could not be made again.
        template_on(&self.0.images.image_templates(tx.conn(), image).await?, &pod, image)?;
        store::pod_rebuilding_set(tx, pod.id, true, self.0.clock.now()).await?;
        Ok(Action::Command(order(&pod, CommandKind::Destroy, DESTROY_TIMEOUT)?))
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        let pod = pod_of(tx, job).await?;
        require_absent(&pod, output)?;
        self.0.snapshots.snapshots_forget(tx, pod.id).await
    }

    fn cancellable(&self) -> bool {
        false
    }
}

struct Prepare(Arc<Books>);

#[async_trait]
impl Step for Prepare {
    fn name(&self) -> &'static str {
        "prepare"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = rebuilt_pod_of(tx, job).await?;
        let RebuildParams { power: _, image, ssh_keys, user } = params_of(job)?;
        let template_vmid = template_on(&self.0.images.image_templates(tx.conn(), image).await?, &pod, image)?;
        let ssh_keys = ssh_keys.as_deref().unwrap_or(&pod.ssh_keys);
        self.0.firewalls.firewall_doubt(tx, pod.id).await?;
        let remake = store::Remake { image, template_vmid, ssh_keys, user: &user };
        store::pod_remake(tx, pod.id, remake, self.0.clock.now()).await?;
        Ok(Action::Done(format!("from template {template_vmid}")))
    }

    fn cancellable(&self) -> bool {
        false
    }
}

struct Clone(Arc<Books>);

#[async_trait]
impl Step for Clone {
    fn name(&self) -> &'static str {
        "clone"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = rebuilt_pod_of(tx, job).await?;
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
        server_of(&pod)?;
        vmid_replace(tx, &self.0, &pod).await
    }

    fn cancellable(&self) -> bool {
        false
    }
}

/// Once it is made anew, it runs.
struct Rebuilt;

#[async_trait]
impl Subject for Rebuilt {
    async fn turn(&self, tx: &mut Tx, job: &Job) -> Result<Turn> {
        Ok(Turn::go(rebuilt_pod_of(tx, job).await?))
    }

    fn cancellable(&self) -> bool {
        false
    }
}

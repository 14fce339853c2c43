//! Removes a pod's VM and frees what it held: check → destroy → release.
//!
//! Nothing of it can be undone, so it cannot be cancelled once the first command may be out. When it fails, the pod is
//! `failed` and keeps what it holds; deleting it again tries again.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Books, kind, order, params_of, pod_of, release_all, require_absent, require_settled, state_store};
use crate::db::Tx;
use crate::domain::access::Permission;
use crate::domain::cloudpods::State;
use crate::domain::cloudpods::upkeep::require_unseen;
use crate::domain::jobs::{Action, CommandKind, CommandOutput, End, Job, Presence, Saga, Step};
use crate::error::{Error, Result};

const TIMEOUT: Duration = Duration::from_mins(15);

/// What the job remembers, for when it is cancelled before it began.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DestroyParams {
    /// The state that the pod was in.
    pub was: String,
    /// Why, if that was `failed`.
    pub failure: Option<String>,
    /// Whether the platform ordered it, and not the customer.
    #[serde(default)]
    pub by_platform: bool,
}

/// The saga.
pub(super) struct Destroy {
    books: Arc<Books>,
    steps: Vec<Box<dyn Step>>,
}

impl Destroy {
    pub(super) fn new(books: &Arc<Books>) -> Self {
        let steps: Vec<Box<dyn Step>> =
            vec![Box::new(Check), Box::new(DestroyVm(books.clone())), Box::new(Release(books.clone()))];
        Self { books: books.clone(), steps }
    }
}

#[async_trait]
impl Saga for Destroy {
    fn kind(&self) -> &'static str {
        kind::DESTROY
    }

    fn permission(&self, job: &Job) -> Permission {
        match params_of(job) {
            Ok(DestroyParams { by_platform: false, .. }) => Permission::ProvisioningWrite,
            Ok(DestroyParams { by_platform: true, .. }) | Err(_) => Permission::CloudpodsManage,
        }
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.steps
    }

    fn ends_pod(&self) -> bool {
        true
    }

    async fn ended(&self, tx: &mut Tx, job: &Job, end: &End) -> Result<()> {
        let pod = pod_of(tx, job).await?;
        let to = match end {
            End::Succeeded => pod.state.clone().destroy_succeed(self.books.clock.now())?,
            End::Failed(error) | End::Stuck(error) => pod.state.clone().destroy_fail(format!(
                "it could not be removed, and keeps what it holds: {}; delete it again to try again",
                error.detail
            )),
            End::Cancelled => {
                let DestroyParams { was, failure, by_platform: _ } = params_of(job)?;
                pod.state.clone().destroy_cancel(&was, failure)
            }
        };
        state_store(tx, &self.books, job, &pod, to).await
    }
}

struct Check;

#[async_trait]
impl Step for Check {
    fn name(&self) -> &'static str {
        "check"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = pod_of(tx, job).await?;
        if pod.state != State::Deleting {
            return Err(Error::conflict("cloudpod_state", format!("the pod is {}, not deleting", pod.state.as_str())));
        }
        require_settled(&pod)?;
        Ok(Action::Done(match (&pod.server, pod.vmid) {
            (Some(server), Some(vmid)) => format!("VM {vmid} on server {}", server.name),
            _ => "it has no VM".to_owned(),
        }))
    }
}

struct DestroyVm(Arc<Books>);

#[async_trait]
impl Step for DestroyVm {
    fn name(&self) -> &'static str {
        "destroy"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = pod_of(tx, job).await?;
        if pod.vmid.is_none() {
            // An inventory may be older than what removed the VM: the next one tells.
            require_unseen(tx, &self.0, &pod).await.map_err(|error| Error::retry(error.to_string()))?;
            return Ok(Action::Done("it has no VM".to_owned()));
        }
        // A VM whose adoption did not succeed is somebody else's.
        let kind = if pod.condition.adopting { CommandKind::Release } else { CommandKind::Destroy };
        Ok(Action::Command(order(&pod, kind, TIMEOUT)?))
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        let pod = pod_of(tx, job).await?;
        if pod.condition.adopting && output.presence != Presence::Unknown {
            return Ok(());
        }
        require_absent(&pod, output)
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
        let pod = pod_of(tx, job).await?;
        release_all(tx, &self.0, &pod).await?;
        Ok(Action::Done("the addresses, the VMID and the reservation are free".to_owned()))
    }

    fn cancellable(&self) -> bool {
        false
    }
}

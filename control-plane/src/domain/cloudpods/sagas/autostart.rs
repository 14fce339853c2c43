//! Has a pod's VM start with its host as it is wanted: set_options.

use async_trait::async_trait;

use super::{QUICK, kind, order, pod_of, require_settled};
use crate::db::Tx;
use crate::domain::access::Permission;
use crate::domain::cloudpods::State;
use crate::domain::jobs::{Action, CommandKind, Job, Saga, Step};
use crate::error::Result;

/// The saga.
pub(super) struct Autostart {
    steps: Vec<Box<dyn Step>>,
}

impl Autostart {
    pub(super) fn new() -> Self {
        Self { steps: vec![Box::new(SetOptions)] }
    }
}

#[async_trait]
impl Saga for Autostart {
    fn kind(&self) -> &'static str {
        kind::AUTOSTART
    }

    fn permission(&self, _job: &Job) -> Permission {
        Permission::CloudpodsManage
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.steps
    }
}

pub(super) struct SetOptions;

#[async_trait]
impl Step for SetOptions {
    fn name(&self) -> &'static str {
        "set_options"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = pod_of(tx, job).await?;
        pod.state.update()?;
        require_settled(&pod)?;
        let starts = pod.start_on_boot && pod.state != State::Suspended;
        let kind = CommandKind::SetOptions { start_on_boot: Some(starts), protection: None };
        Ok(Action::Command(order(&pod, kind, QUICK)?))
    }
}

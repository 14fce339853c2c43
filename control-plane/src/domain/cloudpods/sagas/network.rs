//! Gives a pod's VM the network cards again that it was given, because somebody changed them by hand: configure → firewall.

use std::sync::Arc;

use async_trait::async_trait;

use super::firewall::ApplyFirewall;
use super::restart::restart_note;
use super::vm::{cards_of, macs_note};
use super::{Books, QUICK, kept_pod_of, kind, order, pod_of};
use crate::db::Tx;
use crate::domain::access::Permission;
use crate::domain::cloudpods::RestartCause;
use crate::domain::jobs::{Action, CommandKind, CommandOutput, Job, Saga, Step};
use crate::error::Result;

/// The saga.
pub(super) struct Network {
    steps: Vec<Box<dyn Step>>,
}

impl Network {
    pub(super) fn new(books: &Arc<Books>) -> Self {
        let steps: Vec<Box<dyn Step>> = vec![
            Box::new(Configure(books.clone())),
            // A card that is made anew leads past it.
            Box::new(ApplyFirewall::keeping(books)),
        ];
        Self { steps }
    }
}

#[async_trait]
impl Saga for Network {
    fn kind(&self) -> &'static str {
        kind::NETWORK
    }

    fn permission(&self, _job: &Job) -> Permission {
        Permission::CloudpodsManage
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.steps
    }
}

struct Configure(Arc<Books>);

#[async_trait]
impl Step for Configure {
    fn name(&self) -> &'static str {
        "configure"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = kept_pod_of(tx, job, "get its network cards back").await?;
        if pod.condition.as_found {
            return Ok(Action::Done("it was adopted: its cards are what the VM came with".to_owned()));
        }
        let configure = cards_of(tx, &self.0, &pod).await?;
        Ok(Action::Command(order(&pod, CommandKind::Configure(Box::new(configure)), QUICK)?))
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        let pod = pod_of(tx, job).await?;
        macs_note(tx, &pod, output).await?;
        restart_note(tx, &self.0, &pod, RestartCause::Network, output.restart_needed).await
    }
}

//! Cuts the power of a pod's VM: stop.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Books, QUICK, active_pod_of, kind, order, power_ended, power_store};
use crate::db::Tx;
use crate::domain::jobs::{Action, CommandKind, CommandOutput, End, Job, Saga, Step};
use crate::error::Result;

/// The saga.
pub(super) struct Stop {
    books: Arc<Books>,
    steps: Vec<Box<dyn Step>>,
}

impl Stop {
    pub(super) fn new(books: &Arc<Books>) -> Self {
        let steps: Vec<Box<dyn Step>> = vec![Box::new(StopVm(books.clone()))];
        Self { books: books.clone(), steps }
    }
}

#[async_trait]
impl Saga for Stop {
    fn kind(&self) -> &'static str {
        kind::STOP
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.steps
    }

    async fn ended(&self, tx: &mut Tx, job: &Job, end: &End) -> Result<()> {
        power_ended(tx, &self.books, job, end).await
    }
}

struct StopVm(Arc<Books>);

#[async_trait]
impl Step for StopVm {
    fn name(&self) -> &'static str {
        "stop"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = active_pod_of(tx, job, "be stopped").await?;
        Ok(Action::Command(order(&pod, CommandKind::Stop, QUICK)?))
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        power_store(tx, &self.0, job, output).await
    }
}

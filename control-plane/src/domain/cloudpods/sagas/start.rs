//! Starts a pod's VM and waits until it runs: start → wait_running.

use std::sync::Arc;

use async_trait::async_trait;

use super::running::{self, Active, WaitRunning};
use super::{Books, kind, power_ended};
use crate::db::Tx;
use crate::domain::jobs::{End, Job, Saga, Step};
use crate::error::Result;

const WANTED: &str = "be started";

/// The saga.
pub(super) struct Start {
    books: Arc<Books>,
    steps: Vec<Box<dyn Step>>,
}

impl Start {
    pub(super) fn new(books: &Arc<Books>) -> Self {
        let steps: Vec<Box<dyn Step>> = vec![
            Box::new(running::Start(books.clone(), Active(WANTED))),
            Box::new(WaitRunning::started(books, Active(WANTED))),
        ];
        Self { books: books.clone(), steps }
    }
}

#[async_trait]
impl Saga for Start {
    fn kind(&self) -> &'static str {
        kind::START
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.steps
    }

    async fn ended(&self, tx: &mut Tx, job: &Job, end: &End) -> Result<()> {
        power_ended(tx, &self.books, job, end).await
    }
}

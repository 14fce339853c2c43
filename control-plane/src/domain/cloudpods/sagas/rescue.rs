//! Starts a pod from a rescue CD, and from its disk again: insert → stop → set_media → start → wait_running → commit.
//!
//! Undone, it is stopped, has in its drive what was there before, and runs if it was wanted running.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::media::{insert, not_in_rescue};
use super::running::{Start, Subject, Turn, WaitRunning};
use super::{Books, PowerParams, QUICK, active_pod_of, kind, order, params_of, pod_of, power_store};
use crate::db::Tx;
use crate::domain::cloudpods::{CloudPod, DesiredPower, Media, State, store};
use crate::domain::jobs::{Action, CommandKind, CommandOutput, End, Job, Saga, Step};
use crate::error::{Error, Result};

/// With which CD.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::domain::cloudpods) struct RescueParams {
    /// What was wanted before.
    #[serde(flatten)]
    pub power: PowerParams,
    /// `None`: back to its disk.
    pub iso: Option<String>,
}

/// The saga, both ways.
pub(super) struct Rescue {
    books: Arc<Books>,
    kind: &'static str,
    steps: Vec<Box<dyn Step>>,
}

impl Rescue {
    pub(super) fn begin(books: &Arc<Books>) -> Self {
        Self::new(books, kind::RESCUE)
    }

    pub(super) fn end(books: &Arc<Books>) -> Self {
        Self::new(books, kind::UNRESCUE)
    }

    fn new(books: &Arc<Books>, kind: &'static str) -> Self {
        let b = || books.clone();
        let steps: Vec<Box<dyn Step>> = vec![
            // do: put the rescue CD in; undo: what was there. Before its power is cut: there may be no such CD.
            Box::new(Insert),
            // do: cut its power; undo: start it, if it was wanted running.
            Box::new(Stop(b())),
            // do: the other CD; undo: the one before.
            Box::new(Swap),
            // do: start it; undo: stop it.
            Box::new(Start(b(), Rescued)),
            Box::new(WaitRunning::started(books, Rescued)),
            Box::new(Commit(b())),
        ];
        Self { books: books.clone(), kind, steps }
    }
}

#[async_trait]
impl Saga for Rescue {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.steps
    }

    async fn ended(&self, tx: &mut Tx, job: &Job, end: &End) -> Result<()> {
        if matches!(end, End::Failed(_) | End::Cancelled) {
            let PowerParams { was } = params_of(job)?;
            let pod = pod_of(tx, job).await?;
            store::pod_desire(tx, pod.id, was, self.books.clock.now()).await?;
        }
        Ok(())
    }
}

/// Refuses a pod that is not being rescued.
pub(in crate::domain::cloudpods) fn in_rescue(pod: &CloudPod) -> Result<()> {
    if pod.condition.rescue.is_some() {
        return Ok(());
    }
    Err(Error::conflict("cloudpod_not_in_rescue", "the pod is not being rescued; there is nothing to end"))
}

/// The job's pod, if it may go this way.
async fn rescued_pod_of(tx: &mut Tx, job: &Job) -> Result<(CloudPod, RescueParams)> {
    let params: RescueParams = params_of(job)?;
    let pod = active_pod_of(tx, job, "be started from another disk").await?;
    if params.iso.is_some() {
        not_in_rescue(&pod)?;
    } else {
        in_rescue(&pod)?;
    }
    Ok((pod, params))
}

fn of_rescue(iso: Option<&String>) -> Media {
    Media { iso: iso.cloned(), boot_from_cd: true }
}

/// What is in a pod's drive by its row.
pub(super) fn drive_of(pod: &CloudPod) -> Media {
    match &pod.condition.rescue {
        Some(iso) => of_rescue(Some(iso)),
        None => pod.condition.media.clone(),
    }
}

struct Stop(Arc<Books>);

#[async_trait]
impl Step for Stop {
    fn name(&self) -> &'static str {
        "stop"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let (pod, _) = rescued_pod_of(tx, job).await?;
        Ok(Action::Command(order(&pod, CommandKind::Stop, QUICK)?))
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        power_store(tx, &self.0, job, output).await
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = pod_of(tx, job).await?;
        let RescueParams { power: PowerParams { was }, .. } = params_of(job)?;
        if pod.state != State::Active || was == DesiredPower::Stopped {
            return Ok(Action::Done("it is not to run".to_owned()));
        }
        Ok(Action::Command(order(&pod, CommandKind::Start, QUICK)?))
    }

    async fn undone(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        power_store(tx, &self.0, job, output).await
    }
}

/// Changes what is in the drive, and not yet what it starts from.
struct Insert;

#[async_trait]
impl Step for Insert {
    fn name(&self) -> &'static str {
        "insert"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let (pod, params) = rescued_pod_of(tx, job).await?;
        if params.iso.is_none() {
            return Ok(Action::Done("the CD goes out once it is stopped".to_owned()));
        }
        let media = Media { iso: params.iso, boot_from_cd: pod.condition.media.boot_from_cd };
        Ok(Action::Command(order(&pod, insert(&media), QUICK)?))
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        drive_put_back(tx, job).await
    }
}

async fn drive_put_back(tx: &mut Tx, job: &Job) -> Result<Action> {
    let pod = pod_of(tx, job).await?;
    if pod.state != State::Active {
        return Ok(Action::Done(format!("it is {}", pod.state.as_str())));
    }
    Ok(Action::Command(order(&pod, insert(&drive_of(&pod)), QUICK)?))
}

struct Swap;

#[async_trait]
impl Step for Swap {
    fn name(&self) -> &'static str {
        "set_media"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let (pod, params) = rescued_pod_of(tx, job).await?;
        let media = params.iso.as_ref().map_or_else(|| pod.condition.media.clone(), |iso| of_rescue(Some(iso)));
        Ok(Action::Command(order(&pod, insert(&media), QUICK)?))
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        drive_put_back(tx, job).await
    }
}

struct Commit(Arc<Books>);

#[async_trait]
impl Step for Commit {
    fn name(&self) -> &'static str {
        "commit"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = active_pod_of(tx, job, "be started from another disk").await?;
        let RescueParams { iso, .. } = params_of(job)?;
        store::pod_rescue_set(tx, pod.id, iso.as_deref(), self.0.clock.now()).await?;
        Ok(Action::Done(iso.map_or_else(|| "from its disk".to_owned(), |iso| format!("from {iso}"))))
    }
}

/// It runs afterwards: always from a rescue CD, otherwise if that was wanted.
struct Rescued;

#[async_trait]
impl Subject for Rescued {
    async fn turn(&self, tx: &mut Tx, job: &Job) -> Result<Turn> {
        let (pod, params) = rescued_pod_of(tx, job).await?;
        if params.iso.is_some() || params.power.was == DesiredPower::Running {
            return Ok(Turn::go(pod));
        }
        Ok(Turn::rest("it was not wanted running"))
    }

    async fn to_stop(&self, tx: &mut Tx, job: &Job) -> Result<Turn> {
        let pod = pod_of(tx, job).await?;
        if pod.state == State::Active {
            return Ok(Turn::go(pod));
        }
        Ok(Turn::rest(format!("it is {}", pod.state.as_str())))
    }
}

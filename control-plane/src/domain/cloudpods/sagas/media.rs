//! Puts a CD into a pod's drive or takes it out, and says what is booted from: set_media → commit.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::restart::{restart_note, restart_undone};
use super::{Books, QUICK, active_pod_of, kind, order, params_of, pod_of};
use crate::db::Tx;
use crate::domain::cloudpods::{CloudPod, Media, RestartCause, State, store};
use crate::domain::jobs::{Action, CommandKind, CommandOutput, Job, Saga, Step};
use crate::error::{Error, Result};

const WANTED: &str = "get another CD";

/// What is to be in the drive.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::domain::cloudpods) struct MediaParams {
    pub media: Media,
}

/// The saga.
pub(super) struct SetMedia {
    steps: Vec<Box<dyn Step>>,
}

impl SetMedia {
    pub(super) fn new(books: &Arc<Books>) -> Self {
        // do: the new CD; undo: the old one.
        let steps: Vec<Box<dyn Step>> = vec![Box::new(Insert(books.clone())), Box::new(Commit(books.clone()))];
        Self { steps }
    }
}

#[async_trait]
impl Saga for SetMedia {
    fn kind(&self) -> &'static str {
        kind::MEDIA
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.steps
    }
}

/// Refuses a pod whose drive holds the CD that it is rescued with.
pub(in crate::domain::cloudpods) fn not_in_rescue(pod: &CloudPod) -> Result<()> {
    match &pod.condition.rescue {
        None => Ok(()),
        Some(iso) => Err(Error::conflict(
            "cloudpod_in_rescue",
            format!("the pod is being rescued with {iso}: end that first, with `unrescue`"),
        )),
    }
}

/// The command that puts this into the drive.
pub(super) fn insert(media: &Media) -> CommandKind {
    let iso_volid = media.iso.clone().unwrap_or_default();
    CommandKind::SetMedia { iso_volid, boot_from_cd: media.boot_from_cd }
}

struct Insert(Arc<Books>);

#[async_trait]
impl Step for Insert {
    fn name(&self) -> &'static str {
        "set_media"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = active_pod_of(tx, job, WANTED).await?;
        not_in_rescue(&pod)?;
        let MediaParams { media } = params_of(job)?;
        Ok(Action::Command(order(&pod, insert(&media), QUICK)?))
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        let pod = pod_of(tx, job).await?;
        restart_note(tx, &self.0, &pod, RestartCause::Media, output.restart_needed).await
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = pod_of(tx, job).await?;
        if pod.state != State::Active || pod.condition.rescue.is_some() {
            return Ok(Action::Done("its drive is not this job's".to_owned()));
        }
        Ok(Action::Command(order(&pod, insert(&pod.condition.media), QUICK)?))
    }

    async fn undone(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        let pod = pod_of(tx, job).await?;
        restart_undone(tx, &self.0, &pod, RestartCause::Media, output.restart_needed).await
    }
}

struct Commit(Arc<Books>);

#[async_trait]
impl Step for Commit {
    fn name(&self) -> &'static str {
        "commit"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = active_pod_of(tx, job, WANTED).await?;
        let MediaParams { media } = params_of(job)?;
        store::pod_media_set(tx, pod.id, &media, self.0.clock.now()).await?;
        Ok(Action::Done(media.iso.map_or_else(|| "no CD".to_owned(), |iso| format!("{iso} is in the drive"))))
    }
}

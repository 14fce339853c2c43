//! Retrying and cancelling many jobs with one request: each is a transaction of its own, with a result of its own.

pub mod routes;

use serde_json::json;

use super::service::{JobFilter, Service};
use super::{Job, JobState};
use crate::db::Window;
use crate::domain::access::Permissions;
use crate::domain::audit::{Actor, Record, Scope, audit_append};
use crate::error::{Error, Result};
use crate::events::{Event, event_append};
use crate::ids::JobId;

/// The most jobs of one request.
pub const JOBS_MAX: usize = 200;

/// What is to be done with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// As [`Service::job_retry`].
    Retry,
    /// As [`Service::job_cancel`].
    Cancel,
}

/// Which jobs.
#[derive(Clone, Debug)]
pub enum Selection {
    /// These.
    Ids(Vec<JobId>),
    /// The newest of those that this finds.
    Filter(JobFilter),
}

/// What became of one job.
#[derive(Debug)]
pub struct Done {
    /// Which.
    pub id: JobId,
    /// The job afterwards, or why nothing was done.
    pub outcome: Result<Job>,
}

impl Operation {
    fn event(self) -> &'static str {
        match self {
            Self::Retry => "jobs.retried",
            Self::Cancel => "jobs.cancel_requested",
        }
    }
}

impl Service {
    /// Does it with each of them for a caller who may do `grant`; what cannot be done with one does not keep the others. The flag
    /// says that the filter finds more than one request takes.
    pub async fn jobs_operate(
        &self,
        actor: &Actor,
        (scope, grant): (Scope, Permissions),
        operation: Operation,
        selection: Selection,
    ) -> Result<(Vec<Done>, bool)> {
        let (ids, more) = match selection {
            Selection::Ids(mut ids) => {
                if ids.is_empty() || ids.len() > JOBS_MAX {
                    let message = format!("has {} ids; 1 to {JOBS_MAX} are allowed", ids.len());
                    return Err(Error::invalid("ids", message));
                }
                ids.sort_unstable();
                ids.dedup();
                (ids, false)
            }
            Selection::Filter(filter) => self.selected(scope, &filter).await?,
        };
        // The request's key is marked by what is noted at the end: until then, asking again goes on where this one ended.
        let each = Actor { idempotency_key: None, ..actor.clone() };
        let mut done = Vec::with_capacity(ids.len());
        for id in ids {
            match self.job_operate(&each, (scope, grant), operation, id).await {
                // The database does not answer: neither would it for the rest.
                Err(error @ Error::Unavailable { .. }) if done.is_empty() => return Err(error),
                outcome => done.push(Done { id, outcome }),
            }
        }
        self.noted(actor, scope, operation, &done).await?;
        Ok((done, more))
    }

    async fn job_operate(
        &self,
        actor: &Actor,
        (scope, grant): (Scope, Permissions),
        operation: Operation,
        id: JobId,
    ) -> Result<Job> {
        self.job_permit(scope, grant, id).await?;
        match operation {
            Operation::Retry => self.job_retry(actor, scope, id).await,
            Operation::Cancel => self.job_cancel(actor, scope, id).await,
        }
    }

    async fn selected(&self, scope: Scope, filter: &JobFilter) -> Result<(Vec<JobId>, bool)> {
        if filter.state.is_none_or(JobState::is_final) {
            let message = "must be queued, running, undoing or stuck: with the others there is nothing to be done";
            return Err(Error::invalid("filter.state", message));
        }
        let window = Window { limit: JOBS_MAX as i64 + 1, after: None };
        let jobs = self.job_list(scope, filter, window).await?;
        let more = jobs.len() > JOBS_MAX;
        Ok((jobs.into_iter().take(JOBS_MAX).map(|job| job.id).collect(), more))
    }

    async fn noted(&self, actor: &Actor, scope: Scope, operation: Operation, done: &[Done]) -> Result<()> {
        let (now, tenant) = (self.clock.now(), scope.tenant());
        let name = operation.event();
        let ids = |well: bool| -> Vec<JobId> {
            done.iter().filter(|done| done.outcome.is_ok() == well).map(|done| done.id).collect()
        };
        let detail = json!({ "done": ids(true), "refused": ids(false) });
        let mut tx = self.db.begin().await?;
        let subject = done.first().map_or_else(String::new, |done| done.id.to_string());
        let record = Record { actor, tenant, action: name, target_kind: "jobs", target_id: subject.clone() };
        audit_append(&mut tx, now, record, &detail).await?;
        event_append(&mut tx, now, Event { tenant, name, subject }, &detail).await?;
        tx.commit().await
    }
}

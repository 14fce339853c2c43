//! What is done to a pod beside its power. Each is a request that is checked and stored as a job.

mod media;
mod network;
mod password;
mod rebuild;
mod resize;
pub mod routes;
mod suspend;

use serde::Serialize;
use serde_json::Value;

use super::asked::Asked;
use super::service::Service;
use super::{CloudPod, Detail};
use crate::db::Tx;
use crate::domain::audit::{Actor, Scope};
use crate::domain::jobs::Job;
use crate::error::{Error, Result};

pub use network::{FirewallPut, FirewallShown, Traffic};
pub use password::{PasswordReset, ResetPassword};
pub use rebuild::Rebuild;
pub use resize::Resize;

impl Service {
    /// Queues a job of a pod that is held, and commits. `said`: what the audit record says beside the job's id; an object.
    async fn operation_store(
        &self,
        mut tx: Tx,
        (actor, scope): (&Actor, Scope),
        pod: &CloudPod,
        (kind, event): (&'static str, &'static str),
        params: &impl Serialize,
        said: Value,
    ) -> Result<(Detail, Job)> {
        let params = serde_json::to_value(params).map_err(Error::internal)?;
        let job = self.job_ask(&mut tx, actor, pod, Asked { kind, params, event, detail: said }).await?;
        tx.commit().await?;
        self.asked(scope, pod.id, job).await
    }
}

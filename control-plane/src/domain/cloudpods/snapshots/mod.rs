//! What is asked for of a pod's snapshots.

pub mod routes;

use serde_json::json;

use super::asked::Asked;
use super::sagas::{RollbackParams, SnapshotParams, kind};
use super::service::Service;
use super::{CloudPod, DesiredPower, Detail};
use crate::clock::Ms;
use crate::db::{Tx, Window};
use crate::domain::audit::{Actor, Scope};
use crate::domain::check::Checks;
use crate::domain::jobs::Job;
use crate::domain::snapshots::{DESCRIPTION_MAX, Snapshot, SnapshotState, name_check};
use crate::domain::tenants::quotas::Amounts;
use crate::error::{Error, Result};
use crate::ids::CloudPodId;

impl Service {
    /// A page of a pod's snapshots, in the order of their making.
    pub async fn snapshot_list(
        &self,
        scope: Scope,
        id: CloudPodId,
        window: &Window<(Ms, String)>,
    ) -> Result<Vec<Snapshot>> {
        self.cloudpod_get(scope, id).await?;
        let mut read = self.db.read().await?;
        self.books.snapshots.snapshot_list(read.conn(), id, window).await
    }

    /// Takes a snapshot; `memory`: with the guest's.
    pub async fn snapshot_create(
        &self,
        actor: &Actor,
        scope: Scope,
        id: CloudPodId,
        name: &str,
        description: &str,
        memory: bool,
    ) -> Result<(Detail, Job)> {
        let mut checks = Checks::new();
        if let Err(message) = name_check(name) {
            checks.wrong("name", message);
        }
        checks.text("description", description, 0..=DESCRIPTION_MAX);
        checks.finish()?;
        let mut tx = self.db.begin().await?;
        let (pod, tenant) = self.pod_held_to_grow(&mut tx, scope, id).await?;
        pod.state.power_change("be snapshotted")?;
        tenant.require(&mut tx, Amounts { snapshots: 1, ..Amounts::default() }).await?;
        self.books.snapshots.snapshot_insert(&mut tx, id, name, description, memory).await?;
        let params = serde_json::to_value(SnapshotParams { name: name.to_owned() }).map_err(Error::internal)?;
        let (event, detail) = ("cloudpod.snapshot_requested", json!({ "snapshot": name, "memory": memory }));
        let job = self.job_ask(&mut tx, actor, &pod, Asked { kind: kind::SNAPSHOT, params, event, detail }).await?;
        tx.commit().await?;
        self.asked(scope, id, job).await
    }

    /// Goes back to a snapshot; what came after it on the pod's disk is lost. Its power is what is wanted, afterwards too.
    pub async fn snapshot_rollback(
        &self,
        actor: &Actor,
        scope: Scope,
        id: CloudPodId,
        name: &str,
    ) -> Result<(Detail, Job)> {
        let mut tx = self.db.begin().await?;
        let pod = self.pod_held(&mut tx, scope, id).await?;
        pod.state.power_change("be rolled back")?;
        self.ready(&mut tx, &pod, name).await?;
        let params = RollbackParams { name: name.to_owned(), start: pod.desired_power == DesiredPower::Running };
        let params = serde_json::to_value(params).map_err(Error::internal)?;
        let (event, detail) = ("cloudpod.rollback_requested", json!({ "snapshot": name }));
        let job = self.job_ask(&mut tx, actor, &pod, Asked { kind: kind::ROLLBACK, params, event, detail }).await?;
        tx.commit().await?;
        self.asked(scope, id, job).await
    }

    /// Deletes a snapshot; the pod stays as it is.
    pub async fn snapshot_delete(
        &self,
        actor: &Actor,
        scope: Scope,
        id: CloudPodId,
        name: &str,
    ) -> Result<(Detail, Job)> {
        let mut tx = self.db.begin().await?;
        let pod = self.pod_held(&mut tx, scope, id).await?;
        pod.state.power_change("lose a snapshot")?;
        self.ready(&mut tx, &pod, name).await?;
        let (from, to) = (SnapshotState::Ready, SnapshotState::Deleting);
        if !self.books.snapshots.snapshot_state_set(&mut tx, id, name, from, to).await? {
            return Err(Error::Stale);
        }
        let params = serde_json::to_value(SnapshotParams { name: name.to_owned() }).map_err(Error::internal)?;
        let (event, detail) = ("cloudpod.snapshot_delete_requested", json!({ "snapshot": name }));
        let asked = Asked { kind: kind::DELETE_SNAPSHOT, params, event, detail };
        let job = self.job_ask(&mut tx, actor, &pod, asked).await?;
        tx.commit().await?;
        self.asked(scope, id, job).await
    }

    async fn ready(&self, tx: &mut Tx, pod: &CloudPod, name: &str) -> Result<()> {
        let found = self.books.snapshots.snapshot_find(tx.conn(), pod.id, name).await?;
        let snapshot = found.ok_or_else(|| Error::not_found("snapshot", name))?;
        let cure = match snapshot.state {
            SnapshotState::Ready => return Ok(()),
            SnapshotState::Creating => "wait until the job that takes it has ended",
            SnapshotState::Deleting => "it is on its way out",
        };
        let state = snapshot.state.as_str();
        Err(Error::conflict("snapshot_state", format!("the snapshot {name} is {state}: {cure}")))
    }
}

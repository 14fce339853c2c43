//! What others may do with the rows of snapshots. The jobs that take them are the pods' business.

use super::{DESCRIPTION_MAX, NAME_MAX, Snapshot, SnapshotState, store};
use crate::clock::{Clock, Ms};
use crate::db::{Conn, Tx, Window};
use crate::domain::check::clipped;
use crate::domain::jobs::SnapshotSeen;
use crate::error::{Error, Result};
use crate::ids::CloudPodId;

/// Snapshots of one VM that are taken note of, whoever made them.
const SEEN_MAX: usize = 500;

/// The service of this slice.
#[derive(Clone, Debug)]
pub struct Service {
    clock: Clock,
    per_pod: u32,
}

impl Service {
    /// `per_pod`: the most snapshots that a pod may have.
    #[must_use]
    pub fn new(clock: Clock, per_pod: u32) -> Self {
        Self { clock, per_pod }
    }

    /// A page of a pod's snapshots, in the order of their making.
    pub async fn snapshot_list(
        &self,
        conn: Conn<'_>,
        pod: CloudPodId,
        window: &Window<(Ms, String)>,
    ) -> Result<Vec<Snapshot>> {
        store::snapshot_list(conn, pod, window).await
    }

    /// A pod's snapshot of this name, if it has one.
    pub async fn snapshot_find(&self, conn: Conn<'_>, pod: CloudPodId, name: &str) -> Result<Option<Snapshot>> {
        // PostgreSQL cannot even compare with a NUL.
        if name.contains('\0') {
            return Ok(None);
        }
        store::snapshot_get(conn, pod, name).await
    }

    /// Notes that one is to be taken. A name that the pod has already, and one more than it may have, are conflicts. The
    /// pod's row is held by the caller, so that the count is the count.
    pub async fn snapshot_insert(
        &self,
        tx: &mut Tx,
        pod: CloudPodId,
        name: &str,
        description: &str,
        memory: bool,
    ) -> Result<()> {
        let now = self.clock.now();
        let (name, description) = (name.to_owned(), description.to_owned());
        let state = SnapshotState::Creating;
        let snapshot = Snapshot { pod, name, description, memory, parent: None, state, created_at: now };
        let count = store::snapshots_count(tx.conn(), pod).await?;
        if !store::snapshot_insert(tx, &snapshot).await? {
            return Err(Error::conflict(
                "snapshot_name_taken",
                format!("the pod has a snapshot {} already: choose another name, or delete that one", snapshot.name),
            ));
        }
        if count >= i64::from(self.per_pod) {
            return Err(Error::conflict(
                "snapshot_limit",
                format!("the pod has {count} snapshots; {} are allowed: delete one first", self.per_pod),
            ));
        }
        Ok(())
    }

    /// Stores a transition. `false`: it was not `from` any more.
    pub async fn snapshot_state_set(
        &self,
        tx: &mut Tx,
        pod: CloudPodId,
        name: &str,
        from: SnapshotState,
        to: SnapshotState,
    ) -> Result<bool> {
        store::snapshot_state_set(tx, pod, name, from, to).await
    }

    /// Forgets one that was to be taken and certainly was not.
    pub async fn snapshot_forget(&self, tx: &mut Tx, pod: CloudPodId, name: &str) -> Result<()> {
        store::snapshot_delete(tx, pod, name, SnapshotState::Creating).await
    }

    /// Forgets all of a pod's: its VM is gone, and they with it.
    pub async fn snapshots_forget(&self, tx: &mut Tx, pod: CloudPodId) -> Result<()> {
        store::snapshots_delete(tx, pod).await
    }

    /// Makes the rows say what the host has: all of a VM's snapshots, whoever made them. One that a job is still to take
    /// stays, whether the host has it or not; one that the host has not is forgotten otherwise.
    pub async fn snapshots_reconcile(&self, tx: &mut Tx, pod: CloudPodId, seen: &[SnapshotSeen]) -> Result<()> {
        let mut known = store::snapshots_all(tx.conn(), pod).await?;
        for SnapshotSeen { name, description, created_at, memory, parent } in seen.iter().take(SEEN_MAX) {
            if name == "current" || name.is_empty() || name.len() > NAME_MAX || name.chars().any(char::is_control) {
                continue;
            }
            let own = known.iter().position(|row| row.name == *name).map(|at| known.swap_remove(at));
            let deleting = own.as_ref().is_some_and(|row| row.state == SnapshotState::Deleting);
            let told = Snapshot {
                pod,
                name: name.clone(),
                description: clipped(description, DESCRIPTION_MAX),
                memory: *memory,
                parent: parent.as_deref().map(|parent| clipped(parent, NAME_MAX)),
                state: if deleting { SnapshotState::Deleting } else { SnapshotState::Ready },
                created_at: own.as_ref().map_or(*created_at, |row| row.created_at),
            };
            match own {
                None => {
                    store::snapshot_insert(tx, &told).await?;
                }
                Some(own) if own != told => store::snapshot_seen(tx, &told).await?,
                Some(_) => {}
            }
        }
        for gone in known.iter().filter(|row| row.state != SnapshotState::Creating) {
            store::snapshot_delete(tx, pod, &gone.name, gone.state).await?;
        }
        Ok(())
    }
}

//! The snapshots' rows. Whoever reads them has found their pod within the caller's scope.

use super::{Snapshot, SnapshotState};
use crate::clock::Ms;
use crate::db::{Conn, Tx, Window};
use crate::error::{Error, Result};
use crate::ids::CloudPodId;
use crate::{execute, fetch_all, fetch_one, fetch_optional};

#[derive(sqlx::FromRow)]
struct SnapshotRow {
    pod_id: CloudPodId,
    name: String,
    description: String,
    memory: bool,
    parent: Option<String>,
    state: String,
    created_at: Ms,
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT pod_id, name, description, memory, parent, state, created_at FROM snapshots WHERE ", $rest)
    };
}

impl TryFrom<SnapshotRow> for Snapshot {
    type Error = Error;

    fn try_from(row: SnapshotRow) -> Result<Self> {
        let SnapshotRow { pod_id, name, description, memory, parent, state, created_at } = row;
        let state = SnapshotState::parse(&state)
            .ok_or_else(|| Error::internal(format!("the column snapshots.state holds {state}")))?;
        Ok(Self { pod: pod_id, name, description, memory, parent, state, created_at })
    }
}

/// In the order of their making.
pub(super) async fn snapshot_list(
    conn: Conn<'_>,
    pod: CloudPodId,
    window: &Window<(Ms, String)>,
) -> Result<Vec<Snapshot>> {
    const SQL: &str = select!(
        "pod_id = $1 AND ($2 IS NULL OR created_at > $2 OR (created_at = $2 AND name > $3))
         ORDER BY created_at, name LIMIT $4"
    );
    let (at, name) = window.after.clone().unzip();
    let rows = fetch_all!(conn, SnapshotRow, SQL, pod, at, name.unwrap_or_default(), window.limit)?;
    rows.into_iter().map(Snapshot::try_from).collect()
}

pub(super) async fn snapshots_all(conn: Conn<'_>, pod: CloudPodId) -> Result<Vec<Snapshot>> {
    const SQL: &str = select!("pod_id = $1 ORDER BY created_at, name");
    fetch_all!(conn, SnapshotRow, SQL, pod)?.into_iter().map(Snapshot::try_from).collect()
}

pub(super) async fn snapshot_get(conn: Conn<'_>, pod: CloudPodId, name: &str) -> Result<Option<Snapshot>> {
    const SQL: &str = select!("pod_id = $1 AND name = $2");
    fetch_optional!(conn, SnapshotRow, SQL, pod, name)?.map(Snapshot::try_from).transpose()
}

pub(super) async fn snapshots_count(conn: Conn<'_>, pod: CloudPodId) -> Result<i64> {
    const SQL: &str = "SELECT COUNT(*) FROM snapshots WHERE pod_id = $1";
    let (count,) = fetch_one!(conn, (i64,), SQL, pod)?;
    Ok(count)
}

/// `false`: the pod has one of this name already.
pub(super) async fn snapshot_insert(tx: &mut Tx, snapshot: &Snapshot) -> Result<bool> {
    const SQL: &str = "INSERT INTO snapshots (pod_id, name, description, memory, parent, state, created_at)
                       VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
    let Snapshot { pod, name, description, memory, parent, state, created_at } = snapshot;
    let made = execute!(tx.conn(), SQL, *pod, name, description, *memory, parent, state.as_str(), *created_at)?;
    Ok(made == 1)
}

/// What the host says of a snapshot; one that was to be taken is taken.
pub(super) async fn snapshot_seen(tx: &mut Tx, snapshot: &Snapshot) -> Result<()> {
    const SQL: &str = "UPDATE snapshots SET description = $3, memory = $4, parent = $5, state = $6
                        WHERE pod_id = $1 AND name = $2";
    let Snapshot { pod, name, description, memory, parent, state, created_at: _ } = snapshot;
    execute!(tx.conn(), SQL, *pod, name, description, *memory, parent, state.as_str())?;
    Ok(())
}

/// `false`: it was not `from` any more.
pub(super) async fn snapshot_state_set(
    tx: &mut Tx,
    pod: CloudPodId,
    name: &str,
    from: SnapshotState,
    to: SnapshotState,
) -> Result<bool> {
    const SQL: &str = "UPDATE snapshots SET state = $4 WHERE pod_id = $1 AND name = $2 AND state = $3";
    Ok(execute!(tx.conn(), SQL, pod, name, from.as_str(), to.as_str())? == 1)
}

/// Deletes the row, if it is still in this state.
pub(super) async fn snapshot_delete(tx: &mut Tx, pod: CloudPodId, name: &str, state: SnapshotState) -> Result<()> {
    const SQL: &str = "DELETE FROM snapshots WHERE pod_id = $1 AND name = $2 AND state = $3";
    execute!(tx.conn(), SQL, pod, name, state.as_str())?;
    Ok(())
}

pub(super) async fn snapshots_delete(tx: &mut Tx, pod: CloudPodId) -> Result<()> {
    const SQL: &str = "DELETE FROM snapshots WHERE pod_id = $1";
    execute!(tx.conn(), SQL, pod)?;
    Ok(())
}

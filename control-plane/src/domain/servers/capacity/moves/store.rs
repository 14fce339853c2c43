use sqlx::types::Json;

use super::{IdleMove, Method, Move, MoveNew, ReservationHeld, Sighting, columns};
use crate::clock::Ms;
use crate::db::{Conn, Tx};
use crate::domain::check::{loaded, loaded_option};
use crate::domain::servers::Server;
use crate::domain::servers::capacity::Hold;
use crate::error::{Error, Result};
use crate::ids::{CloudPodId, JobId, ServerId};
use crate::{execute, fetch_all, fetch_optional};

#[derive(sqlx::FromRow)]
struct MoveRow {
    pod_id: CloudPodId,
    job_id: JobId,
    method: String,
    source_id: ServerId,
    source_vmid: i64,
    server_id: ServerId,
    vmid: Option<i64>,
    storage: String,
    explanation: Json<serde_json::Value>,
    was_running: bool,
    shut_down: bool,
    ordered: bool,
    doubted: bool,
    looked: i64,
    source_seen: Option<String>,
    target_seen: Option<String>,
}

impl MoveRow {
    fn into_move(self) -> Result<Move> {
        let Self {
            pod_id,
            job_id,
            method,
            source_id,
            source_vmid,
            server_id,
            vmid,
            storage,
            explanation: Json(explanation),
            was_running,
            shut_down,
            ordered,
            doubted,
            looked,
            source_seen,
            target_seen,
        } = self;
        Ok(Move {
            pod: pod_id,
            job: job_id,
            method: Method::parse(&method)
                .ok_or_else(|| Error::internal(format!("the column moves.method holds {method}")))?,
            source: source_id,
            source_vmid: loaded(source_vmid, "source_vmid")?,
            target: server_id,
            vmid: loaded_option(vmid, "vmid")?,
            storage,
            explanation,
            was_running,
            shut_down,
            ordered,
            doubted,
            looked: loaded(looked, "looked")?,
            source_seen: source_seen.as_deref().map(Sighting::parse),
            target_seen: target_seen.as_deref().map(Sighting::parse),
        })
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT pod_id, job_id, method, source_id, source_vmid, server_id, vmid, storage, explanation, was_running,
                    shut_down, ordered, doubted, looked, source_seen, target_seen
               FROM moves WHERE ",
            $rest
        )
    };
}

pub(super) async fn move_of(conn: Conn<'_>, pod: CloudPodId) -> Result<Option<Move>> {
    const SQL: &str = select!("pod_id = $1");
    fetch_optional!(conn, MoveRow, SQL, pod)?.map(MoveRow::into_move).transpose()
}

/// Those that a server is the source or the target of.
pub(super) async fn moves_at(conn: Conn<'_>, server: ServerId) -> Result<Vec<Move>> {
    const SQL: &str = select!("source_id = $1 OR server_id = $1 ORDER BY pod_id");
    fetch_all!(conn, MoveRow, SQL, server)?.into_iter().map(MoveRow::into_move).collect()
}

/// The source and the target of every move that goes on: one that is stuck, or waits for a host that is away, strains neither.
pub(super) async fn moves_all(conn: Conn<'_>) -> Result<Vec<(ServerId, ServerId)>> {
    const SQL: &str = "SELECT m.source_id, m.server_id FROM moves m JOIN jobs j ON j.id = m.job_id
                       WHERE j.state IN ('queued', 'running', 'undoing') AND j.waits_for IS NULL";
    Ok(fetch_all!(conn, (ServerId, ServerId), SQL)?)
}

/// Those whose job is over, or whose pod is gone.
pub(super) async fn moves_idle_page(conn: Conn<'_>, after: Option<CloudPodId>, limit: i64) -> Result<Vec<IdleMove>> {
    const SQL: &str = "SELECT m.pod_id, m.job_id, m.server_id, m.created_at
                         FROM moves m JOIN jobs j ON j.id = m.job_id JOIN cloudpods p ON p.id = m.pod_id
                        WHERE (j.state IN ('succeeded', 'failed', 'cancelled') OR p.state = 'deleted')
                          AND ($1 IS NULL OR m.pod_id > $1) ORDER BY m.pod_id LIMIT $2";
    let rows = fetch_all!(conn, (CloudPodId, JobId, ServerId, Ms), SQL, after, limit)?;
    Ok(rows.into_iter().map(|(pod, job, target, since)| IdleMove { pod, job, target, since }).collect())
}

pub(super) async fn move_insert(tx: &mut Tx, new: &MoveNew<'_>, hold: &Hold<'_>, now: Ms) -> Result<()> {
    const SQL: &str =
        "INSERT INTO moves (pod_id, job_id, method, source_id, source_vmid, server_id, vmid, storage, vcpu,
                                          memory_mib, disk_gib, explanation, created_at)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    let MoveNew { pod, job, method, source, source_vmid, target, storage, disk_stays: _, explanation } = new;
    let (vcpu, memory_mib, disk_gib) = columns(hold);
    let vmid = (*method != Method::Remote).then_some(i64::from(*source_vmid));
    execute!(
        tx.conn(),
        SQL,
        *pod,
        *job,
        method.as_str(),
        *source,
        i64::from(*source_vmid),
        *target,
        vmid,
        *storage,
        vcpu,
        memory_mib,
        disk_gib,
        Json(explanation),
        now
    )?;
    Ok(())
}

pub(super) async fn move_note(tx: &mut Tx, under_way: &Move) -> Result<()> {
    const SQL: &str =
        "UPDATE moves SET method = $3, vmid = $4, was_running = $5, shut_down = $6, ordered = $7, doubted = $8,
                              looked = $9, source_seen = $10, target_seen = $11
                        WHERE pod_id = $1 AND job_id = $2";
    let Move {
        pod,
        job,
        method,
        source: _,
        source_vmid: _,
        target: _,
        vmid,
        storage: _,
        explanation: _,
        was_running,
        shut_down,
        ordered,
        doubted,
        looked,
        source_seen,
        target_seen,
    } = under_way;
    let touched = execute!(
        tx.conn(),
        SQL,
        *pod,
        *job,
        method.as_str(),
        vmid.map(i64::from),
        *was_running,
        *shut_down,
        *ordered,
        *doubted,
        i64::from(*looked),
        source_seen.map(Sighting::as_str),
        target_seen.map(Sighting::as_str)
    )?;
    if touched == 1 { Ok(()) } else { Err(Error::internal(format!("the move of CloudPod {pod} is gone"))) }
}

pub(super) async fn move_delete(tx: &mut Tx, pod: CloudPodId) -> Result<Option<ReservationHeld>> {
    const SQL: &str = "DELETE FROM moves WHERE pod_id = $1 RETURNING server_id, storage, vcpu, memory_mib, disk_gib";
    Ok(fetch_optional!(tx.conn(), ReservationHeld, SQL, pod)?)
}

/// `false`: somebody else took it first.
pub(super) async fn vmid_insert(tx: &mut Tx, target: &Server, vmid: i64, pod: CloudPodId, now: Ms) -> Result<bool> {
    const SQL: &str =
        "INSERT INTO vmids (space, vmid, server_id, pod_id, taken_at, moving) VALUES ($1, $2, $3, $4, $5, TRUE)
                       ON CONFLICT DO NOTHING";
    Ok(execute!(tx.conn(), SQL, target.vmid_space.as_str(), vmid, target.id, pod, now)? == 1)
}

pub(super) async fn vmid_release(tx: &mut Tx, pod: CloudPodId) -> Result<()> {
    const SQL: &str = "DELETE FROM vmids WHERE pod_id = $1 AND moving";
    vmid_keep_fenced(tx, pod, true).await?;
    execute!(tx.conn(), SQL, pod)?;
    Ok(())
}

/// A copy that was declared lost may still be on its host: nobody is given its number before it is seen to be gone.
async fn vmid_keep_fenced(tx: &mut Tx, pod: CloudPodId, moving: bool) -> Result<()> {
    const SQL: &str = "UPDATE vmids SET pod_id = NULL, moving = FALSE WHERE pod_id = $1 AND moving = $2 AND EXISTS (
                            SELECT 1 FROM fences f WHERE f.server_id = vmids.server_id AND f.pod_id = $1
                               AND f.vmid = vmids.vmid)";
    execute!(tx.conn(), SQL, pod, moving)?;
    Ok(())
}

/// The VMID of the other cluster is the pod's only one from now on.
pub(super) async fn vmid_settle(tx: &mut Tx, pod: CloudPodId) -> Result<()> {
    const OLD: &str = "DELETE FROM vmids WHERE pod_id = $1 AND NOT moving";
    const NEW: &str = "UPDATE vmids SET moving = FALSE WHERE pod_id = $1";
    vmid_keep_fenced(tx, pod, false).await?;
    execute!(tx.conn(), OLD, pod)?;
    execute!(tx.conn(), NEW, pod)?;
    Ok(())
}

/// Within its cluster a VM keeps its number, on another server.
pub(super) async fn vmid_follow(tx: &mut Tx, pod: CloudPodId, server: ServerId) -> Result<()> {
    const SQL: &str = "UPDATE vmids SET server_id = $2 WHERE pod_id = $1";
    execute!(tx.conn(), SQL, pod, server)?;
    Ok(())
}

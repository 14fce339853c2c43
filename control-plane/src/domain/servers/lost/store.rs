use super::FencedVm;
use crate::clock::Ms;
use crate::db::{Conn, Tx};
use crate::domain::check::{loaded, stored};
use crate::error::Result;
use crate::ids::{CloudPodId, ServerId};
use crate::{execute, fetch_all, fetch_optional};

/// The new generation; `None`: its agent is there.
pub(super) async fn lost_set(
    tx: &mut Tx,
    server: ServerId,
    reason: &str,
    problem: &str,
    now: Ms,
) -> Result<Option<u64>> {
    // An open server does not take new pods by itself when it returns: that is the operator's to say.
    const SQL: &str = "UPDATE servers SET generation = generation + 1, lost_at = $3, lost_reason = $2, fence_problem = $4,
                              session_epoch = session_epoch + 1, session_owner = NULL, problem = '',
                              scheduling_reason = CASE WHEN scheduling = 'online' THEN 'declared lost' ELSE scheduling_reason END,
                              scheduling_since = CASE WHEN scheduling = 'online' THEN $3 ELSE scheduling_since END,
                              scheduling = CASE WHEN scheduling = 'online' THEN 'locked' ELSE scheduling END,
                              version = version + 1, updated_at = $3
                       WHERE id = $1 AND connection <> 'online' AND deleted_at IS NULL RETURNING generation";
    let row = fetch_optional!(tx.conn(), (i64,), SQL, server, reason, now, problem)?;
    row.map(|(generation,)| loaded(generation, "generation")).transpose()
}

pub(super) async fn fence_put(tx: &mut Tx, server: ServerId, vm: FencedVm, generation: u64, now: Ms) -> Result<()> {
    const SQL: &str =
        "INSERT INTO fences (server_id, pod_id, vmid, generation, declared_at) VALUES ($1, $2, $3, $4, $5)
                       ON CONFLICT (server_id, pod_id, vmid) DO UPDATE SET generation = excluded.generation,
                            declared_at = excluded.declared_at, fenced_at = NULL, error = '', foreign_vm = FALSE";
    execute!(tx.conn(), SQL, server, vm.pod, i64::from(vm.vmid), stored(generation), now)?;
    Ok(())
}

/// As [`fence_put`], for a VM that may have one already, and for pods alone.
pub(super) async fn fence_ensure(tx: &mut Tx, server: ServerId, vm: FencedVm, now: Ms) -> Result<()> {
    const SQL: &str = "INSERT INTO fences (server_id, pod_id, vmid, generation, declared_at)
                       SELECT s.id, p.id, $3, s.generation, $4 FROM servers s JOIN cloudpods p ON p.id = $2
                        WHERE s.id = $1
                       ON CONFLICT DO NOTHING";
    execute!(tx.conn(), SQL, server, vm.pod, i64::from(vm.vmid), now)?;
    Ok(())
}

pub(super) async fn fences(conn: Conn<'_>, server: ServerId) -> Result<Vec<FencedVm>> {
    const SQL: &str = "SELECT pod_id, vmid FROM fences WHERE server_id = $1 ORDER BY vmid, pod_id";
    fetch_all!(conn, (CloudPodId, i64), SQL, server)?
        .into_iter()
        .map(|(pod, vmid)| Ok(FencedVm { pod, vmid: loaded(vmid, "vmid")? }))
        .collect()
}

pub(super) async fn fence_answer(
    tx: &mut Tx,
    server: ServerId,
    vm: FencedVm,
    error: Option<&str>,
    foreign: bool,
    now: Ms,
) -> Result<()> {
    const SQL: &str =
        "UPDATE fences SET error = COALESCE($4, ''), fenced_at = CASE WHEN $4 IS NULL THEN $5 ELSE NULL END, foreign_vm = $6
                       WHERE server_id = $1 AND pod_id = $2 AND vmid = $3";
    execute!(tx.conn(), SQL, server, vm.pod, i64::from(vm.vmid), error, now, foreign)?;
    Ok(())
}

/// A VM that is not known to be fenced.
#[derive(sqlx::FromRow)]
pub(super) struct OpenFence {
    pub(super) vmid: i64,
    /// Why; empty: nobody has said.
    pub(super) error: String,
    /// Another VM has the number.
    pub(super) foreign_vm: bool,
}

pub(super) async fn fences_open(conn: Conn<'_>, server: ServerId) -> Result<Vec<OpenFence>> {
    const SQL: &str =
        "SELECT vmid, error, foreign_vm FROM fences WHERE server_id = $1 AND fenced_at IS NULL ORDER BY vmid";
    Ok(fetch_all!(conn, OpenFence, SQL, server)?)
}

pub(super) async fn is_fenced(conn: Conn<'_>, server: ServerId, vm: FencedVm) -> Result<bool> {
    const SQL: &str = "SELECT vmid FROM fences WHERE server_id = $1 AND pod_id = $2 AND vmid = $3";
    Ok(fetch_optional!(conn, (i64,), SQL, server, vm.pod, i64::from(vm.vmid))?.is_some())
}

pub(super) async fn fence_problem_set(tx: &mut Tx, server: ServerId, problem: &str) -> Result<()> {
    const SQL: &str = "UPDATE servers SET fence_problem = $2 WHERE id = $1 AND fence_problem <> $2";
    execute!(tx.conn(), SQL, server, problem)?;
    Ok(())
}

/// It is back; `problem`: what a person has to look at. `false`: that was known.
pub(super) async fn lost_clear(tx: &mut Tx, server: ServerId, problem: &str) -> Result<bool> {
    const SQL: &str = "UPDATE servers SET lost_at = NULL, lost_reason = '', fence_problem = $2
                       WHERE id = $1 AND (lost_at IS NOT NULL OR fence_problem <> $2)";
    Ok(execute!(tx.conn(), SQL, server, problem)? == 1)
}

pub(super) async fn lost_since(conn: Conn<'_>, server: ServerId) -> Result<Option<Ms>> {
    const SQL: &str = "SELECT lost_at FROM servers WHERE id = $1";
    Ok(fetch_optional!(conn, (Option<Ms>,), SQL, server)?.and_then(|(at,)| at))
}

/// Takes away the fences of VMs that were fenced and are not in a full inventory any more, and frees their numbers; likewise
/// those whose number is now the own one of another pod.
pub(in crate::domain::servers) async fn fences_prune(tx: &mut Tx, server: ServerId) -> Result<()> {
    const VMIDS: &str = "DELETE FROM vmids WHERE server_id = $1 AND pod_id IS NULL AND EXISTS (
                            SELECT 1 FROM fences f WHERE f.server_id = $1 AND f.vmid = vmids.vmid
                               AND (f.fenced_at IS NOT NULL OR f.foreign_vm))
                          AND NOT EXISTS (SELECT 1 FROM server_vms v WHERE v.server_id = $1 AND v.vmid = vmids.vmid)";
    const FENCES: &str =
        "DELETE FROM fences WHERE server_id = $1 AND (fenced_at IS NOT NULL OR foreign_vm) AND NOT EXISTS (
                            SELECT 1 FROM server_vms v WHERE v.server_id = $1 AND v.vmid = fences.vmid
                               AND (v.pod_id = fences.pod_id OR (fences.foreign_vm AND NOT EXISTS (
                                   SELECT 1 FROM cloudpods p
                                    WHERE p.id = v.pod_id AND p.server_id = $1 AND p.vmid = v.vmid))))";
    const PROBLEM: &str =
        "UPDATE servers SET fence_problem = '' WHERE id = $1 AND lost_at IS NULL AND fence_problem <> ''
                             AND NOT EXISTS (SELECT 1 FROM fences WHERE server_id = $1 AND fenced_at IS NULL)";
    execute!(tx.conn(), VMIDS, server)?;
    execute!(tx.conn(), FENCES, server)?;
    execute!(tx.conn(), PROBLEM, server)?;
    Ok(())
}

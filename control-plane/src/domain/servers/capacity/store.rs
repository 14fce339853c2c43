//! Reservations and VMIDs. The totals in `servers` and `server_storages` are the sums of `holdings`:
//! reservations, and what moves under way hold of their targets.

use std::collections::HashMap;

use super::{Hold, ReservationHeld, TemplateSeen};
use crate::clock::Ms;
use crate::db::{Conn, Tx};
use crate::domain::check::{loaded, stored};
use crate::domain::servers::{Server, ServerStorage, VCPU_ROUNDING};
use crate::error::Result;
use crate::ids::{CloudPodId, ImageId, ServerId};
use crate::{execute, fetch_all, fetch_one, fetch_optional, sql_by_db};

pub(super) async fn reservation_of(conn: Conn<'_>, pod: CloudPodId) -> Result<Option<ReservationHeld>> {
    const SQL: &str = "SELECT server_id, storage, vcpu, memory_mib, disk_gib FROM reservations WHERE pod_id = $1";
    Ok(fetch_optional!(conn, ReservationHeld, SQL, pod)?)
}

pub(super) async fn reservation_insert(tx: &mut Tx, hold: &Hold<'_>, now: Ms) -> Result<()> {
    const SQL: &str = "INSERT INTO reservations (pod_id, server_id, storage, vcpu, memory_mib, disk_gib, created_at)
                       VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let Hold { pod, server, storage, vcpu, memory_mib, disk_gib } = hold;
    let (vcpu, memory_mib, disk_gib) = (i64::from(*vcpu), stored(*memory_mib), stored(*disk_gib));
    execute!(tx.conn(), SQL, *pod, *server, *storage, vcpu, memory_mib, disk_gib, now)?;
    Ok(())
}

pub(super) async fn reservation_delete(tx: &mut Tx, pod: CloudPodId) -> Result<Option<ReservationHeld>> {
    const SQL: &str =
        "DELETE FROM reservations WHERE pod_id = $1 RETURNING server_id, storage, vcpu, memory_mib, disk_gib";
    Ok(fetch_optional!(tx.conn(), ReservationHeld, SQL, pod)?)
}

/// Raises the server's totals if, at this very moment, it is open, connected, known, takes orders and has room. This one statement is what
/// keeps two schedulers from filling the last slot twice.
pub(super) async fn totals_hold(tx: &mut Tx, hold: &Hold<'_>) -> Result<bool> {
    const SQL: &str =
        "UPDATE servers SET reserved_vcpu = reserved_vcpu + $2, reserved_memory_mib = reserved_memory_mib + $3,
                            reserved_pods = reserved_pods + 1
         WHERE id = $1 AND deleted_at IS NULL AND scheduling = 'online' AND connection = 'online'
           AND node_name IS NOT NULL AND inventory_at IS NOT NULL AND refuses = ''
           AND reserved_vcpu + $2 <= COALESCE(cpu_threads, seen_cpu_threads, 0) * cpu_overcommit + $4
           AND reserved_memory_mib + $3 <= COALESCE(memory_mib, seen_memory_mib, 0)
           AND (pod_limit IS NULL OR reserved_pods + 1 <= pod_limit)";
    let (vcpu, memory_mib) = (i64::from(hold.vcpu), stored(hold.memory_mib));
    Ok(execute!(tx.conn(), SQL, hold.server, vcpu, memory_mib, VCPU_ROUNDING)? == 1)
}

pub(super) async fn totals_release(tx: &mut Tx, server: ServerId, vcpu: i64, memory_mib: i64) -> Result<()> {
    const SQL: &str =
        "UPDATE servers SET reserved_vcpu = reserved_vcpu - $2, reserved_memory_mib = reserved_memory_mib - $3,
                            reserved_pods = reserved_pods - 1
         WHERE id = $1";
    execute!(tx.conn(), SQL, server, vcpu, memory_mib)?;
    Ok(())
}

/// Changes the server's totals by what a pod on it grows or shrinks; growth only if there is room at this very moment. A
/// server that takes no new pods still lets its own ones grow. `give_back`: a change of this transaction is taken back.
pub(super) async fn totals_change(
    tx: &mut Tx,
    server: ServerId,
    vcpu: i64,
    memory_mib: i64,
    give_back: bool,
) -> Result<bool> {
    const SQL: &str =
        "UPDATE servers SET reserved_vcpu = reserved_vcpu + $2, reserved_memory_mib = reserved_memory_mib + $3
         WHERE id = $1
           AND ($5 OR $2 <= 0 OR reserved_vcpu + $2 <= COALESCE(cpu_threads, seen_cpu_threads, 0) * cpu_overcommit + $4)
           AND ($5 OR $3 <= 0 OR reserved_memory_mib + $3 <= COALESCE(memory_mib, seen_memory_mib, 0))";
    Ok(execute!(tx.conn(), SQL, server, vcpu, memory_mib, VCPU_ROUNDING, give_back)? == 1)
}

/// Stores what a pod holds from now on. `false`: it did not hold what was read any more.
pub(super) async fn reservation_update(
    tx: &mut Tx,
    pod: CloudPodId,
    held: &ReservationHeld,
    to: (i64, i64, i64),
) -> Result<bool> {
    const SQL: &str = "UPDATE reservations SET vcpu = $2, memory_mib = $3, disk_gib = $4
         WHERE pod_id = $1 AND vcpu = $5 AND memory_mib = $6 AND disk_gib = $7";
    let ReservationHeld { server_id: _, storage: _, vcpu, memory_mib, disk_gib } = held;
    Ok(execute!(tx.conn(), SQL, pod, to.0, to.1, to.2, *vcpu, *memory_mib, *disk_gib)? == 1)
}

#[derive(sqlx::FromRow)]
struct StorageRow {
    server_id: ServerId,
    disk_gib: Option<i64>,
    seen_total_gib: Option<i64>,
    seen_used_gib: Option<i64>,
    reserved_gib: i64,
}

/// Raises the storage's total if it is offered, active and has room. A shared storage is one storage to all servers of the
/// cluster: their rows are locked in one order and their totals counted together.
pub(super) async fn storage_hold(tx: &mut Tx, hold: &Hold<'_>) -> Result<bool> {
    const FIND: &str = "SELECT t.server_id, t.disk_gib, t.seen_total_gib, t.seen_used_gib, t.reserved_gib
                        FROM server_storages t
                        JOIN servers s ON s.id = t.server_id
                        JOIN servers here ON here.vmid_space = s.vmid_space AND here.id = $1
                        JOIN server_storages mine ON mine.server_id = here.id AND mine.name = $2
                        WHERE t.name = $2 AND (t.server_id = $1 OR (t.shared AND mine.shared))
                          AND mine.offered AND mine.active
                        ORDER BY t.server_id";
    const FIND_LOCKED: &str = "SELECT t.server_id, t.disk_gib, t.seen_total_gib, t.seen_used_gib, t.reserved_gib
                        FROM server_storages t
                        JOIN servers s ON s.id = t.server_id
                        JOIN servers here ON here.vmid_space = s.vmid_space AND here.id = $1
                        JOIN server_storages mine ON mine.server_id = here.id AND mine.name = $2
                        WHERE t.name = $2 AND (t.server_id = $1 OR (t.shared AND mine.shared))
                          AND mine.offered AND mine.active
                        ORDER BY t.server_id
                        FOR UPDATE OF t";
    const RAISE: &str =
        "UPDATE server_storages SET reserved_gib = reserved_gib + $3 WHERE server_id = $1 AND name = $2";
    let sql = sql_by_db!(tx.conn(), sqlite: FIND, postgres: FIND_LOCKED);
    let rows = fetch_all!(tx.conn(), StorageRow, sql, hold.server, hold.storage)?;
    let mut reserved_gib: u64 = 0;
    let mut own = None;
    for row in rows {
        let StorageRow { server_id, disk_gib, seen_total_gib, seen_used_gib, reserved_gib: reserved } = row;
        reserved_gib = reserved_gib.saturating_add(loaded(reserved, "reserved_gib")?);
        if server_id == hold.server {
            own = Some((disk_gib, seen_total_gib, seen_used_gib));
        }
    }
    let Some((disk_gib, seen_total_gib, seen_used_gib)) = own else { return Ok(false) };
    let whole = ServerStorage {
        name: hold.storage.to_owned(),
        offered: true,
        disk_gib: disk_gib.map(|v| loaded(v, "disk_gib")).transpose()?,
        seen_total_gib: seen_total_gib.map(|v| loaded(v, "seen_total_gib")).transpose()?,
        seen_used_gib: seen_used_gib.map(|v| loaded(v, "seen_used_gib")).transpose()?,
        active: true,
        shared: false,
        kind: String::new(),
        reserved_gib,
    };
    // What takes nothing of a storage takes it from nobody, however full that is: a disk that stays where it is.
    if hold.disk_gib > 0 && reserved_gib.saturating_add(hold.disk_gib) > whole.capacity_gib() {
        return Ok(false);
    }
    Ok(execute!(tx.conn(), RAISE, hold.server, hold.storage, stored(hold.disk_gib))? == 1)
}

pub(super) async fn storage_release(tx: &mut Tx, server: ServerId, storage: &str, disk_gib: i64) -> Result<()> {
    const SQL: &str = "UPDATE server_storages SET reserved_gib = reserved_gib - $3 WHERE server_id = $1 AND name = $2";
    execute!(tx.conn(), SQL, server, storage, disk_gib)?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct TemplateRow {
    server_id: ServerId,
    vmid: i64,
    name: String,
    disk_mib: i64,
}

pub(super) async fn templates_all(conn: Conn<'_>) -> Result<HashMap<ServerId, Vec<TemplateSeen>>> {
    const SQL: &str = "SELECT server_id, vmid, name, disk_mib FROM server_vms WHERE template ORDER BY server_id, vmid";
    let mut by_server: HashMap<ServerId, Vec<TemplateSeen>> = HashMap::new();
    for TemplateRow { server_id, vmid, name, disk_mib } in fetch_all!(conn, TemplateRow, SQL)? {
        let template = TemplateSeen { vmid: loaded(vmid, "vmid")?, name, disk_mib: loaded(disk_mib, "disk_mib")? };
        by_server.entry(server_id).or_default().push(template);
    }
    Ok(by_server)
}

#[derive(sqlx::FromRow)]
pub(super) struct VmidRow {
    pub(super) server_id: ServerId,
    pub(super) vmid: i64,
}

pub(super) async fn vmid_of(conn: Conn<'_>, pod: CloudPodId) -> Result<Option<VmidRow>> {
    const SQL: &str = "SELECT server_id, vmid FROM vmids WHERE pod_id = $1 AND NOT moving";
    Ok(fetch_optional!(conn, VmidRow, SQL, pod)?)
}

#[derive(sqlx::FromRow)]
struct Candidate {
    vmid: Option<i64>,
}

/// The VMID after the highest one known in the server's range and space or, where the range ends, the lowest gap.
pub(super) async fn vmid_free(mut conn: Conn<'_>, server: &Server) -> Result<Option<i64>> {
    const NEXT: &str = "SELECT MAX(vmid) + 1 AS vmid FROM (
                            SELECT vmid FROM vmids WHERE space = $1 AND vmid BETWEEN $2 AND $3
                            UNION ALL
                            SELECT v.vmid FROM server_vms v JOIN servers s ON s.id = v.server_id
                            WHERE s.vmid_space = $1 AND v.vmid BETWEEN $2 AND $3) AS known";
    // The lowest number in use is the range's start, or a gap lies after some number in use.
    const GAP: &str = "WITH known AS (
                           SELECT vmid FROM vmids WHERE space = $1 AND vmid BETWEEN $2 AND $3
                           UNION
                           SELECT v.vmid FROM server_vms v JOIN servers s ON s.id = v.server_id
                           WHERE s.vmid_space = $1 AND v.vmid BETWEEN $2 AND $3)
                       SELECT MIN(vmid) AS vmid FROM (
                           SELECT $2 AS vmid WHERE NOT EXISTS (SELECT 1 FROM known WHERE vmid = $2)
                           UNION ALL
                           SELECT k.vmid + 1 FROM known k
                           WHERE k.vmid < $3 AND NOT EXISTS (SELECT 1 FROM known n WHERE n.vmid = k.vmid + 1)) AS gaps";
    let (space, min, max) = (server.vmid_space.as_str(), i64::from(server.vmid_min), i64::from(server.vmid_max));
    let Candidate { vmid } = fetch_one!(conn.again(), Candidate, NEXT, space, min, max)?;
    match vmid.unwrap_or(min) {
        next if next <= max => Ok(Some(next)),
        _ => {
            let Candidate { vmid } = fetch_one!(conn, Candidate, GAP, space, min, max)?;
            Ok(vmid)
        }
    }
}

/// `false`: somebody else took it first, or the pod has one by now.
pub(super) async fn vmid_insert(tx: &mut Tx, server: &Server, vmid: i64, pod: CloudPodId, now: Ms) -> Result<bool> {
    const SQL: &str = "INSERT INTO vmids (space, vmid, server_id, pod_id, taken_at) VALUES ($1, $2, $3, $4, $5)
                       ON CONFLICT DO NOTHING";
    Ok(execute!(tx.conn(), SQL, server.vmid_space.as_str(), vmid, server.id, pod, now)? == 1)
}

pub(super) async fn vmid_mark_foreign(tx: &mut Tx, server: ServerId, vmid: u32, pod: CloudPodId) -> Result<()> {
    const SQL: &str = "UPDATE vmids SET pod_id = NULL WHERE server_id = $1 AND vmid = $2 AND pod_id = $3";
    execute!(tx.conn(), SQL, server, i64::from(vmid), pod)?;
    Ok(())
}

/// The numbers marked as somebody else's that a server's last inventory shows.
pub(in crate::domain::servers) async fn foreign_shown(conn: Conn<'_>, server: ServerId) -> Result<Vec<i64>> {
    const SQL: &str = "SELECT f.vmid FROM servers s
                       JOIN server_vms v ON v.server_id = s.id
                       JOIN vmids f ON f.space = s.vmid_space AND f.vmid = v.vmid
                       WHERE s.id = $1 AND f.pod_id IS NULL AND f.image_id IS NULL";
    Ok(fetch_all!(conn, (i64,), SQL, server)?.into_iter().map(|(vmid,)| vmid).collect())
}

/// Frees those of them whose VM no host of their space shows any more. One that was never shown stays: it may be on a node that has no
/// agent. A fence keeps its number for as long as it is there.
pub(in crate::domain::servers) async fn foreign_prune(tx: &mut Tx, server: ServerId, shown: &[i64]) -> Result<()> {
    const SQL: &str = "
        DELETE FROM vmids WHERE vmid = $2 AND pod_id IS NULL AND image_id IS NULL
           AND space = (SELECT vmid_space FROM servers WHERE id = $1)
           AND NOT EXISTS (SELECT 1 FROM server_vms v JOIN servers s ON s.id = v.server_id
                            WHERE v.vmid = vmids.vmid AND s.vmid_space = vmids.space)
           AND NOT EXISTS (SELECT 1 FROM fences f JOIN servers s ON s.id = f.server_id
                            WHERE f.vmid = vmids.vmid AND s.vmid_space = vmids.space)";
    for vmid in shown {
        execute!(tx.conn(), SQL, server, *vmid)?;
    }
    Ok(())
}

pub(super) async fn vmid_release(tx: &mut Tx, pod: CloudPodId) -> Result<()> {
    // Its VM may still be on a host that was declared lost: nobody is given its number before it is seen to be gone.
    const FENCED: &str = "UPDATE vmids SET pod_id = NULL WHERE pod_id = $1 AND EXISTS (
                            SELECT 1 FROM fences f WHERE f.server_id = vmids.server_id AND f.pod_id = $1
                               AND f.vmid = vmids.vmid)";
    const SQL: &str = "DELETE FROM vmids WHERE pod_id = $1";
    execute!(tx.conn(), FENCED, pod)?;
    execute!(tx.conn(), SQL, pod)?;
    Ok(())
}

pub(super) async fn image_vmid_of(conn: Conn<'_>, image: ImageId) -> Result<Option<VmidRow>> {
    const SQL: &str = "SELECT server_id, vmid FROM vmids WHERE image_id = $1";
    Ok(fetch_optional!(conn, VmidRow, SQL, image)?)
}

/// `false`: somebody else took it first.
pub(super) async fn image_vmid_insert(
    tx: &mut Tx,
    server: &Server,
    vmid: i64,
    image: ImageId,
    now: Ms,
) -> Result<bool> {
    const SQL: &str = "INSERT INTO vmids (space, vmid, server_id, image_id, taken_at) VALUES ($1, $2, $3, $4, $5)
                       ON CONFLICT DO NOTHING";
    Ok(execute!(tx.conn(), SQL, server.vmid_space.as_str(), vmid, server.id, image, now)? == 1)
}

pub(super) async fn image_vmid_mark_foreign(tx: &mut Tx, image: ImageId) -> Result<()> {
    const SQL: &str = "UPDATE vmids SET image_id = NULL WHERE image_id = $1";
    execute!(tx.conn(), SQL, image)?;
    Ok(())
}

pub(super) async fn image_vmid_release(tx: &mut Tx, image: ImageId) -> Result<()> {
    const SQL: &str = "DELETE FROM vmids WHERE image_id = $1";
    execute!(tx.conn(), SQL, image)?;
    Ok(())
}

/// Raises the server's totals, whatever it has room for: what is there already is counted, not asked for.
pub(super) async fn totals_claim(tx: &mut Tx, hold: &Hold<'_>) -> Result<bool> {
    const SQL: &str =
        "UPDATE servers SET reserved_vcpu = reserved_vcpu + $2, reserved_memory_mib = reserved_memory_mib + $3,
                            reserved_pods = reserved_pods + 1
         WHERE id = $1 AND deleted_at IS NULL";
    Ok(execute!(tx.conn(), SQL, hold.server, i64::from(hold.vcpu), stored(hold.memory_mib))? == 1)
}

/// Likewise the storage's; `false`: the server has no such storage.
pub(super) async fn storage_claim(tx: &mut Tx, hold: &Hold<'_>) -> Result<bool> {
    const SQL: &str = "UPDATE server_storages SET reserved_gib = reserved_gib + $3 WHERE server_id = $1 AND name = $2";
    Ok(execute!(tx.conn(), SQL, hold.server, hold.storage, stored(hold.disk_gib))? == 1)
}

/// `false`: a pod has it.
pub(super) async fn vmid_claim(tx: &mut Tx, server: &Server, vmid: u32, pod: CloudPodId, now: Ms) -> Result<bool> {
    const SQL: &str = "INSERT INTO vmids (space, vmid, server_id, pod_id, taken_at) VALUES ($1, $2, $3, $4, $5)
                       ON CONFLICT (space, vmid) DO UPDATE SET pod_id = excluded.pod_id, server_id = excluded.server_id,
                            taken_at = excluded.taken_at
                       WHERE (vmids.pod_id IS NULL AND vmids.image_id IS NULL) OR vmids.pod_id = excluded.pod_id";
    // It was not lost after all: nobody is to stop it when its agent comes back.
    const FENCE: &str = "DELETE FROM fences WHERE server_id = $1 AND pod_id = $2 AND vmid = $3";
    execute!(tx.conn(), FENCE, server.id, pod, i64::from(vmid))?;
    Ok(execute!(tx.conn(), SQL, server.vmid_space.as_str(), i64::from(vmid), server.id, pod, now)? == 1)
}

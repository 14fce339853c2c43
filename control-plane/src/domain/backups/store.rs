//! The backups' rows, and those of the policies.

use super::{Backup, BackupPolicy, BackupState, NewBackup, mode_parse, mode_str};
use crate::clock::Ms;
use crate::db::{Conn, Tx, Window};
use crate::domain::audit::Scope;
use crate::domain::check::{loaded, loaded_option, stored};
use crate::domain::jobs::BackupSeen;
use crate::error::{Error, Result};
use crate::ids::{BackupId, CloudPodId, ServerId, TenantId};
use crate::{execute, fetch_all, fetch_one, fetch_optional, sql_by_db};

#[derive(sqlx::FromRow)]
struct BackupRow {
    id: BackupId,
    tenant_id: TenantId,
    pod_id: CloudPodId,
    pod_name: String,
    server_id: ServerId,
    server_name: String,
    storage: String,
    vmid: i64,
    volid: Option<String>,
    size_bytes: Option<i64>,
    mode: String,
    note: String,
    scheduled: bool,
    protected: bool,
    state: String,
    kept_until: Option<Ms>,
    created_at: Ms,
    made_at: Option<Ms>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT b.id, b.tenant_id, b.pod_id, p.name AS pod_name, b.server_id, s.name AS server_name, b.storage, b.vmid,
                    b.volid, b.size_bytes, b.mode, b.note, b.scheduled, b.protected, b.state, b.kept_until, b.created_at,
                    b.made_at
               FROM backups b JOIN cloudpods p ON p.id = b.pod_id JOIN servers s ON s.id = b.server_id
              WHERE ",
            $rest
        )
    };
}

impl TryFrom<BackupRow> for Backup {
    type Error = Error;

    fn try_from(row: BackupRow) -> Result<Self> {
        let BackupRow {
            id,
            tenant_id,
            pod_id,
            pod_name,
            server_id,
            server_name,
            storage,
            vmid,
            volid,
            size_bytes,
            mode,
            note,
            scheduled,
            protected,
            state,
            kept_until,
            created_at,
            made_at,
        } = row;
        Ok(Self {
            id,
            tenant: tenant_id,
            pod: pod_id,
            pod_name,
            server: server_id,
            server_name,
            storage,
            vmid: loaded(vmid, "backups.vmid")?,
            volid,
            size_bytes: loaded_option(size_bytes, "backups.size_bytes")?,
            mode: mode_parse(&mode).ok_or_else(|| Error::internal(format!("backups.mode holds {mode}")))?,
            note,
            scheduled,
            protected,
            state: BackupState::parse(&state).ok_or_else(|| Error::internal(format!("backups.state holds {state}")))?,
            kept_until,
            created_at,
            made_at,
        })
    }
}

/// The newest first.
pub(super) async fn backup_list(
    conn: Conn<'_>,
    scope: Scope,
    pod: Option<CloudPodId>,
    window: Window<BackupId>,
) -> Result<Vec<Backup>> {
    const SQL: &str = select!(
        "($1 IS NULL OR b.tenant_id = $1) AND ($2 IS NULL OR b.pod_id = $2) AND ($3 IS NULL OR b.id < $3)
         ORDER BY b.id DESC LIMIT $4"
    );
    let rows = fetch_all!(conn, BackupRow, SQL, scope.tenant(), pod, window.after, window.limit)?;
    rows.into_iter().map(Backup::try_from).collect()
}

pub(super) async fn backup_get(conn: Conn<'_>, scope: Scope, id: BackupId) -> Result<Option<Backup>> {
    const SQL: &str = select!("b.id = $1 AND ($2 IS NULL OR b.tenant_id = $2)");
    fetch_optional!(conn, BackupRow, SQL, id, scope.tenant())?.map(Backup::try_from).transpose()
}

/// All of a pod's, the oldest first.
pub(super) async fn backups_of(conn: Conn<'_>, pod: CloudPodId) -> Result<Vec<Backup>> {
    const SQL: &str = select!("b.pod_id = $1 ORDER BY b.id");
    fetch_all!(conn, BackupRow, SQL, pod)?.into_iter().map(Backup::try_from).collect()
}

pub(super) async fn backups_count(conn: Conn<'_>, pod: CloudPodId) -> Result<i64> {
    const SQL: &str = "SELECT COUNT(*) FROM backups WHERE pod_id = $1";
    let (count,) = fetch_one!(conn, (i64,), SQL, pod)?;
    Ok(count)
}

pub(super) async fn backup_insert(tx: &mut Tx, id: BackupId, new: &NewBackup, at: Ms) -> Result<()> {
    const SQL: &str =
        "INSERT INTO backups (id, tenant_id, pod_id, server_id, storage, vmid, mode, note, scheduled, protected, state,
                              kept_until, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'creating', $11, $12)";
    let NewBackup { tenant, pod, server, vmid, storage, mode, note, scheduled, protected, kept_until } = new;
    let (vmid, mode) = (i64::from(*vmid), mode_str(*mode));
    execute!(
        tx.conn(),
        SQL,
        id,
        *tenant,
        *pod,
        *server,
        storage,
        vmid,
        mode,
        note,
        *scheduled,
        *protected,
        *kept_until,
        at
    )?;
    Ok(())
}

/// A backup that was found on a storage and that no row knows.
pub(super) async fn backup_adopt(tx: &mut Tx, id: BackupId, new: &NewBackup, seen: &BackupSeen, at: Ms) -> Result<()> {
    const SQL: &str =
        "INSERT INTO backups (id, tenant_id, pod_id, server_id, storage, vmid, mode, note, scheduled, protected, state,
                              kept_until, created_at, volid, size_bytes, made_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'ready', $11, $12, $13, $14, $15) ON CONFLICT DO NOTHING";
    let NewBackup { tenant, pod, server, vmid, storage, mode, note, scheduled, protected, kept_until } = new;
    let BackupSeen { volid, created_at, size_bytes, pod: _, command: _ } = seen;
    let (vmid, mode, size_bytes) = (i64::from(*vmid), mode_str(*mode), stored(*size_bytes));
    execute!(
        tx.conn(),
        SQL,
        id,
        *tenant,
        *pod,
        *server,
        storage,
        vmid,
        mode,
        note,
        *scheduled,
        *protected,
        *kept_until,
        at,
        volid,
        size_bytes,
        *created_at
    )?;
    Ok(())
}

/// Where its pod is at the time of its making.
pub(super) async fn backup_at(tx: &mut Tx, id: BackupId, server: ServerId, vmid: u32) -> Result<()> {
    const SQL: &str = "UPDATE backups SET server_id = $2, vmid = $3
                        WHERE id = $1 AND state = 'creating' AND (server_id <> $2 OR vmid <> $3)";
    execute!(tx.conn(), SQL, id, server, i64::from(vmid))?;
    Ok(())
}

/// What the host says of it; `ready`: it is whole.
pub(super) async fn backup_seen(tx: &mut Tx, id: BackupId, seen: &BackupSeen, ready: bool) -> Result<()> {
    const SQL: &str = "UPDATE backups SET volid = $2, size_bytes = $3, made_at = $4,
                              state = CASE WHEN $5 THEN 'ready' ELSE state END
                        WHERE id = $1 AND state IN ('creating', 'ready')";
    let BackupSeen { volid, created_at, size_bytes, pod: _, command: _ } = seen;
    execute!(tx.conn(), SQL, id, volid, stored(*size_bytes), *created_at, ready)?;
    Ok(())
}

/// `false`: it was not `from` any more.
pub(super) async fn backup_state_set(tx: &mut Tx, id: BackupId, from: BackupState, to: BackupState) -> Result<bool> {
    const SQL: &str = "UPDATE backups SET state = $3 WHERE id = $1 AND state = $2";
    Ok(execute!(tx.conn(), SQL, id, from.as_str(), to.as_str())? == 1)
}

/// Holds the row of one that is ready until the transaction ends; `false`: it is not.
pub(super) async fn backup_hold(tx: &mut Tx, id: BackupId) -> Result<bool> {
    const SQLITE: &str = "SELECT id FROM backups WHERE id = $1 AND state = 'ready'";
    const POSTGRES: &str = "SELECT id FROM backups WHERE id = $1 AND state = 'ready' FOR NO KEY UPDATE";
    let conn = tx.conn();
    let sql = sql_by_db!(conn, sqlite: SQLITE, postgres: POSTGRES);
    Ok(fetch_optional!(conn, (BackupId,), sql, id)?.is_some())
}

pub(super) async fn backup_prune_at(tx: &mut Tx, id: BackupId, at: Ms) -> Result<()> {
    const SQL: &str = "UPDATE backups SET prune_at = $2 WHERE id = $1";
    execute!(tx.conn(), SQL, id, at)?;
    Ok(())
}

pub(super) async fn backup_keep(tx: &mut Tx, id: BackupId, protected: bool, kept_until: Option<Ms>) -> Result<()> {
    const SQL: &str = "UPDATE backups SET protected = $2, kept_until = $3, prune_at = NULL WHERE id = $1";
    execute!(tx.conn(), SQL, id, protected, kept_until)?;
    Ok(())
}

pub(super) async fn backup_delete(tx: &mut Tx, id: BackupId, state: BackupState) -> Result<bool> {
    const SQL: &str = "DELETE FROM backups WHERE id = $1 AND state = $2";
    Ok(execute!(tx.conn(), SQL, id, state.as_str())? == 1)
}

/// Those that nothing keeps any more, the oldest first: their own time, the time after their pod's destroy, or their pod's
/// policy is over.
pub(super) async fn backups_prunable(
    conn: Conn<'_>,
    now: Ms,
    destroyed_before: Ms,
    limit: u32,
) -> Result<Vec<BackupId>> {
    const SQL: &str = "SELECT id FROM (
            SELECT b.id, b.kept_until, b.prune_at, b.created_at, p.keep_last, p.keep_days, c.deleted_at,
                   ROW_NUMBER() OVER (PARTITION BY b.pod_id, b.kept_until IS NULL ORDER BY b.id DESC) AS nth
              FROM backups b JOIN cloudpods c ON c.id = b.pod_id LEFT JOIN backup_policies p ON p.pod_id = b.pod_id
             WHERE b.state = 'ready' AND NOT b.protected) AS kept
        WHERE (prune_at IS NULL OR prune_at <= $1)
          AND CASE WHEN kept_until IS NOT NULL THEN kept_until <= $1
                   WHEN deleted_at IS NOT NULL THEN deleted_at <= $2
                   WHEN keep_last IS NULL AND keep_days IS NULL THEN FALSE
                   ELSE (keep_last IS NULL OR nth > keep_last)
                        AND (keep_days IS NULL OR created_at <= $1 - keep_days * 86400000) END
        ORDER BY id LIMIT $3";
    let rows = fetch_all!(conn, (BackupId,), SQL, now, destroyed_before, i64::from(limit))?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

#[derive(sqlx::FromRow)]
struct PolicyRow {
    pod_id: CloudPodId,
    every_hours: Option<i64>,
    storage: Option<String>,
    mode: String,
    keep_last: Option<i64>,
    keep_days: Option<i64>,
    next_at: Option<Ms>,
    version: i64,
}

impl TryFrom<PolicyRow> for BackupPolicy {
    type Error = Error;

    fn try_from(row: PolicyRow) -> Result<Self> {
        let PolicyRow { pod_id, every_hours, storage, mode, keep_last, keep_days, next_at, version } = row;
        Ok(Self {
            pod: pod_id,
            every_hours: loaded_option(every_hours, "backup_policies.every_hours")?,
            storage,
            mode: mode_parse(&mode).ok_or_else(|| Error::internal(format!("backup_policies.mode holds {mode}")))?,
            keep_last: loaded_option(keep_last, "backup_policies.keep_last")?,
            keep_days: loaded_option(keep_days, "backup_policies.keep_days")?,
            next_at,
            version,
        })
    }
}

pub(super) async fn policy_get(conn: Conn<'_>, pod: CloudPodId) -> Result<Option<BackupPolicy>> {
    const SQL: &str = "SELECT pod_id, every_hours, storage, mode, keep_last, keep_days, next_at, version
                         FROM backup_policies WHERE pod_id = $1";
    fetch_optional!(conn, PolicyRow, SQL, pod)?.map(BackupPolicy::try_from).transpose()
}

pub(super) async fn policy_set(tx: &mut Tx, policy: &BackupPolicy, at: Ms) -> Result<()> {
    const SQL: &str =
        "INSERT INTO backup_policies (pod_id, every_hours, storage, mode, keep_last, keep_days, next_at, version, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (pod_id) DO UPDATE SET every_hours = excluded.every_hours, storage = excluded.storage,
             mode = excluded.mode, keep_last = excluded.keep_last, keep_days = excluded.keep_days,
             next_at = excluded.next_at, version = excluded.version, updated_at = excluded.updated_at";
    let BackupPolicy { pod, every_hours, storage, mode, keep_last, keep_days, next_at, version } = policy;
    execute!(
        tx.conn(),
        SQL,
        *pod,
        every_hours.map(i64::from),
        storage.as_deref(),
        mode_str(*mode),
        keep_last.map(i64::from),
        keep_days.map(i64::from),
        *next_at,
        *version,
        at
    )?;
    Ok(())
}

/// The pods for which a backup is due, the longest due first.
pub(super) async fn policies_due(conn: Conn<'_>, now: Ms, limit: u32) -> Result<Vec<CloudPodId>> {
    const SQL: &str = "SELECT pod_id FROM backup_policies WHERE next_at IS NOT NULL AND next_at <= $1
                        ORDER BY next_at, pod_id LIMIT $2";
    let rows = fetch_all!(conn, (CloudPodId,), SQL, now, i64::from(limit))?;
    Ok(rows.into_iter().map(|(pod,)| pod).collect())
}

/// Moves on to the next time. `false`: somebody else did.
pub(super) async fn policy_advance(tx: &mut Tx, pod: CloudPodId, from: Ms, to: Ms) -> Result<bool> {
    const SQL: &str = "UPDATE backup_policies SET next_at = $3 WHERE pod_id = $1 AND next_at = $2";
    Ok(execute!(tx.conn(), SQL, pod, from, to)? == 1)
}

/// Notes why a backup that was due is not made; '': it is. `true`: that is another reason than before.
pub(super) async fn policy_skipped_set(tx: &mut Tx, pod: CloudPodId, reason: &str) -> Result<bool> {
    const SQL: &str = "UPDATE backup_policies SET skipped = $2 WHERE pod_id = $1 AND skipped <> $2";
    Ok(execute!(tx.conn(), SQL, pod, reason)? == 1)
}

/// A pod that is no more has no schedule.
pub(super) async fn policy_end(tx: &mut Tx, pod: CloudPodId) -> Result<()> {
    const SQL: &str = "UPDATE backup_policies SET every_hours = NULL, next_at = NULL WHERE pod_id = $1";
    execute!(tx.conn(), SQL, pod)?;
    Ok(())
}

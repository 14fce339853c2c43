//! The consoles' rows.

use sqlx::types::Json;

use super::{Console, ConsoleKind, Opener};
use crate::clock::Ms;
use crate::db::{Conn, Tx};
use crate::domain::check::loaded;
use crate::error::{Error, Result};
use crate::ids::{CloudPodId, ConsoleId, InstanceId, ServerId, TenantId};
use crate::{execute, fetch_all, fetch_one, fetch_optional, sql_by_db};

#[derive(sqlx::FromRow)]
struct ConsoleRow {
    id: ConsoleId,
    tenant_id: TenantId,
    pod_id: CloudPodId,
    server_id: ServerId,
    vmid: i64,
    kind: String,
    asked_by: String,
    ticket_hash: Vec<u8>,
    expires_at: Ms,
    redeemed_at: Option<Ms>,
    opener: Option<Json<Opener>>,
}

/// A console whose ticket may still have to be shown.
pub(super) struct Ticketed {
    pub(super) console: Console,
    pub(super) ticket_hash: Vec<u8>,
    /// It counts no more.
    pub(super) spent: bool,
}

fn ticketed(row: ConsoleRow, now: Ms) -> Result<Ticketed> {
    let ConsoleRow {
        id,
        tenant_id,
        pod_id,
        server_id,
        vmid,
        kind,
        asked_by,
        ticket_hash,
        expires_at,
        redeemed_at,
        opener,
    } = row;
    let opener = opener.map(|Json(opener)| opener);
    let kind = ConsoleKind::parse(&kind).ok_or_else(|| Error::internal(format!("consoles.kind holds {kind}")))?;
    let vmid = loaded(vmid, "consoles.vmid")?;
    let console = Console { id, tenant: tenant_id, pod: pod_id, server: server_id, vmid, kind, asked_by, opener };
    Ok(Ticketed { console, ticket_hash, spent: redeemed_at.is_some() || expires_at <= now })
}

pub(super) async fn console_get(conn: Conn<'_>, id: ConsoleId, now: Ms) -> Result<Option<Ticketed>> {
    const SQL: &str =
        "SELECT id, tenant_id, pod_id, server_id, vmid, kind, asked_by, ticket_hash, expires_at, redeemed_at, opener
                         FROM consoles WHERE id = $1";
    fetch_optional!(conn, ConsoleRow, SQL, id)?.map(|row| ticketed(row, now)).transpose()
}

/// The other control planes that relay a console, or did when they died.
pub(super) async fn consoles_relaying(conn: Conn<'_>, own: InstanceId) -> Result<Vec<InstanceId>> {
    const SQL: &str = "SELECT DISTINCT instance_id FROM consoles
                        WHERE redeemed_at IS NOT NULL AND closed_at IS NULL AND instance_id <> $1";
    Ok(fetch_all!(conn, (InstanceId,), SQL, own)?.into_iter().map(|(instance,)| instance).collect())
}

/// The open consoles that a control plane relays.
pub(super) async fn consoles_of(conn: Conn<'_>, instance: InstanceId) -> Result<Vec<Console>> {
    const SQL: &str =
        "SELECT id, tenant_id, pod_id, server_id, vmid, kind, asked_by, ticket_hash, expires_at, redeemed_at, opener
                         FROM consoles WHERE redeemed_at IS NOT NULL AND closed_at IS NULL AND instance_id = $1";
    let rows = fetch_all!(conn, ConsoleRow, SQL, instance)?;
    rows.into_iter().map(|row| ticketed(row, Ms(0)).map(|found| found.console)).collect()
}

/// Nobody else asks for a console meanwhile, so that the count is the count.
pub(super) async fn consoles_lock(tx: &mut Tx) -> Result<()> {
    const SQLITE: &str = "SELECT 1";
    const POSTGRES: &str = "SELECT pg_advisory_xact_lock(7411)";
    let conn = tx.conn();
    let sql = sql_by_db!(conn, sqlite: SQLITE, postgres: POSTGRES);
    execute!(conn, sql)?;
    Ok(())
}

/// How many are open, or may be any moment: of that server, of that tenant. One whose control plane died counts until it could
/// not be open any more.
pub(super) async fn consoles_count(
    conn: Conn<'_>,
    server: ServerId,
    tenant: TenantId,
    now: Ms,
    redeemed_after: Ms,
) -> Result<(i64, i64)> {
    const SQL: &str = "SELECT COUNT(CASE WHEN server_id = $1 THEN 1 END), COUNT(CASE WHEN tenant_id = $2 THEN 1 END)
                         FROM consoles
                        WHERE closed_at IS NULL AND (server_id = $1 OR tenant_id = $2)
                          AND (redeemed_at > $4 OR (redeemed_at IS NULL AND expires_at > $3))";
    Ok(fetch_one!(conn, (i64, i64), SQL, server, tenant, now, redeemed_after)?)
}

pub(super) async fn console_insert(
    tx: &mut Tx,
    console: &Console,
    ticket_hash: &[u8],
    now: Ms,
    expires_at: Ms,
) -> Result<()> {
    const SQL: &str =
        "INSERT INTO consoles (id, tenant_id, pod_id, server_id, vmid, kind, asked_by, ticket_hash, created_at,
                                             expires_at, opener)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let Console { id, tenant, pod, server, vmid, kind, asked_by, opener } = console;
    let opener = opener.map(Json);
    let (vmid, kind) = (i64::from(*vmid), kind.as_str());
    execute!(tx.conn(), SQL, *id, *tenant, *pod, *server, vmid, kind, asked_by, ticket_hash, now, expires_at, opener)?;
    Ok(())
}

/// `false`: it was redeemed already, or is too old.
pub(super) async fn console_redeem(tx: &mut Tx, id: ConsoleId, now: Ms, instance: InstanceId) -> Result<bool> {
    const SQL: &str = "UPDATE consoles SET redeemed_at = $2, instance_id = $3
                        WHERE id = $1 AND redeemed_at IS NULL AND expires_at > $2";
    Ok(execute!(tx.conn(), SQL, id, now, instance)? == 1)
}

/// `false`: it is closed already.
pub(super) async fn console_close(tx: &mut Tx, id: ConsoleId, now: Ms, why: &str) -> Result<bool> {
    const SQL: &str = "UPDATE consoles SET closed_at = $2, closed_why = $3 WHERE id = $1 AND closed_at IS NULL";
    Ok(execute!(tx.conn(), SQL, id, now, why)? == 1)
}

/// Deletes old ones; how many.
pub(super) async fn consoles_prune(tx: &mut Tx, before: Ms, limit: u32) -> Result<u64> {
    const SQL: &str =
        "DELETE FROM consoles WHERE id IN (SELECT id FROM consoles WHERE created_at < $1 ORDER BY id LIMIT $2)";
    Ok(execute!(tx.conn(), SQL, before, i64::from(limit))?)
}

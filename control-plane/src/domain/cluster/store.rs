//! Control planes and their calls.

use sqlx::types::Json;

use super::{Call, Holder, Instance, To};
use crate::clock::Ms;
use crate::db::{Conn, Tx};
use crate::error::Result;
use crate::ids::{CallId, InstanceId, ServerId};
use crate::{execute, fetch_all, fetch_optional};

#[derive(sqlx::FromRow)]
struct InstanceRow {
    id: InstanceId,
    name: String,
    version: String,
    internal_url: String,
    started_at: Ms,
    seen_at: Ms,
}

impl From<InstanceRow> for Instance {
    fn from(row: InstanceRow) -> Self {
        let InstanceRow { id, name, version, internal_url, started_at, seen_at } = row;
        Self { id, name, version, internal_url, started_at, seen_at }
    }
}

pub(super) async fn instance_seen(tx: &mut Tx, instance: &Instance) -> Result<()> {
    const SQL: &str = "
        INSERT INTO instances (id, name, version, internal_url, started_at, seen_at) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at";
    let Instance { id, name, version, internal_url, started_at, seen_at } = instance;
    execute!(tx.conn(), SQL, *id, name.as_str(), version.as_str(), internal_url.as_str(), *started_at, *seen_at)?;
    Ok(())
}

pub(super) async fn instance_delete(tx: &mut Tx, instance: InstanceId) -> Result<()> {
    const SQL: &str = "DELETE FROM instances WHERE id = $1";
    execute!(tx.conn(), SQL, instance)?;
    Ok(())
}

pub(super) async fn instances_prune(tx: &mut Tx, before: Ms) -> Result<u64> {
    const SQL: &str = "DELETE FROM instances WHERE seen_at < $1";
    Ok(execute!(tx.conn(), SQL, before)?)
}

pub(super) async fn instances(conn: Conn<'_>) -> Result<Vec<Instance>> {
    const SQL: &str =
        "SELECT id, name, version, internal_url, started_at, seen_at FROM instances ORDER BY started_at, id";
    Ok(fetch_all!(conn, InstanceRow, SQL)?.into_iter().map(Instance::from).collect())
}

pub(super) async fn instance_get(conn: Conn<'_>, id: InstanceId) -> Result<Option<Instance>> {
    const SQL: &str = "SELECT id, name, version, internal_url, started_at, seen_at FROM instances WHERE id = $1";
    Ok(fetch_optional!(conn, InstanceRow, SQL, id)?.map(Instance::from))
}

pub(super) async fn instance_is_alive(conn: Conn<'_>, instance: InstanceId, alive: Ms) -> Result<bool> {
    const SQL: &str = "SELECT id FROM instances WHERE id = $1 AND seen_at > $2";
    Ok(fetch_optional!(conn, (InstanceId,), SQL, instance, alive)?.is_some())
}

/// `alive`: whoever was seen after this is.
pub(super) async fn holder(conn: Conn<'_>, server: ServerId, own: InstanceId, alive: Ms) -> Result<Holder> {
    const SQL: &str = "
        SELECT s.session_owner FROM servers s LEFT JOIN instances i ON i.id = s.session_owner
        WHERE s.id = $1 AND s.connection = 'online' AND (s.session_owner = $2 OR i.seen_at > $3)";
    Ok(match fetch_optional!(conn, (InstanceId,), SQL, server, own, alive)? {
        Some((holder,)) if holder == own => Holder::Here,
        Some((holder,)) => Holder::Elsewhere(holder),
        None => Holder::Nobody,
    })
}

/// A call to be made.
pub(super) struct NewCall<'a> {
    pub(super) server: ServerId,
    pub(super) to: To,
    pub(super) request: &'a serde_json::Value,
    pub(super) expires_at: Ms,
}

pub(super) async fn call_insert(
    tx: &mut Tx,
    id: CallId,
    asker: InstanceId,
    holder: InstanceId,
    call: &NewCall<'_>,
) -> Result<()> {
    const SQL: &str = "
        INSERT INTO agent_calls (id, asker, holder, server_id, request, taken, expires_at)
        VALUES ($1, $2, $3, $4, $5, FALSE, $6)";
    let NewCall { server, to: _, request, expires_at } = call;
    execute!(tx.conn(), SQL, id, asker, holder, *server, Json(request), *expires_at)?;
    Ok(())
}

/// Whom a call goes to.
pub(super) async fn addressees(
    conn: Conn<'_>,
    call: &NewCall<'_>,
    own: InstanceId,
    alive: Ms,
) -> Result<Vec<InstanceId>> {
    const HOLDER: &str = "
        SELECT i.id FROM servers s JOIN instances i ON i.id = s.session_owner
        WHERE s.id = $3 AND s.connection = 'online' AND i.id <> $1 AND i.seen_at > $2";
    const OTHERS: &str = "SELECT id FROM instances WHERE id <> $1 AND seen_at > $2";
    let rows = match call.to {
        To::Holder => fetch_all!(conn, (InstanceId,), HOLDER, own, alive, call.server)?,
        To::Others => fetch_all!(conn, (InstanceId,), OTHERS, own, alive)?,
    };
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

#[derive(sqlx::FromRow)]
struct CallRow {
    id: CallId,
    server_id: ServerId,
    request: Json<serde_json::Value>,
}

/// Whether there is anything in the mailbox of this control plane.
pub(super) async fn any_for(conn: Conn<'_>, own: InstanceId) -> Result<bool> {
    const SQL: &str = "
        SELECT id FROM agent_calls WHERE (holder = $1 AND NOT taken) OR (asker = $1 AND answer IS NOT NULL) LIMIT 1";
    Ok(fetch_optional!(conn, (CallId,), SQL, own)?.is_some())
}

/// Takes what others ask; what is over is left to be pruned.
pub(super) async fn calls_take(tx: &mut Tx, own: InstanceId, now: Ms, limit: u32) -> Result<Vec<Call>> {
    const SQL: &str = "
        UPDATE agent_calls SET taken = TRUE WHERE id IN
            (SELECT id FROM agent_calls WHERE holder = $1 AND NOT taken AND expires_at > $2 ORDER BY id LIMIT $3)
        RETURNING id, server_id, request";
    let rows = fetch_all!(tx.conn(), CallRow, SQL, own, now, i64::from(limit))?;
    let mut calls: Vec<Call> = rows
        .into_iter()
        .map(|CallRow { id, server_id, request: Json(request) }| Call { id, server: server_id, request })
        .collect();
    calls.sort_by_key(|call| call.id);
    Ok(calls)
}

/// `false`: nobody waits for it any more.
pub(super) async fn call_answer(tx: &mut Tx, id: CallId, answer: &serde_json::Value) -> Result<bool> {
    const SQL: &str = "UPDATE agent_calls SET answer = $2 WHERE id = $1";
    Ok(execute!(tx.conn(), SQL, id, Json(answer))? == 1)
}

/// Takes the answers to what this control plane asked out of the mailbox.
pub(super) async fn answers_take(tx: &mut Tx, own: InstanceId) -> Result<Vec<(CallId, serde_json::Value)>> {
    const SQL: &str = "DELETE FROM agent_calls WHERE asker = $1 AND answer IS NOT NULL RETURNING id, answer";
    let rows = fetch_all!(tx.conn(), (CallId, Json<serde_json::Value>), SQL, own)?;
    Ok(rows.into_iter().map(|(id, Json(answer))| (id, answer)).collect())
}

pub(super) async fn calls_prune(tx: &mut Tx, now: Ms) -> Result<u64> {
    const SQL: &str = "DELETE FROM agent_calls WHERE expires_at < $1";
    Ok(execute!(tx.conn(), SQL, now)?)
}

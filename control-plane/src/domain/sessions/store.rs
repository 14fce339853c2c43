use super::{PER_USER, Session};
use crate::clock::Ms;
use crate::db::{Conn, Tx, Window};
use crate::error::Result;
use crate::ids::{SessionId, UserId};
use crate::{execute, fetch_all, fetch_optional};

/// A sign-in as it is refreshed.
#[derive(sqlx::FromRow)]
pub(super) struct Family {
    pub(super) user_id: UserId,
    pub(super) refresh_hash: Vec<u8>,
    pub(super) generation: i64,
    pub(super) used_at: Ms,
    pub(super) expires_at: Ms,
    pub(super) ended_at: Option<Ms>,
}

/// A sign-in that begins.
pub(super) struct New<'a> {
    pub(super) id: SessionId,
    pub(super) user: UserId,
    pub(super) refresh_hash: &'a [u8],
    pub(super) address: &'a str,
    pub(super) user_agent: &'a str,
    pub(super) now: Ms,
    pub(super) expires_at: Ms,
}

#[derive(sqlx::FromRow)]
struct SessionRow {
    id: SessionId,
    address: String,
    user_agent: String,
    created_at: Ms,
    used_at: Ms,
    expires_at: Ms,
}

impl From<SessionRow> for Session {
    fn from(row: SessionRow) -> Self {
        let SessionRow { id, address, user_agent, created_at, used_at, expires_at } = row;
        Self { id, address, user_agent, created_at, used_at, expires_at }
    }
}

#[derive(sqlx::FromRow)]
struct IdRow {
    id: SessionId,
}

pub(super) async fn session_insert(tx: &mut Tx, new: &New<'_>) -> Result<()> {
    const SQL: &str =
        "INSERT INTO sessions (id, user_id, refresh_hash, generation, address, user_agent, created_at, used_at, expires_at)
                       VALUES ($1, $2, $3, 1, $4, $5, $6, $6, $7)";
    let New { id, user, refresh_hash, address, user_agent, now, expires_at } = new;
    execute!(tx.conn(), SQL, *id, *user, *refresh_hash, *address, *user_agent, *now, *expires_at)?;
    Ok(())
}

pub(super) async fn sign_in_note(tx: &mut Tx, user: UserId, now: Ms) -> Result<()> {
    const SQL: &str = "UPDATE users SET last_sign_in_at = $1 WHERE id = $2";
    execute!(tx.conn(), SQL, now, user)?;
    Ok(())
}

pub(super) async fn family_get(conn: Conn<'_>, id: SessionId) -> Result<Option<Family>> {
    const SQL: &str =
        "SELECT user_id, refresh_hash, generation, used_at, expires_at, ended_at FROM sessions WHERE id = $1";
    Ok(fetch_optional!(conn, Family, SQL, id)?)
}

/// Whether a sign-in has not ended.
pub(super) async fn session_stands(conn: Conn<'_>, id: SessionId, now: Ms) -> Result<bool> {
    const SQL: &str = "SELECT id FROM sessions WHERE id = $1 AND ended_at IS NULL AND expires_at > $2";
    Ok(fetch_optional!(conn, IdRow, SQL, id, now)?.is_some())
}

/// The next generation; `false`: another request made it first, or the sign-in has ended.
pub(super) async fn session_refresh(
    tx: &mut Tx,
    (id, generation): (SessionId, i64),
    refresh_hash: &[u8],
    (address, user_agent): (&str, &str),
    now: Ms,
) -> Result<bool> {
    const SQL: &str =
        "UPDATE sessions SET refresh_hash = $1, generation = generation + 1, address = $2, user_agent = $3,
                           used_at = $4
                       WHERE id = $5 AND generation = $6 AND ended_at IS NULL AND expires_at > $4";
    Ok(execute!(tx.conn(), SQL, refresh_hash, address, user_agent, now, id, generation)? == 1)
}

/// Ends one sign-in of a person; `false`: there is none such that stands.
pub(super) async fn session_end(tx: &mut Tx, user: UserId, id: SessionId, reason: &str, now: Ms) -> Result<bool> {
    const SQL: &str = "UPDATE sessions SET ended_at = $1, ended_reason = $2
                       WHERE id = $3 AND user_id = $4 AND ended_at IS NULL AND expires_at > $1";
    Ok(execute!(tx.conn(), SQL, now, reason, id, user)? == 1)
}

/// Ends a person's sign-ins but this one; which.
pub(super) async fn sessions_end(
    tx: &mut Tx,
    user: UserId,
    but: Option<SessionId>,
    reason: &str,
    now: Ms,
) -> Result<Vec<SessionId>> {
    const SQL: &str = "UPDATE sessions SET ended_at = $1, ended_reason = $2
                       WHERE user_id = $3 AND ended_at IS NULL AND ($4 IS NULL OR id <> $4)
                       RETURNING id";
    let rows = fetch_all!(tx.conn(), IdRow, SQL, now, reason, user, but)?;
    Ok(rows.into_iter().map(|IdRow { id }| id).collect())
}

/// Ends the oldest of too many.
pub(super) async fn sessions_trim(tx: &mut Tx, user: UserId, reason: &str, now: Ms) -> Result<Vec<SessionId>> {
    const SQL: &str = "UPDATE sessions SET ended_at = $1, ended_reason = $2
                       WHERE user_id = $3 AND ended_at IS NULL AND id NOT IN
                           (SELECT id FROM sessions WHERE user_id = $3 AND ended_at IS NULL ORDER BY id DESC LIMIT $4)
                       RETURNING id";
    let rows = fetch_all!(tx.conn(), IdRow, SQL, now, reason, user, PER_USER)?;
    Ok(rows.into_iter().map(|IdRow { id }| id).collect())
}

pub(super) async fn session_list(
    conn: Conn<'_>,
    user: UserId,
    now: Ms,
    window: Window<SessionId>,
) -> Result<Vec<Session>> {
    const SQL: &str = "SELECT id, address, user_agent, created_at, used_at, expires_at FROM sessions
                       WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2 AND ($3 IS NULL OR id > $3)
                       ORDER BY id LIMIT $4";
    let Window { limit, after } = window;
    Ok(fetch_all!(conn, SessionRow, SQL, user, now, after, limit)?.into_iter().map(Session::from).collect())
}

/// From where a person's sign-ins that stand were begun or last refreshed.
pub(super) async fn session_addresses(conn: Conn<'_>, user: UserId, now: Ms) -> Result<Vec<String>> {
    const SQL: &str =
        "SELECT DISTINCT address FROM sessions WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2";
    let rows = fetch_all!(conn, (String,), SQL, user, now)?;
    Ok(rows.into_iter().map(|(address,)| address).collect())
}

pub(super) async fn sessions_prune(tx: &mut Tx, before: Ms, limit: i64) -> Result<u64> {
    const SQL: &str = "DELETE FROM sessions WHERE id IN
                           (SELECT id FROM sessions WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)";
    Ok(execute!(tx.conn(), SQL, before, limit)?)
}

//! Names by ids, many at once.

use crate::db::Conn;
use crate::error::Result;
use crate::fetch_by_ids;
use crate::ids::{ServerId, TokenId, UserId};

/// People's addresses; `whole`: staff's too.
pub(in crate::domain::audit) async fn users(
    conn: Conn<'_>,
    ids: &[UserId],
    whole: bool,
) -> Result<Vec<(UserId, String)>> {
    let rows = fetch_by_ids!(
        conn,
        (UserId, String, Option<String>),
        "SELECT id, email, platform_role FROM users WHERE id",
        "",
        ids
    )?;
    Ok(rows.into_iter().filter(|(_, _, staff)| whole || staff.is_none()).map(|(id, email, _)| (id, email)).collect())
}

/// Tokens' names, with their owners' addresses; `whole`: staff's and the platform's too.
pub(in crate::domain::audit) async fn tokens(
    conn: Conn<'_>,
    ids: &[TokenId],
    whole: bool,
) -> Result<Vec<(TokenId, String)>> {
    let rows = fetch_by_ids!(
        conn,
        (TokenId, String, Option<String>, Option<String>),
        "SELECT t.id, t.name, u.email, u.platform_role
           FROM api_tokens t LEFT JOIN users u ON u.id = t.user_id WHERE t.id",
        "",
        ids
    )?;
    let named = |(id, name, email, staff): (TokenId, String, Option<String>, Option<String>)| match email {
        Some(email) if whole || staff.is_none() => Some((id, format!("{email} ({name})"))),
        None if whole => Some((id, name)),
        _ => None,
    };
    Ok(rows.into_iter().filter_map(named).collect())
}

/// Servers' names.
pub(in crate::domain::audit) async fn servers(conn: Conn<'_>, ids: &[ServerId]) -> Result<Vec<(ServerId, String)>> {
    Ok(fetch_by_ids!(conn, (ServerId, String), "SELECT id, name FROM servers WHERE id", "", ids)?)
}

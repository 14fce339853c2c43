use crate::clock::Ms;
use crate::db::{Conn, Tx};
use crate::error::Result;
use crate::ids::UserId;
use crate::{execute, fetch_optional};

#[derive(sqlx::FromRow)]
struct IdentityRow {
    user_id: UserId,
}

pub(super) async fn identity_user(conn: Conn<'_>, issuer: &str, subject: &str) -> Result<Option<UserId>> {
    const SQL: &str = "SELECT user_id FROM user_identities WHERE issuer = $1 AND subject = $2";
    Ok(fetch_optional!(conn, IdentityRow, SQL, issuer, subject)?.map(|IdentityRow { user_id }| user_id))
}

/// `false`: the provider's person is somebody here already.
pub(super) async fn identity_insert(
    tx: &mut Tx,
    (issuer, subject): (&str, &str),
    user: UserId,
    now: Ms,
) -> Result<bool> {
    const SQL: &str = "INSERT INTO user_identities (issuer, subject, user_id, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    Ok(execute!(tx.conn(), SQL, issuer, subject, user, now)? == 1)
}

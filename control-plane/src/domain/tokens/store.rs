use crate::clock::Ms;
use crate::db::{Conn, Tx};
use crate::error::Result;
use crate::ids::TokenId;
use crate::{execute, fetch_all};

#[derive(sqlx::FromRow)]
struct TokenRow {
    id: TokenId,
    secret_hash: Vec<u8>,
}

/// Every token that is good, with the hash of its secret.
pub(super) async fn tokens_active(conn: Conn<'_>) -> Result<Vec<(TokenId, Vec<u8>)>> {
    const SQL: &str = "SELECT id, secret_hash FROM api_tokens WHERE revoked_at IS NULL";
    let rows = fetch_all!(conn, TokenRow, SQL)?;
    Ok(rows.into_iter().map(|TokenRow { id, secret_hash }| (id, secret_hash)).collect())
}

/// Whether there was none of that name.
pub(super) async fn token_insert(tx: &mut Tx, at: Ms, id: TokenId, name: &str, secret_hash: &[u8]) -> Result<bool> {
    const SQL: &str = "INSERT INTO api_tokens (id, name, secret_hash, created_at) VALUES ($1, $2, $3, $4)
                       ON CONFLICT (name) WHERE revoked_at IS NULL DO NOTHING";
    Ok(execute!(tx.conn(), SQL, id, name, secret_hash, at)? == 1)
}

pub(super) async fn tokens_revoke(tx: &mut Tx, at: Ms, name: &str) -> Result<u64> {
    const SQL: &str = "UPDATE api_tokens SET revoked_at = $1 WHERE name = $2 AND revoked_at IS NULL";
    Ok(execute!(tx.conn(), SQL, at, name)?)
}

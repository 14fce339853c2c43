//! The tokens' rows.

use serde::Serialize;
use sqlx::types::Json;

use super::owned::{ApiToken, Whose};
use crate::clock::Ms;
use crate::db::{Conn, Tx, Window};
use crate::domain::access::{Permission, Permissions};
use crate::domain::audit::Scope;
use crate::error::Result;
use crate::ids::{TenantId, TokenId, UserId};
use crate::{execute, fetch_all, fetch_one, fetch_optional, sql_by_db};

/// What a token may do, as it is kept.
#[derive(Serialize)]
struct Named {
    permissions: Permissions,
}

#[derive(sqlx::FromRow)]
struct TokenRow {
    id: TokenId,
    name: String,
    user_id: UserId,
    user_email: String,
    tenant_id: Option<TenantId>,
    tenant_name: Option<String>,
    permissions: Json<serde_json::Value>,
    created_at: Ms,
    expires_at: Ms,
    last_used_at: Option<Ms>,
}

impl From<TokenRow> for ApiToken {
    fn from(row: TokenRow) -> Self {
        let TokenRow {
            id,
            name,
            user_id: user,
            user_email,
            tenant_id: tenant,
            tenant_name,
            permissions,
            created_at,
            expires_at,
            last_used_at,
        } = row;
        let named = permissions.0["permissions"].as_array().cloned().unwrap_or_default();
        let permissions =
            Permission::ALL.iter().copied().filter(|one| named.iter().any(|name| name == one.as_str())).collect();
        Self { id, name, user, user_email, tenant, tenant_name, permissions, created_at, expires_at, last_used_at }
    }
}

/// The platform's token of this hash, if it is good.
pub(super) async fn token_find(conn: Conn<'_>, secret_hash: &[u8]) -> Result<Option<TokenId>> {
    const SQL: &str = "SELECT id FROM api_tokens WHERE secret_hash = $1 AND revoked_at IS NULL AND user_id IS NULL";
    Ok(fetch_optional!(conn, (TokenId,), SQL, secret_hash)?.map(|(id,)| id))
}

/// Whether there was none of that name.
pub(super) async fn token_insert(tx: &mut Tx, at: Ms, id: TokenId, name: &str, secret_hash: &[u8]) -> Result<bool> {
    const SQL: &str = "INSERT INTO api_tokens (id, name, secret_hash, created_at) VALUES ($1, $2, $3, $4)
                       ON CONFLICT (name) WHERE revoked_at IS NULL AND user_id IS NULL DO NOTHING";
    Ok(execute!(tx.conn(), SQL, id, name, secret_hash, at)? == 1)
}

pub(super) async fn tokens_revoke(tx: &mut Tx, at: Ms, name: &str) -> Result<u64> {
    const SQL: &str =
        "UPDATE api_tokens SET revoked_at = $1 WHERE name = $2 AND revoked_at IS NULL AND user_id IS NULL";
    Ok(execute!(tx.conn(), SQL, at, name)?)
}

/// Notes that the token was used, unless that was noted after `before`.
pub(super) async fn token_touch(tx: &mut Tx, at: Ms, id: TokenId, before: Ms) -> Result<()> {
    const SQL: &str =
        "UPDATE api_tokens SET last_used_at = $1 WHERE id = $2 AND (last_used_at IS NULL OR last_used_at < $3)";
    execute!(tx.conn(), SQL, at, id, before)?;
    Ok(())
}

pub(super) async fn token_add(
    tx: &mut Tx,
    (id, name): (TokenId, &str),
    (user, tenant): (UserId, Option<TenantId>),
    permissions: Permissions,
    (created_at, expires_at): (Ms, Ms),
    (hash, made_with): (&[u8], Option<TokenId>),
) -> Result<()> {
    const SQL: &str = "INSERT INTO api_tokens (id, name, secret_hash, created_at, user_id, tenant_id, permissions, expires_at, made_with)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let named = Json(Named { permissions });
    execute!(tx.conn(), SQL, id, name, hash, created_at, user, tenant, &named, expires_at, made_with)?;
    Ok(())
}

/// How many good ones somebody has.
pub(super) async fn tokens_count(conn: Conn<'_>, user: UserId, now: Ms) -> Result<i64> {
    const SQL: &str = "SELECT COUNT(*) FROM api_tokens WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2";
    let (count,): (i64,) = fetch_one!(conn, (i64,), SQL, user, now)?;
    Ok(count)
}

macro_rules! good {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, user_id, (SELECT u.email FROM users u WHERE u.id = user_id) AS user_email, tenant_id,
                    (SELECT n.name FROM tenants n WHERE n.id = tenant_id) AS tenant_name, permissions, created_at, expires_at,
                    last_used_at FROM api_tokens
             WHERE revoked_at IS NULL AND user_id IS NOT NULL AND ",
            $rest
        )
    };
}

pub(super) async fn token_list(
    conn: Conn<'_>,
    whose: Whose,
    now: Ms,
    window: Window<TokenId>,
) -> Result<Vec<ApiToken>> {
    const OWN: &str = good!(
        "expires_at > $1 AND ($2 IS NULL OR id > $2) AND user_id = $4 AND ($5 IS NULL OR tenant_id = $5) ORDER BY id LIMIT $3"
    );
    // By its people, whose tokens are found by an index. One that staff made for the tenant is staff's.
    const TENANT: &str = good!(
        "expires_at > $1 AND ($2 IS NULL OR id > $2) AND tenant_id = $4
         AND user_id IN (SELECT user_id FROM memberships WHERE tenant_id = $4) ORDER BY id LIMIT $3"
    );
    const MEMBER: &str = good!(
        "expires_at > $1 AND ($2 IS NULL OR id > $2) AND user_id = $4 AND tenant_id = $5
         AND EXISTS (SELECT 1 FROM memberships m WHERE m.tenant_id = $5 AND m.user_id = $4) ORDER BY id LIMIT $3"
    );
    const ALL: &str = good!("expires_at > $1 AND ($2 IS NULL OR id > $2) ORDER BY id LIMIT $3");
    let Window { limit, after } = window;
    let rows = match whose {
        Whose::User(user, tenant) => fetch_all!(conn, TokenRow, OWN, now, after, limit, user, tenant)?,
        Whose::Of(user, Scope::Tenant(tenant)) => fetch_all!(conn, TokenRow, MEMBER, now, after, limit, user, tenant)?,
        Whose::Of(user, Scope::Platform) => fetch_all!(conn, TokenRow, OWN, now, after, limit, user, None::<TenantId>)?,
        Whose::All(Scope::Tenant(tenant)) => fetch_all!(conn, TokenRow, TENANT, now, after, limit, tenant)?,
        Whose::All(Scope::Platform) => fetch_all!(conn, TokenRow, ALL, now, after, limit)?,
    };
    Ok(rows.into_iter().map(ApiToken::from).collect())
}

pub(super) async fn token_get(conn: Conn<'_>, whose: Whose, id: TokenId) -> Result<Option<ApiToken>> {
    // The same as in the list of each.
    const OWN: &str = good!("id = $1 AND user_id = $2 AND ($3 IS NULL OR tenant_id = $3)");
    const TENANT: &str =
        good!("id = $1 AND tenant_id = $2 AND user_id IN (SELECT user_id FROM memberships WHERE tenant_id = $2)");
    const MEMBER: &str = good!(
        "id = $1 AND user_id = $2 AND tenant_id = $3
         AND EXISTS (SELECT 1 FROM memberships m WHERE m.tenant_id = $3 AND m.user_id = $2)"
    );
    const ALL: &str = good!("id = $1");
    let row = match whose {
        Whose::User(user, tenant) => fetch_optional!(conn, TokenRow, OWN, id, user, tenant)?,
        Whose::Of(user, Scope::Tenant(tenant)) => fetch_optional!(conn, TokenRow, MEMBER, id, user, tenant)?,
        Whose::Of(user, Scope::Platform) => fetch_optional!(conn, TokenRow, OWN, id, user, None::<TenantId>)?,
        Whose::All(Scope::Tenant(tenant)) => fetch_optional!(conn, TokenRow, TENANT, id, tenant)?,
        Whose::All(Scope::Platform) => fetch_optional!(conn, TokenRow, ALL, id)?,
    };
    Ok(row.map(ApiToken::from))
}

/// Holds a good token until the transaction ends, so that nobody revokes it meanwhile. `false`: it is none, or no longer.
pub(super) async fn token_hold(tx: &mut Tx, id: TokenId) -> Result<bool> {
    const SQLITE: &str = "SELECT id FROM api_tokens WHERE id = $1 AND revoked_at IS NULL";
    const POSTGRES: &str = "SELECT id FROM api_tokens WHERE id = $1 AND revoked_at IS NULL FOR NO KEY UPDATE";
    let conn = tx.conn();
    let sql = sql_by_db!(conn, sqlite: SQLITE, postgres: POSTGRES);
    Ok(fetch_optional!(conn, (TokenId,), sql, id)?.is_some())
}

/// Deletes up to `limit` of people's tokens that ended before `before`, and with which none was made; how many.
pub(super) async fn tokens_prune(tx: &mut Tx, before: Ms, limit: u32) -> Result<u64> {
    const SQL: &str = "DELETE FROM api_tokens WHERE id IN (
                           SELECT t.id FROM api_tokens t
                           WHERE t.user_id IS NOT NULL AND (t.revoked_at < $1 OR t.expires_at < $1)
                             AND NOT EXISTS (SELECT 1 FROM api_tokens c WHERE c.made_with = t.id)
                           LIMIT $2)";
    Ok(execute!(tx.conn(), SQL, before, i64::from(limit))?)
}

/// Revokes a token and all that descend from it; how many were good.
pub(super) async fn token_family_revoke(tx: &mut Tx, at: Ms, id: TokenId) -> Result<u64> {
    const SQL: &str = "WITH RECURSIVE family (id) AS (
                           SELECT id FROM api_tokens WHERE id = $2
                           UNION SELECT t.id FROM api_tokens t JOIN family f ON t.made_with = f.id)
                       UPDATE api_tokens SET revoked_at = $1 WHERE revoked_at IS NULL AND id IN (SELECT id FROM family)";
    Ok(execute!(tx.conn(), SQL, at, id)?)
}

/// Revokes all of somebody's in one tenant; how many were good.
pub(super) async fn tokens_of_member_revoke(tx: &mut Tx, at: Ms, tenant: TenantId, user: UserId) -> Result<u64> {
    const SQL: &str =
        "UPDATE api_tokens SET revoked_at = $1 WHERE user_id = $2 AND tenant_id = $3 AND revoked_at IS NULL";
    Ok(execute!(tx.conn(), SQL, at, user, tenant)?)
}

/// Revokes all of somebody's that are good; how many there were.
pub(super) async fn tokens_of_user_revoke(tx: &mut Tx, at: Ms, user: UserId) -> Result<u64> {
    const SQL: &str =
        "UPDATE api_tokens SET revoked_at = $1 WHERE user_id = $2 AND revoked_at IS NULL AND expires_at > $1";
    Ok(execute!(tx.conn(), SQL, at, user)?)
}

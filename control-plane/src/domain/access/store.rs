//! Whose a proof is: one indexed query a request, so that a suspension, another role or a revocation counts at once.

use serde::Deserialize;
use sqlx::types::Json;

use super::{BOOTSTRAP, Limit, Membership, Permission, Permissions, Principal, Standing};
use crate::clock::Ms;
use crate::db::{Conn, Tx};
use crate::error::Result;
use crate::ids::{SessionId, TenantId, TokenId, UserId};
use crate::{fetch_all, fetch_optional, sql_by_db};

/// A token that somebody showed.
pub(super) enum Shown {
    /// The platform's.
    Platform(TokenId),
    /// A person's, and when it was last used before.
    Person(Principal, Option<Ms>),
}

/// A person, once for each membership.
#[derive(sqlx::FromRow)]
struct PersonRow {
    user_id: UserId,
    platform_role: Option<String>,
    member_of: Option<TenantId>,
    role: Option<String>,
    suspended_at: Option<Ms>,
    tenant_suspended_at: Option<Ms>,
}

#[derive(sqlx::FromRow)]
struct TokenRow {
    token_id: TokenId,
    token_name: String,
    user_id: Option<UserId>,
    token_tenant: Option<TenantId>,
    permissions: Option<Json<Named>>,
    expires_at: Option<Ms>,
    last_used_at: Option<Ms>,
    email: Option<String>,
    platform_role: Option<String>,
    member_of: Option<TenantId>,
    role: Option<String>,
    suspended_at: Option<Ms>,
    tenant_suspended_at: Option<Ms>,
}

/// As it is kept. What a later version may have known and this one does not is no permission.
#[derive(Deserialize)]
struct Named {
    permissions: Vec<String>,
}

impl Named {
    fn known(&self) -> Permissions {
        Permission::ALL.iter().copied().filter(|one| self.permissions.iter().any(|name| name == one.as_str())).collect()
    }
}

/// The person of these rows.
fn principal(rows: Vec<PersonRow>, limit: Option<&Limit>) -> Result<Option<Principal>> {
    let mut found: Option<Principal> = None;
    for PersonRow { user_id, platform_role, member_of, role, suspended_at, tenant_suspended_at } in rows {
        let principal = found.get_or_insert_with(|| {
            let (staff, memberships) = (platform_role.is_some(), Vec::new());
            Principal { user: user_id, staff, memberships, limit: limit.cloned() }
        });
        if let (Some(tenant), Some(role)) = (member_of, role) {
            let standing = match (suspended_at, tenant_suspended_at) {
                (Some(_), _) => Standing::Suspended,
                (None, Some(_)) => Standing::TenantSuspended,
                (None, None) => Standing::Active,
            };
            principal.memberships.push(Membership { tenant, role: role.parse()?, standing });
        }
    }
    Ok(found)
}

/// Whose the token of this hash is, unless it was revoked or its person's account is suspended.
pub(super) async fn token_shown(conn: Conn<'_>, secret_hash: &[u8]) -> Result<Option<Shown>> {
    const SQL: &str = "SELECT t.id AS token_id, t.name AS token_name, t.user_id, t.tenant_id AS token_tenant, t.permissions, t.expires_at, t.last_used_at,
                              u.email, u.platform_role, m.tenant_id AS member_of, m.role, m.suspended_at,
                              tenants.suspended_at AS tenant_suspended_at
                       FROM api_tokens t
                       LEFT JOIN users u ON u.id = t.user_id
                       LEFT JOIN memberships m ON m.user_id = t.user_id AND (t.tenant_id IS NULL OR m.tenant_id = t.tenant_id)
                       LEFT JOIN tenants ON tenants.id = m.tenant_id
                       WHERE t.secret_hash = $1 AND t.revoked_at IS NULL AND u.suspended_at IS NULL
                       ORDER BY m.created_at, m.tenant_id";
    let rows = fetch_all!(conn, TokenRow, SQL, secret_hash)?;
    let (mut people, mut limit, mut used) = (Vec::new(), None, None);
    for row in rows {
        let TokenRow {
            token_id,
            token_name,
            user_id,
            token_tenant,
            permissions,
            expires_at,
            last_used_at,
            email,
            platform_role,
            member_of,
            role,
            suspended_at,
            tenant_suspended_at,
        } = row;
        let user_id = match (user_id, email) {
            (Some(user_id), Some(_)) => user_id,
            // The platform's own has nothing of a person's. Whatever else has no person is nobody's.
            (None, None) if token_name == BOOTSTRAP && token_tenant.is_none() && expires_at.is_none() => {
                return Ok(permissions.is_none().then_some(Shown::Platform(token_id)));
            }
            _ => return Ok(None),
        };
        let permissions = permissions.map_or(Permissions::NONE, |Json(named)| named.known());
        let expires_at = expires_at.unwrap_or(Ms(0));
        limit = Some(Limit { token: token_id, tenant: token_tenant, permissions, expires_at });
        used = last_used_at;
        people.push(PersonRow { user_id, platform_role, member_of, role, suspended_at, tenant_suspended_at });
    }
    Ok(principal(people, limit.as_ref())?.map(|principal| Shown::Person(principal, used)))
}

/// The hash of a token that was not revoked.
pub(super) async fn token_hash(conn: Conn<'_>, token: TokenId) -> Result<Option<Vec<u8>>> {
    const SQL: &str = "SELECT secret_hash FROM api_tokens WHERE id = $1 AND revoked_at IS NULL";
    Ok(fetch_optional!(conn, (Vec<u8>,), SQL, token)?.map(|(hash,)| hash))
}

/// Whose a sign-in is, unless it has ended or its person's account is suspended.
pub(super) async fn session_shown(conn: Conn<'_>, id: SessionId, now: Ms) -> Result<Option<Principal>> {
    const SQL: &str = "SELECT u.id AS user_id, u.platform_role, m.tenant_id AS member_of, m.role, m.suspended_at,
                              tenants.suspended_at AS tenant_suspended_at
                       FROM sessions s
                       JOIN users u ON u.id = s.user_id
                       LEFT JOIN memberships m ON m.user_id = s.user_id
                       LEFT JOIN tenants ON tenants.id = m.tenant_id
                       WHERE s.id = $1 AND s.ended_at IS NULL AND s.expires_at > $2 AND u.suspended_at IS NULL
                       ORDER BY m.created_at, m.tenant_id";
    principal(fetch_all!(conn, PersonRow, SQL, id, now)?, None)
}

/// Who this is, unless their account is suspended.
pub(super) async fn person(conn: Conn<'_>, id: UserId) -> Result<Option<Principal>> {
    const SQL: &str = "SELECT u.id AS user_id, u.platform_role, m.tenant_id AS member_of, m.role, m.suspended_at,
                              tenants.suspended_at AS tenant_suspended_at
                       FROM users u
                       LEFT JOIN memberships m ON m.user_id = u.id
                       LEFT JOIN tenants ON tenants.id = m.tenant_id
                       WHERE u.id = $1 AND u.suspended_at IS NULL
                       ORDER BY m.created_at, m.tenant_id";
    principal(fetch_all!(conn, PersonRow, SQL, id)?, None)
}

/// Holds a sign-in's row until the transaction ends. `false`: it has ended.
pub(super) async fn session_hold(tx: &mut Tx, session: SessionId) -> Result<bool> {
    const SQLITE: &str = "SELECT id FROM sessions WHERE id = $1 AND ended_at IS NULL";
    const POSTGRES: &str = "SELECT id FROM sessions WHERE id = $1 AND ended_at IS NULL FOR NO KEY UPDATE";
    let conn = tx.conn();
    let sql = sql_by_db!(conn, sqlite: SQLITE, postgres: POSTGRES);
    Ok(fetch_optional!(conn, (SessionId,), sql, session)?.is_some())
}

/// Holds a person's row until the transaction ends. `false`: there is no such person.
pub(super) async fn user_hold(tx: &mut Tx, user: UserId) -> Result<bool> {
    const SQLITE: &str = "SELECT id FROM users WHERE id = $1";
    const POSTGRES: &str = "SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE";
    let conn = tx.conn();
    let sql = sql_by_db!(conn, sqlite: SQLITE, postgres: POSTGRES);
    Ok(fetch_optional!(conn, (UserId,), sql, user)?.is_some())
}

/// Holds the tenant's row until the transaction ends. `false`: there is no such tenant.
pub(super) async fn tenant_hold(tx: &mut Tx, tenant: TenantId) -> Result<bool> {
    // SQLite has one writer. Rows that refer to the tenant, such as pods, may be written meanwhile.
    const SQLITE: &str = "SELECT id FROM tenants WHERE id = $1";
    const POSTGRES: &str = "SELECT id FROM tenants WHERE id = $1 FOR NO KEY UPDATE";
    let conn = tx.conn();
    let sql = sql_by_db!(conn, sqlite: SQLITE, postgres: POSTGRES);
    Ok(fetch_optional!(conn, (TenantId,), sql, tenant)?.is_some())
}

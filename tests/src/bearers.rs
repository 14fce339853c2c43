//! People with API tokens, written into the books of a control plane that may run in another process.

use control_plane::clock::{Clock, Ms};
use control_plane::db::Db;
use control_plane::domain::access::{Permissions, Role};
use control_plane::domain::tokens::hash;
use control_plane::execute;
use control_plane::ids::{TenantId, TokenId, UserId};
use serde_json::json;
use sqlx::types::Json;

/// Somebody, and what they show.
#[derive(Clone, Debug)]
pub struct Bearer {
    /// Who.
    pub user: UserId,
    /// A token of all that they may do.
    pub token: String,
}

/// Somebody of this role in the tenant.
pub async fn member(db: &Db, tenant: TenantId, role: Role) -> Bearer {
    made(db, Some((tenant, role))).await
}

/// Somebody of the platform's staff.
pub async fn staff(db: &Db) -> Bearer {
    made(db, None).await
}

/// Suspends somebody wherever they belong.
pub async fn suspend(db: &Db, user: UserId) {
    const SQL: &str = "UPDATE memberships SET suspended_at = $1 WHERE user_id = $2";
    let mut tx = db.begin().await.expect("a transaction");
    assert!(execute!(tx.conn(), SQL, Ms(1), user).expect("an update") > 0, "a member");
    tx.commit().await.expect("it is kept");
}

async fn made(db: &Db, of: Option<(TenantId, Role)>) -> Bearer {
    const USER: &str = "INSERT INTO users (id, email, name, platform_role, version, created_at, updated_at)
                        VALUES ($1, $2, $2, $3, 1, $4, $4)";
    const MEMBERSHIP: &str = "INSERT INTO memberships (tenant_id, user_id, role, version, created_at, updated_at)
                              VALUES ($1, $2, $3, 1, $4, $4)";
    const TOKEN: &str = "INSERT INTO api_tokens (id, name, secret_hash, created_at, user_id, permissions, expires_at)
                         VALUES ($1, 'test', $2, $3, $4, $5, $6)";
    let (user, now) = (UserId::generate(), Clock::system().now());
    let (email, token) = (format!("{user}@example.test"), format!("token-of-{user}"));
    let staff = of.is_none().then_some("PLATFORM_ADMIN");
    let permissions = of.map_or_else(Permissions::all, |(_, role)| role.permissions());
    let named = Json(json!({ "permissions": permissions }));
    let mut tx = db.begin().await.expect("a transaction");
    execute!(tx.conn(), USER, user, email.as_str(), staff, now).expect("a user");
    if let Some((tenant, role)) = of {
        execute!(tx.conn(), MEMBERSHIP, tenant, user, role.as_str(), now).expect("a membership");
    }
    let (hash, until) = (hash(&token), Ms(now.0 + 86_400_000));
    execute!(tx.conn(), TOKEN, TokenId::generate(), &hash[..], now, user, &named, until).expect("a token");
    tx.commit().await.expect("they are kept");
    Bearer { user, token }
}

//! People for tests: accounts, tenants, and API tokens by which they speak.

use control_plane::clock::Ms;
use control_plane::domain::access::{Permission, Permissions, Role};
use control_plane::domain::audit::Actor;
use control_plane::domain::tokens::owned::TokenCreate;
use control_plane::execute;
use control_plane::ids::{TenantId, UserId};
use serde_json::{Value, json};

use crate::app::{Api, TestApp};

/// Somebody, and how they speak to the API.
#[derive(Clone)]
pub struct Person {
    /// Their id.
    pub id: String,
    /// With a token of all that they may do.
    pub api: Api,
}

/// A new tenant's id.
pub async fn tenant(app: &TestApp, name: &str) -> String {
    const SQL: &str = "INSERT INTO tenants (id, name, created_at) VALUES ($1, $2, $3)";
    let (id, at) = (TenantId::generate(), app.running.app.clock.now());
    let mut tx = app.running.app.db.begin().await.expect("a transaction");
    execute!(tx.conn(), SQL, id, name, at).expect("a tenant");
    tx.commit().await.expect("a tenant is kept");
    id.to_string()
}

/// Somebody of this role in the tenant.
pub async fn member(app: &TestApp, tenant: &str, role: &str, email: &str) -> Person {
    let body = json!({"email": email, "name": email, "tenant_id": tenant, "role": role});
    let id = made(app, &body).await;
    let role = role.parse::<Role>().expect("a role");
    let token = token(app, &id, Some(tenant), role.permissions(), Some(1)).await;
    Person { api: app.api.with_token(&token), id }
}

/// Somebody of the platform's staff.
pub async fn staff(app: &TestApp, email: &str) -> Person {
    let id = made(app, &json!({"email": email, "name": email, "staff": true})).await;
    let token = token(app, &id, None, Permissions::all(), Some(1)).await;
    Person { api: app.api.with_token(&token), id }
}

async fn made(app: &TestApp, body: &Value) -> String {
    let made = app.api.post("/api/platform/users", body).await.expect(201);
    made["id"].as_str().expect("an id").to_owned()
}

/// A token of somebody's, as they would make it once they have signed in.
pub async fn token(
    app: &TestApp,
    user: &str,
    tenant: Option<&str>,
    permissions: Permissions,
    expires_in_days: Option<u32>,
) -> String {
    let plane = &app.running.app;
    let user: UserId = user.parse().expect("a user's id");
    let mut read = plane.db.read().await.expect("a connection");
    let maker = plane.access.principal(read.conn(), user).await.expect("an answer").expect("the user");
    drop(read);
    let tenant = tenant.map(|id| id.parse().expect("a tenant's id"));
    let input = TokenCreate { name: "test".to_owned(), tenant, permissions, expires_in_days };
    let made = plane.tokens.token_create(&Actor::person(user), &maker, input).await;
    made.expect("a token").1.expose().clone()
}

/// A token of this one permission.
pub async fn token_of(app: &TestApp, user: &str, tenant: Option<&str>, permission: Permission) -> String {
    token(app, user, tenant, Permissions::NONE.with(permission), Some(1)).await
}

/// Lets all tokens of somebody have expired, a moment ago.
pub async fn tokens_expire(app: &TestApp, user: &str) {
    const SQL: &str = "UPDATE api_tokens SET expires_at = $1 WHERE user_id = $2";
    let user: UserId = user.parse().expect("a user's id");
    let at = app.running.app.clock.now().minus(std::time::Duration::from_secs(1));
    let mut tx = app.running.app.db.begin().await.expect("a transaction");
    execute!(tx.conn(), SQL, at, user).expect("an update");
    tx.commit().await.expect("it is kept");
}

/// Suspends every membership of somebody in the books alone, so that nothing else ends their tokens.
pub async fn shut_out(app: &TestApp, user: &str) {
    const SQL: &str = "UPDATE memberships SET suspended_at = $1 WHERE user_id = $2";
    let user: UserId = user.parse().expect("a user's id");
    let mut tx = app.running.app.db.begin().await.expect("a transaction");
    execute!(tx.conn(), SQL, Ms(1), user).expect("an update");
    tx.commit().await.expect("it is kept");
}

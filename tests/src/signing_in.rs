//! People for tests, and what they do to prove who they are.

use control_plane::clock::Ms;
use control_plane::db::{Db, Tx};
use control_plane::domain::passwords::service::Service as Passwords;
use control_plane::domain::secrets::Secret;
use control_plane::domain::sessions::Visitor;
use control_plane::ids::UserId;
use control_plane::{execute, fetch_all};
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Answer, Api, TestApp, send};
use crate::database::TestDatabase;

/// Everybody's password.
pub const PASSWORD: &str = "correct horse battery staple";

/// A person of the tenant `Default`, with this role there, whose password is [`PASSWORD`].
pub async fn person(app: &TestApp, email: &str, role: &str) -> UserId {
    const USER: &str =
        "INSERT INTO users (id, email, name, password_hash, password_changed_at, email_proven_at, version, created_at,
                            updated_at)
                        VALUES ($1, $2, $2, $3, $4, $4, 1, $4, $4)";
    const MEMBER: &str = "INSERT INTO memberships (tenant_id, user_id, role, version, created_at, updated_at)
                          SELECT id, $1, $2, 1, $3, $3 FROM tenants WHERE name = 'Default'";
    let hash = Passwords::default().password_hash(&Secret::new(PASSWORD.to_owned())).await.expect("a hash");
    let (id, now, app) = (UserId::generate(), app.running.app.clock.now(), &app.running.app);
    let mut tx = app.db.begin().await.expect("a transaction");
    execute!(tx.conn(), USER, id, email, hash, now).expect("a user");
    execute!(tx.conn(), MEMBER, id, role, now).expect("a membership");
    tx.commit().await.expect("the person is there");
    id
}

/// Suspends a person in all their tenants.
pub async fn suspend(app: &TestApp, user: UserId) {
    const SQL: &str = "UPDATE memberships SET suspended_at = $1 WHERE user_id = $2";
    let mut tx: Tx = app.running.app.db.begin().await.expect("a transaction");
    execute!(tx.conn(), SQL, Ms(1), user).expect("a membership");
    tx.commit().await.expect("they are suspended");
}

/// Tries to sign in.
pub async fn try_sign_in(api: &Api, email: &str, password: &str) -> Answer {
    try_sign_in_with(api, json!({"email": email, "password": password})).await
}

/// Tries to sign in with this body.
pub async fn try_sign_in_with(api: &Api, body: Value) -> Answer {
    send(api.anonymous(Method::POST, "/api/auth/login").json(&body)).await
}

/// Signs in with [`PASSWORD`]; a client with the access token, and the answer.
///
/// # Panics
/// When that is refused.
pub async fn sign_in(api: &Api, email: &str) -> (Api, Value) {
    let answer = try_sign_in(api, email, PASSWORD).await.expect(200);
    (api.with_token(text(&answer, "access_token")), answer)
}

/// Somebody's client, signed in by no proof at all.
pub async fn signed_in(app: &TestApp, user: &str) -> Api {
    let user: UserId = user.parse().expect("a user's id");
    let plane = &app.running.app;
    let key = plane.sessions.signing_key().await.expect("a key");
    let mut tx = plane.db.begin().await.expect("a transaction");
    let begun = plane.sessions.session_begin(&mut tx, &key, (user, "test"), &Visitor::new(None, "test")).await;
    tx.commit().await.expect("it is kept");
    app.api.with_token(begun.expect("a sign-in").access.token.expose())
}

/// Shows a refresh token.
pub async fn refresh(api: &Api, token: &str) -> Answer {
    send(api.anonymous(Method::POST, "/api/auth/refresh").json(&json!({"refresh_token": token}))).await
}

/// A text of an answer.
///
/// # Panics
/// When it has none of that name.
#[must_use]
pub fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer[name].as_str().unwrap_or_else(|| panic!("no {name}: {answer}"))
}

/// What the audit holds of this action, as text, the oldest first.
pub async fn audited(database: &TestDatabase, action: &str) -> Vec<String> {
    const SQL: &str = "SELECT CAST(detail AS TEXT) FROM audit_records WHERE action = $1 ORDER BY id";
    let db = Db::open(&database.url).await.expect("the database opens");
    let mut read = db.read().await.expect("a connection");
    let rows = fetch_all!(read.conn(), (String,), SQL, action).expect("the audit");
    drop(read);
    db.close().await;
    rows.into_iter().map(|(detail,)| detail).collect()
}

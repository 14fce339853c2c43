use std::sync::Arc;
use std::time::Duration;

use control_plane::domain::access::Permission;
use control_plane::ids::UserId;
use control_plane::loops::Loop as _;
use control_plane::loops::retention::Retention;
use mpanel_tests::app::send;
use mpanel_tests::mailbox::Mailbox;
use mpanel_tests::people::{member, tenant, token_of};
use mpanel_tests::signing_in::{PASSWORD, audited, person, sign_in, signed_in, text, try_sign_in, try_sign_in_with};
use mpanel_tests::{Answer, Api, TestApp, databases};
use reqwest::Method;
use serde_json::{Value, json};

use super::passwords::{forgot, reset};
use super::still;

const ANN: &str = "ann@example.net";
const BOB: &str = "bob@example.net";
const INVITE: &str = "/api/users/invite";
const ACCEPT: &str = "/api/users/invite/accept";

async fn invite(by: &Api, email: &str, role: &str) -> Answer {
    by.post(INVITE, &json!({"email": email, "role": role})).await
}

/// What an invitation's link holds, where it is shown to who invites.
async fn shown(by: &Api, email: &str, role: &str) -> String {
    text(&invite(by, email, role).await.expect(201), "token").to_owned()
}

/// Accepts as somebody who has no account yet.
async fn accept_new(api: &Api, token: &str) -> Answer {
    let body = json!({"token": token, "name": "Bob", "password": PASSWORD});
    send(api.anonymous(Method::POST, ACCEPT).json(&body)).await
}

async fn accept(api: &Api, token: &str) -> Answer {
    api.post(ACCEPT, &json!({ "token": token })).await
}

/// Whether the address has been shown to be this person's.
async fn is_proven(app: &TestApp, user: &Value) -> bool {
    let user: UserId = text(user, "id").parse().unwrap();
    app.running.app.sessions.account_get(user).await.unwrap().0.email_proven_at.is_some()
}

/// Whose invitations are open.
async fn open(by: &Api) -> Vec<String> {
    let page = by.get("/api/users/invitations").await.expect(200);
    page["items"].as_array().unwrap().iter().map(|one| text(one, "email").to_owned()).collect()
}

#[tokio::test]
async fn an_invitation_is_mailed_and_shown_to_nobody_else() {
    for database in databases().await {
        let mailbox = Mailbox::start(&[]).await;
        let app = TestApp::start_at(&database, still(), |config| mailbox.configure(config)).await;
        person(&app, ANN, "OWNER").await;
        let (ann, _) = sign_in(&app.api, ANN).await;
        let made = invite(&ann, " Bob@example.net", "MEMBER").await.expect(201);
        assert_eq!((&made["token"], &made["invitation"]["mailed"]), (&Value::Null, &json!(true)));
        let mail = mailbox.next(BOB).await;
        assert_eq!(mail["subject"], "You are invited to Default");
        let secret = text(&mail, "text").split_once("https://panel.example.net/accept-invitation#").unwrap().1;
        let secret = secret.split_whitespace().next().unwrap();
        assert!(text(&mail, "text").contains("as MEMBER") && !made.to_string().contains(secret), "{mail}");
        let bob = accept_new(&app.api, secret).await.expect(200);
        assert_eq!((text(&bob, "email"), text(&bob, "role")), (BOB, "MEMBER"));
        assert!(is_proven(&app, &bob).await, "whoever has the link reads the mail of the address");
        sign_in(&app.api, BOB).await;
        accept_new(&app.api, secret).await.expect_problem(401, "unauthorized");
        // Nobody is written to again and again.
        for _ in 0..6 {
            invite(&ann, "eve@example.net", "MEMBER").await.expect(201);
            mailbox.next("eve@example.net").await;
        }
        invite(&ann, "eve@example.net", "MEMBER").await.expect_problem(429, "too_many_requests");
        assert_eq!(open(&ann).await, ["eve@example.net"]);
        app.stop().await;
        assert!(mailbox.is_empty().await);
        assert!(audited(&database, "invitation.created").await.iter().all(|one| !one.contains(secret)));
    }
}

#[tokio::test]
async fn a_link_that_was_shown_proves_no_address_until_its_owner_has_used_a_mailed_one() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        person(&app, ANN, "OWNER").await;
        let (ann, _) = sign_in(&app.api, ANN).await;
        let token = shown(&ann, BOB, "MEMBER").await;
        let bob = accept_new(&app.api, &token).await.expect(200);
        assert!(!is_proven(&app, &bob).await, "it may be ann who accepted");
        let other = tenant(&app, "other").await;
        let wish = json!({"email": BOB, "name": "Bob", "tenant_id": other});
        app.api.post("/api/platform/users", &wish).await.expect_problem(409, "email_unproven");
        app.stop().await;

        let mailbox = Mailbox::start(&[]).await;
        let app = TestApp::start_with(&database, |config| mailbox.configure(config)).await;
        forgot(&app.api, BOB).await.expect_status(202);
        let secret = mailbox.next_secret(BOB).await;
        reset(&app.api, &secret, "another password of his").await.expect_status(204);
        assert!(is_proven(&app, &bob).await);
        let made = app.api.post("/api/platform/users", &wish).await.expect(201);
        assert_eq!((&made["id"], &made["email_proven"]), (&bob["id"], &json!(true)));
        app.stop().await;
    }
}

#[tokio::test]
async fn who_has_an_account_accepts_by_it_and_tells_nothing_of_themselves_before() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        person(&app, ANN, "OWNER").await;
        let (ann, _) = sign_in(&app.api, ANN).await;
        let other = tenant(&app, "other").await;
        let body = json!({"email": BOB, "name": "Robert Tables", "password": PASSWORD, "tenant_id": other});
        let made = app.api.post("/api/platform/users", &body).await.expect(201);
        let (bob, _) = sign_in(&app.api, BOB).await;
        let token = shown(&ann, BOB, "ADMIN").await;
        let tells = |text: &str| text.contains("Robert") || text.contains("last_sign_in_at");
        let nobody = send(app.api.anonymous(Method::POST, ACCEPT).json(&json!({ "token": token }))).await;
        nobody.expect_problem(401, "unauthorized");
        let another = accept(&ann, &token).await;
        another.expect_problem(403, "forbidden");
        assert!(nobody.text.contains("sign in as it") && !tells(&nobody.text) && !tells(&another.text), "{nobody:?}");
        let listed = ann.get("/api/users/invitations").await;
        assert!(listed.text.contains(BOB) && !tells(&listed.text), "{listed:?}");
        assert!(!ann.get("/api/users").await.text.contains("Robert"));
        // Nor does something of bob's that is no sign-in accept, or another site by his browser.
        let program = token_of(&app, text(&made, "id"), Some(&other), Permission::AccountRead).await;
        accept(&app.api.with_token(&program), &token).await.expect_problem(409, "sign_in_needed");
        let body = json!({"email": BOB, "password": PASSWORD, "cookies": true});
        let browser = try_sign_in_with(&app.api, body).await;
        let cookies = browser.headers.get_all("set-cookie").iter().map(|one| one.to_str().unwrap());
        let cookies: Vec<_> = cookies.map(|one| one.split(';').next().unwrap()).collect();
        let forged = app.api.anonymous(Method::POST, ACCEPT).header("Cookie", cookies.join("; "));
        send(forged.json(&json!({ "token": token }))).await.expect_problem(403, "forbidden");
        let named = json!({"token": token, "name": "Bob"});
        bob.post(ACCEPT, &named).await.expect_field("password");
        let joined = accept(&bob, &token).await.expect(200);
        assert_eq!(
            (&joined["id"], &joined["name"], &joined["role"]),
            (&made["id"], &json!("Robert Tables"), &json!("ADMIN"))
        );
        accept(&bob, &token).await.expect_problem(401, "unauthorized");
        app.stop().await;
    }
}

#[tokio::test]
async fn invitations_end_with_the_rights_of_who_gave_them() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let home = tenant(&app, "home").await;
        let owner = member(&app, &home, "OWNER", "owner@home.example").await;
        let second = member(&app, &home, "OWNER", "second@home.example").await;
        let admin = member(&app, &home, "ADMIN", "admin@home.example").await;
        shown(&owner.api, "of-owner@home.example", "OWNER").await;
        for role in ["OWNER", "ADMIN"] {
            shown(&second.api, &format!("{role}-of-second@home.example"), role).await;
        }
        let token = shown(&admin.api, "of-admin@home.example", "MEMBER").await;
        let (of_owner, of_admin) = ("of-owner@home.example", "of-admin@home.example");
        let role = format!("/api/users/{}/role", second.id);
        owner.api.patch(&role, &json!({"role": "ADMIN"})).await.expect(200);
        assert_eq!(open(&owner.api).await, [of_owner, "admin-of-second@home.example", of_admin]);
        owner.api.patch(&role, &json!({"role": "BILLING"})).await.expect(200);
        assert_eq!(open(&owner.api).await, [of_owner, of_admin]);
        let path = format!("/api/users/{}", admin.id);
        owner.api.post(&format!("{path}/suspend"), &json!({})).await.expect(200);
        assert_eq!(open(&owner.api).await, [of_owner]);
        owner.api.post(&format!("{path}/reactivate"), &json!({})).await.expect(200);
        accept_new(&app.api, &token).await.expect_problem(401, "unauthorized");
        assert_eq!(open(&owner.api).await, [of_owner], "what has ended stays so");
        app.stop().await;
        assert_eq!(audited(&database, "invitation.revoked").await.len(), 3);
    }
}

#[tokio::test]
async fn an_invitation_is_accepted_or_ends_with_its_giver_whatever_comes_first() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let home = tenant(&app, "home").await;
        let owner = member(&app, &home, "OWNER", "owner@home.example").await;
        for round in 0..6 {
            let admin = member(&app, &home, "ADMIN", &format!("admin-{round}@home.example")).await;
            let token = shown(&admin.api, &format!("new-{round}@home.example"), "MEMBER").await;
            let path = format!("/api/users/{}/suspend", admin.id);
            let nothing = json!({});
            let (accepted, suspended) = futures::join!(accept_new(&app.api, &token), owner.api.post(&path, &nothing));
            suspended.expect(200);
            let people = owner.api.get("/api/users?email_prefix=new-").await.expect(200);
            let people = people["items"].as_array().unwrap().iter();
            let came = people.filter(|one| text(one, "email").starts_with(&format!("new-{round}@"))).count();
            assert_eq!(came == 1, accepted.status == 200, "{accepted:?} on {}", database.name);
            assert!([200, 401].contains(&accepted.status.as_u16()), "{accepted:?}");
            assert!(open(&owner.api).await.is_empty());
        }
        app.stop().await;
    }
}

#[tokio::test]
async fn invitations_that_ended_long_ago_are_deleted() {
    const COUNT: &str = "SELECT CAST(count(*) AS BIGINT) FROM invitations";
    const DAY: Duration = Duration::from_hours(24);
    for database in databases().await {
        let clock = still();
        let app = TestApp::start_at(&database, clock.clone(), |_| {}).await;
        let owner = person(&app, ANN, "OWNER").await.to_string();
        let ann = signed_in(&app, &owner).await;
        let accepted = shown(&ann, BOB, "MEMBER").await;
        accept_new(&app.api, &accepted).await.expect(200);
        for _ in 0..2 {
            shown(&ann, "replaced-then-expired@example.net", "MEMBER").await;
        }
        let counted = async || {
            let retention = Retention { app: Arc::clone(&app.running.app) };
            retention.run_once().await.unwrap();
            let mut read = app.running.app.db.read().await.unwrap();
            control_plane::fetch_one!(read.conn(), (i64,), COUNT).unwrap().0
        };
        assert_eq!(counted().await, 3);
        clock.advance(DAY * 91);
        assert_eq!(counted().await, 1, "what expired 84 days ago is kept");
        let ann = signed_in(&app, &owner).await;
        shown(&ann, "late@example.net", "MEMBER").await;
        clock.advance(DAY * 7);
        assert_eq!(counted().await, 1, "what was open until now is kept");
        try_sign_in(&app.api, BOB, PASSWORD).await.expect(200);
        app.stop().await;
    }
}

#[tokio::test]
async fn one_tenant_s_invitations_do_not_use_up_all_mail() {
    for database in databases().await {
        let (mailbox, clock) = (Mailbox::start(&[]).await, still());
        let app = TestApp::start_at(&database, clock.clone(), |config| mailbox.configure(config)).await;
        let (home, other) = (tenant(&app, "home").await, tenant(&app, "other").await);
        let owner = member(&app, &home, "OWNER", "owner@home.example").await;
        let neighbour = member(&app, &other, "OWNER", "owner@other.example").await;
        // What is refused mails nothing.
        for _ in 0..60 {
            let member = invite(&owner.api, "owner@home.example", "MEMBER").await;
            member.expect_problem(409, "user_is_member");
        }
        for n in 0..51 {
            let email = format!("guest-{n}@example.net");
            let made = invite(&owner.api, &email, "MEMBER").await.expect(201);
            mailbox.next(&email).await;
            let path = format!("/api/users/invitations/{}", text(&made["invitation"], "id"));
            owner.api.delete(&path).await.expect(204);
        }
        let waits = invite(&owner.api, "one-more@example.net", "MEMBER").await;
        waits.expect_problem(429, "too_many_requests");
        assert_eq!(waits.header("retry-after"), "1", "{}", database.name);
        invite(&neighbour.api, "guest@other.example", "MEMBER").await.expect(201);
        mailbox.next("guest@other.example").await;
        clock.advance(Duration::from_secs(1));
        invite(&owner.api, "one-more@example.net", "MEMBER").await.expect(201);
        app.stop().await;
    }
}

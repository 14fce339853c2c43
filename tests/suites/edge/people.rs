use std::time::Duration;

use control_plane::domain::access::Permission;
use control_plane::domain::audit::Actor;
use control_plane::domain::users::UserCreate;
use mpanel_tests::app::{Api, send};
use mpanel_tests::people::{member, staff, tenant, token_of};
use mpanel_tests::signing_in::{PASSWORD, audited, sign_in, signed_in, try_sign_in};
use mpanel_tests::{TestApp, databases, eventually};
use reqwest::Method;
use serde_json::{Value, json};

const USERS: &str = "/api/users";
const ACCEPT: &str = "/api/users/invite/accept";
const TOKENS: &str = "/api/auth/tokens";
const ACCOUNTS: &str = "/api/platform/users";
const SERVERS: &str = "/api/platform/servers";

fn names(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().expect("items").iter();
    items.map(|item| format!("{} {}", item["email"].as_str().unwrap(), item["role"].as_str().unwrap())).collect()
}

async fn invite(by: &Api, email: &str, role: &str) -> (Value, String) {
    let made = by.post(&format!("{USERS}/invite"), &json!({"email": email, "role": role})).await.expect(201);
    let token = made["token"].as_str().expect("without mail the secret is shown to who invites").to_owned();
    (made["invitation"].clone(), token)
}

async fn accept(api: &Api, body: &Value) -> mpanel_tests::Answer {
    send(api.anonymous(Method::POST, ACCEPT).json(body)).await
}

#[tokio::test]
async fn whoever_is_invited_joins_once_as_what_they_were_invited_as() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let home = tenant(&app, "home").await;
        let owner = member(&app, &home, "OWNER", "owner@home.example").await;
        let (first, old) = invite(&owner.api, " Anna@Home.example ", "MEMBER").await;
        assert_eq!((&first["email"], &first["role"]), (&json!("anna@home.example"), &json!("MEMBER")));
        let (second, token) = invite(&owner.api, "anna@home.example", "BILLING").await;
        let open = owner.api.get(&format!("{USERS}/invitations")).await.expect(200);
        assert_eq!(open["items"], json!([second]), "a newer invitation replaces the older");
        let new = |token: &str| json!({"token": token, "name": "Anna", "password": "correct horse battery"});
        accept(&app.api, &new(&old)).await.expect_problem(401, "unauthorized");
        accept(&app.api, &new(&format!("{token}x"))).await.expect_problem(401, "unauthorized");
        accept(&app.api, &json!({"token": token})).await.expect_field("password");
        accept(&app.api, &json!({"token": token, "name": "Anna", "password": "short"})).await.expect_field("password");
        let joined = accept(&app.api, &new(&token)).await.expect(200);
        assert_eq!((&joined["role"], &joined["tenant_id"]), (&json!("BILLING"), &json!(home)));
        accept(&app.api, &new(&token)).await.expect_problem(401, "unauthorized");
        let people = owner.api.get(USERS).await.expect(200);
        assert_eq!(names(&people), ["owner@home.example OWNER", "anna@home.example BILLING"]);
        let some =
            owner.api.get(&format!("{USERS}?role=BILLING&email_prefix=ANNA&state=active&limit=1")).await.expect(200);
        assert_eq!(names(&some), ["anna@home.example BILLING"]);
        let again = json!({"email": "anna@home.example", "role": "MEMBER"});
        owner.api.post(&format!("{USERS}/invite"), &again).await.expect_problem(409, "user_is_member");

        // The same person in another tenant, as something else; their password is not the inviter's to choose.
        let other = tenant(&app, "other").await;
        let boss = member(&app, &other, "OWNER", "owner@other.example").await;
        let (_, token) = invite(&boss.api, "anna@home.example", "ADMIN").await;
        accept(&app.api, &new(&token)).await.expect_problem(401, "unauthorized");
        let anna = signed_in(&app, joined["id"].as_str().unwrap()).await;
        anna.post(ACCEPT, &new(&token)).await.expect_field("password");
        assert_eq!(anna.post(ACCEPT, &json!({"token": token})).await.expect(200)["id"], joined["id"]);
        let path = format!("/api/admin/users/{}", joined["id"].as_str().unwrap());
        app.api.get(&path).await.expect_field("tenant_id");
        assert_eq!(app.api.get(&format!("{path}?tenant_id={other}")).await.expect(200)["role"], "ADMIN");
        let (gone, token) = invite(&boss.api, "late@other.example", "MEMBER").await;
        let path = format!("{USERS}/invitations/{}", gone["id"].as_str().unwrap());
        owner.api.delete(&path).await.expect_problem(404, "not_found");
        boss.api.delete(&path).await.expect(204);
        accept(&app.api, &new(&token)).await.expect_problem(401, "unauthorized");
        app.stop().await;
    }
}

#[tokio::test]
async fn a_suspended_member_is_out_at_once_and_their_tokens_stay_ended() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let home = tenant(&app, "home").await;
        let owner = member(&app, &home, "OWNER", "owner@home.example").await;
        let anna = member(&app, &home, "MEMBER", "anna@home.example").await;
        anna.api.get("/api/provisioning/cloudpods").await.expect(200);
        let path = format!("{USERS}/{}", anna.id);
        let suspended = owner.api.post(&format!("{path}/suspend"), &json!({})).await.expect(200);
        assert_eq!(suspended["state"], "suspended");
        anna.api.get("/api/provisioning/cloudpods").await.expect_problem(401, "unauthorized");
        assert_eq!(owner.api.post(&format!("{path}/suspend"), &json!({})).await.expect(200), suspended, "repeatable");
        let active = owner.api.post(&format!("{path}/reactivate"), &json!({})).await.expect(200);
        assert_eq!((&active["state"], &active["suspended_at"]), (&json!("active"), &Value::Null));
        anna.api.get("/api/provisioning/cloudpods").await.expect_problem(401, "unauthorized");
        let token = token_of(&app, &anna.id, Some(&home), Permission::CloudpodsRead).await;
        let api = app.api.with_token(&token);
        api.get("/api/provisioning/cloudpods").await.expect(200);
        // Another role counts at once as well, for tokens that were made before.
        let patch = owner.api.request(Method::PATCH, &format!("{path}/role")).header("If-Match", "\"1\"");
        send(patch.json(&json!({"role": "BILLING"}))).await.expect_problem(412, "stale");
        owner.api.patch(&format!("{path}/role"), &json!({"role": "BILLING"})).await.expect(200);
        api.get("/api/provisioning/cloudpods").await.expect(200);
        api.get("/api/provisioning/jobs").await.expect_problem(403, "forbidden");
        app.stop().await;
    }
}

#[tokio::test]
async fn nobody_makes_or_unmakes_what_is_above_them() {
    let (app, _database) = TestApp::start().await;
    let home = tenant(&app, "home").await;
    let owner = member(&app, &home, "OWNER", "owner@home.example").await;
    let admin = member(&app, &home, "ADMIN", "admin@home.example").await;
    let clerk = member(&app, &home, "BILLING", "clerk@home.example").await;
    let role = |id: &str| format!("{USERS}/{id}/role");
    for (id, to) in [(&admin.id, "OWNER"), (&clerk.id, "OWNER"), (&owner.id, "MEMBER")] {
        admin.api.patch(&role(id), &json!({"role": to})).await.expect_problem(403, "forbidden");
    }
    for to in ["suspend", "reactivate"] {
        let path = format!("{USERS}/{}/{to}", owner.id);
        admin.api.post(&path, &json!({})).await.expect_problem(403, "forbidden");
    }
    let body = json!({"email": "new@home.example", "role": "OWNER"});
    admin.api.post(&format!("{USERS}/invite"), &body).await.expect_problem(403, "forbidden");
    clerk.api.patch(&role(&clerk.id), &json!({"role": "ADMIN"})).await.expect_problem(403, "forbidden");
    admin.api.patch(&role(&clerk.id), &json!({"role": "ADMIN"})).await.expect(200);
    // What a caller may not set is no field: neither another account's nor their own place above all.
    for field in ["staff", "tenant_id", "suspended_at", "email"] {
        let body = json!({"role": "MEMBER", field: true});
        owner.api.patch(&role(&clerk.id), &body).await.expect_field(field);
    }
    owner.api.patch(&role(&owner.id), &json!({"role": "MEMBER"})).await.expect_problem(409, "last_owner");
    let path = format!("{USERS}/{}/suspend", owner.id);
    owner.api.post(&path, &json!({})).await.expect_problem(409, "last_owner");
    app.api.post(&format!("/api/admin/users/{}/suspend", owner.id), &json!({})).await.expect_problem(409, "last_owner");
    app.stop().await;
}

#[tokio::test]
async fn the_platform_owner_s_address_is_staff_only_where_staff_made_the_account() {
    let database = mpanel_tests::TestDatabase::sqlite();
    let servers = "/api/platform/servers";
    let app = TestApp::start_on(&database).await;
    let home = tenant(&app, "home").await;
    let owner = member(&app, &home, "OWNER", "owner@home.example").await;
    // Somebody takes the address before it is the owner's: it shows nothing of whose it is.
    let (_, early) = invite(&owner.api, "early@platform.example", "MEMBER").await;
    let body = json!({"token": early, "name": "Early", "password": "correct horse battery"});
    let early = accept(&app.api, &body).await.expect(200);
    app.stop().await;
    let set = |address: &str| Some(address.to_owned());
    let app =
        TestApp::start_with(&database, |config| config.people.platform_owner_email = set("early@platform.example"))
            .await;
    let token = token_of(&app, early["id"].as_str().unwrap(), Some(&home), Permission::CloudpodsRead).await;
    app.api.with_token(&token).get(servers).await.expect_problem(403, "forbidden");
    app.stop().await;

    let app =
        TestApp::start_with(&database, |config| config.people.platform_owner_email = set(" Boss@Platform.example "))
            .await;
    let owner = app.api.with_token(&token_of(&app, &owner.id, Some(&home), Permission::UsersWrite).await);
    let body = json!({"email": "boss@platform.example", "role": "MEMBER"});
    owner.post(&format!("{USERS}/invite"), &body).await.expect_field("email");
    app.api.post(&format!("/api/admin/users/invite?tenant_id={home}"), &body).await.expect_field("email");
    let body = json!({"email": "boss@platform.example", "name": "Boss"});
    let boss = app.api.post("/api/platform/users", &body).await.expect(201);
    assert_eq!(boss["staff"], true);
    let token = token_of(&app, boss["id"].as_str().unwrap(), None, Permission::ServersRead).await;
    app.api.with_token(&token).get(servers).await.expect(200);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_with_a_token_that_is_revoked_in_that_moment_is_no_good() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let home = tenant(&app, "home").await;
        let owner = member(&app, &home, "OWNER", "owner@home.example").await;
        let anna = member(&app, &home, "ADMIN", "anna@home.example").await;
        let wish = json!({"name": "child", "permissions": ["tokens:read", "tokens:write"]});
        for round in 0..12 {
            let parent = anna.api.post(TOKENS, &wish).await.expect(201);
            let api = app.api.with_token(parent["secret"].as_str().unwrap());
            let path = format!("/api/admin/tokens/{}", parent["token"]["id"].as_str().unwrap());
            let (made, others, gone) =
                futures::join!(api.post(TOKENS, &wish), api.post(TOKENS, &wish), owner.api.delete(&path));
            gone.expect(204);
            for made in [made, others] {
                // Many tokens that are none come from this address, which is told so.
                let refused = |status: u16| [401, 429].contains(&status);
                assert!(made.status == 201 || refused(made.status.as_u16()), "{round}: {}", made.text);
                if let Some(secret) = made.body["secret"].as_str() {
                    let status = app.api.with_token(secret).get(TOKENS).await.status;
                    assert!(refused(status.as_u16()), "{round} on {}: {status}", database.name);
                }
            }
        }
        app.stop().await;
    }
}

#[tokio::test]
async fn a_repeated_request_is_another_one_once_its_caller_may_do_something_else() {
    let (app, _database) = TestApp::start().await;
    let home = tenant(&app, "home").await;
    let owner = member(&app, &home, "OWNER", "owner@home.example").await;
    let anna = member(&app, &home, "ADMIN", "anna@home.example").await;
    let body = json!({"email": "bob@home.example", "role": "MEMBER"});
    let invite = || anna.api.post_keyed("/api/users/invite", "a-key", &body);
    let first = invite().await;
    assert_eq!(first.status, 201, "{}", first.text);
    let again = invite().await;
    assert_eq!((again.header("idempotency-replayed"), &again.body), ("true", &first.body));
    owner.api.patch(&format!("{USERS}/{}/role", anna.id), &json!({"role": "BILLING"})).await.expect(200);
    let later = invite().await;
    assert!(later.status == 422 && !later.text.contains(first.body["token"].as_str().unwrap()), "{}", later.text);
    app.stop().await;
}

#[tokio::test]
async fn a_token_is_shown_once_never_more_than_its_maker_and_ends_with_who_made_it() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let home = tenant(&app, "home").await;
        let owner = member(&app, &home, "OWNER", "owner@home.example").await;
        let clerk = member(&app, &home, "BILLING", "clerk@home.example").await;
        let wish = |permissions: &[&str]| json!({"name": "ci", "permissions": permissions});
        clerk.api.post(TOKENS, &wish(&["cloudpods:write"])).await.expect_problem(403, "forbidden");
        owner.api.post(TOKENS, &wish(&["servers:read"])).await.expect_problem(403, "forbidden");
        owner.api.post(TOKENS, &wish(&["pods:read"])).await.expect_field("permissions[0]");
        owner.api.post(TOKENS, &wish(&[])).await.expect_field("permissions");
        app.api.post(TOKENS, &wish(&["cloudpods:read"])).await.expect_problem(403, "forbidden");
        let long = json!({"name": "ci", "permissions": ["cloudpods:read"], "expires_in_days": 366});
        owner.api.post(TOKENS, &long).await.expect_field("expires_in_days");
        let made = clerk.api.post(TOKENS, &wish(&["cloudpods:read", "tokens:read", "tokens:write"])).await.expect(201);
        let secret = made["secret"].as_str().unwrap();
        assert!(secret.starts_with("mpanel_") && secret.len() == 50, "{secret}");
        let child = app.api.with_token(secret);
        child.get("/api/provisioning/cloudpods").await.expect(200);
        child.get(USERS).await.expect_problem(403, "forbidden");
        child.post(TOKENS, &wish(&["users:read"])).await.expect_problem(403, "forbidden");
        let later = json!({"name": "ci", "permissions": ["cloudpods:read"], "expires_in_days": 300});
        child.post(TOKENS, &later).await.expect_field("expires_in_days");
        let grandchild = child.post(TOKENS, &wish(&["cloudpods:read"])).await.expect(201);
        assert_eq!(grandchild["token"]["expires_at"], made["token"]["expires_at"], "no child outlives its maker");
        let grandchild = app.api.with_token(grandchild["secret"].as_str().unwrap());
        grandchild.get("/api/provisioning/cloudpods").await.expect(200);
        let used = eventually("the last use is noted", Duration::from_secs(10), async || {
            let page = clerk.api.get(TOKENS).await.expect(200);
            let own = page["items"].as_array().unwrap().iter().find(|one| one["id"] == made["token"]["id"]).cloned();
            own.filter(|one| one["last_used_at"].is_string())
        });
        assert!(!used.await.to_string().contains(secret), "a secret is shown once");
        let id = made["token"]["id"].as_str().unwrap();
        owner.api.delete(&format!("{TOKENS}/{id}")).await.expect_problem(404, "not_found");
        let all = owner.api.get("/api/admin/tokens").await.expect(200);
        assert!(all["items"].as_array().unwrap().iter().any(|one| one["id"] == id), "an owner sees the tenant's");
        owner.api.delete(&format!("/api/admin/tokens/{id}")).await.expect(204);
        child.get("/api/provisioning/cloudpods").await.expect_problem(401, "unauthorized");
        grandchild.get("/api/provisioning/cloudpods").await.expect_problem(401, "unauthorized");
        app.stop().await;
    }
}

#[tokio::test]
async fn who_belongs_to_several_tenants_names_one_and_reaches_no_other() {
    let (app, _database) = TestApp::start().await;
    let (home, other) = (tenant(&app, "home").await, tenant(&app, "other").await);
    let owner = member(&app, &home, "OWNER", "owner@home.example").await;
    let anna = member(&app, &other, "OWNER", "anna@other.example").await;
    let (_, token) = invite(&owner.api, "anna@other.example", "MEMBER").await;
    signed_in(&app, &anna.id).await.post(ACCEPT, &json!({"token": token})).await.expect(200);
    let boss = staff(&app, "boss@platform.example").await;
    // Anna's token is for the other tenant; the one that she makes here is for home.
    let home_token = token_of(&app, &anna.id, Some(&home), Permission::CloudpodsRead).await;
    let at_home = app.api.with_token(&home_token);
    let named = |api: &Api, tenant: &str| {
        send(api.request(Method::GET, "/api/provisioning/cloudpods").header("X-Tenant-Id", tenant))
    };
    named(&at_home, &home).await.expect(200);
    // What she sees of her own tokens there is what is for home.
    let reader = token_of(&app, &anna.id, Some(&home), Permission::TokensRead).await;
    let own = app.api.with_token(&reader).get(TOKENS).await.expect(200);
    let tenants: Vec<_> = own["items"].as_array().unwrap().iter().map(|one| one["tenant_id"].clone()).collect();
    assert_eq!(tenants, vec![json!(home); 2]);
    mpanel_tests::people::tokens_expire(&app, &owner.id).await;
    let all = app.api.get(&format!("/api/admin/tokens?tenant_id={home}")).await.expect(200);
    assert_eq!(all["items"].as_array().unwrap().len(), 2, "what has expired is not shown");
    let owner = app.api.with_token(&token_of(&app, &owner.id, Some(&home), Permission::UsersRead).await);
    named(&at_home, &other).await.expect_problem(404, "not_found");
    named(&anna.api, &home).await.expect_problem(404, "not_found");
    named(&boss.api, &home).await.expect(200);
    named(&boss.api, "0198c5b2-7d43-7c1e-8a5f-6f0d4c2b9e11").await.expect_problem(404, "not_found");
    named(&owner, "home").await.expect_field("X-Tenant-Id");
    owner.get("/api/admin/users?tenant_id=home").await.expect_field("tenant_id");
    owner.get(&format!("/api/admin/users?tenant_id={other}")).await.expect_problem(404, "not_found");
    owner.get(&format!("{USERS}/{}?tenant_id={other}", anna.id)).await.expect_problem(404, "not_found");
    assert_eq!(boss.api.get("/api/admin/users").await.expect(200)["items"].as_array().unwrap().len(), 3);
    app.stop().await;
}

fn emails(page: &Value) -> Vec<&str> {
    page["items"].as_array().expect("items").iter().map(|item| item["email"].as_str().expect("an address")).collect()
}

/// Nothing comes of what somebody asked for who was let in and then shut out before it was written down.
async fn shut_out_meanwhile(app: &TestApp, who: &str, other: &str) {
    let (actor, users) = (Actor::person(who.parse().unwrap()), &app.running.app.users);
    let email = "late@platform.example".to_owned();
    let wanted = UserCreate { email, name: "Late".to_owned(), password: None, membership: None, staff: true };
    let recovered = users.account_recover(&actor, other.parse().unwrap()).await.map(|_| ());
    for refused in [users.user_create(&actor, wanted).await.map(|_| ()), recovered] {
        assert_eq!(refused.unwrap_err().code(), "forbidden");
    }
}

#[tokio::test]
async fn a_member_of_staff_who_left_is_out_at_once() {
    const EVE: &str = "eve@platform.example";
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let boss = staff(&app, "boss@platform.example").await;
        let home = tenant(&app, "home").await;
        let anna = member(&app, &home, "OWNER", "anna@home.example").await;
        let body = json!({"email": EVE, "name": "Eve", "password": PASSWORD, "staff": true});
        let eve = boss.api.post(ACCOUNTS, &body).await.expect(201)["id"].as_str().unwrap().to_owned();
        let (session, _) = sign_in(&app.api, EVE).await;
        let program = app.api.with_token(&token_of(&app, &eve, None, Permission::ServersRead).await);
        let wish = json!({"email": "eve@elsewhere.example", "role": "OWNER"});
        let given = session.post(&format!("/api/admin/users/invite?tenant_id={home}"), &wish).await.expect(201);
        let all = boss.api.get(&format!("{ACCOUNTS}?staff=true")).await.expect(200);
        assert_eq!(emails(&all), ["boss@platform.example", EVE], "{}", database.name);
        let others = boss.api.get(&format!("{ACCOUNTS}?staff=false&email_prefix=ANNA")).await.expect(200);
        assert_eq!(emails(&others), ["anna@home.example"]);
        for (asked, found) in [("email=ANNA@home.example", vec!["anna@home.example"]), ("email=anna@home", vec![])] {
            assert_eq!(emails(&boss.api.get(&format!("{ACCOUNTS}?{asked}")).await.expect(200)), found, "{asked}");
        }

        let path = format!("{ACCOUNTS}/{eve}");
        let suspend = format!("{path}/suspend");
        anna.api.post(&suspend, &json!({})).await.expect_problem(403, "forbidden");
        session.post(&suspend, &json!({})).await.expect_problem(409, "own_account");
        session.get(SERVERS).await.expect(200);
        let out = boss.api.post(&suspend, &json!({})).await.expect(200);
        assert_eq!((&out["state"], &out["staff"]), (&json!("suspended"), &json!(true)));
        for api in [&session, &program] {
            api.get(SERVERS).await.expect_problem(401, "unauthorized");
        }
        try_sign_in(&app.api, EVE, PASSWORD).await.expect_problem(401, "unauthorized");
        shut_out_meanwhile(&app, &eve, &boss.id).await;
        let new = json!({"token": given["token"], "name": "Eve", "password": PASSWORD});
        accept(&app.api, &new).await.expect_problem(401, "unauthorized");
        assert_eq!(boss.api.post(&suspend, &json!({})).await.expect(200), out, "repeatable");
        let listed = boss.api.get(&format!("{ACCOUNTS}?state=suspended")).await.expect(200);
        assert_eq!(listed["items"], json!([out]));

        // Let in again, what has ended stays ended.
        boss.api.post(&format!("{path}/reactivate"), &json!({})).await.expect(200);
        for api in [&session, &program] {
            api.get(SERVERS).await.expect_problem(401, "unauthorized");
        }
        let (session, _) = sign_in(&app.api, EVE).await;
        session.get(SERVERS).await.expect(200);
        // Of the staff no longer, and a member of nothing: out as well.
        let patch = |tag: &str| boss.api.request(Method::PATCH, &path).header("If-Match", tag.to_owned());
        send(patch("\"1\"").json(&json!({"staff": false}))).await.expect_problem(412, "stale");
        let read = boss.api.get(&path).await;
        let unmade = send(patch(read.header("etag")).json(&json!({"staff": false}))).await.expect(200);
        assert_eq!(unmade["staff"], false);
        session.get(SERVERS).await.expect_problem(401, "unauthorized");
        try_sign_in(&app.api, EVE, PASSWORD).await.expect_problem(401, "unauthorized");
        app.stop().await;
        assert_eq!(audited(&database, "user.account_suspended").await.len(), 1);
        let ended = audited(&database, "session.ended").await;
        assert!(
            ended.len() == 2 && ended[0].contains("suspended") && ended[1].contains("no_longer_staff"),
            "{ended:?}"
        );
    }
}

#[tokio::test]
async fn who_has_an_account_becomes_staff_and_the_last_of_the_staff_cannot_be_lost() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let boss = staff(&app, "boss@platform.example").await;
        let home = tenant(&app, "home").await;
        let anna = member(&app, &home, "OWNER", "anna@home.example").await;
        let (of_boss, of_anna) = (format!("{ACCOUNTS}/{}", boss.id), format!("{ACCOUNTS}/{}", anna.id));
        for (method, path, body) in [
            (Method::PATCH, of_boss.clone(), json!({"staff": false})),
            (Method::POST, format!("{of_boss}/suspend"), json!({})),
        ] {
            send(app.api.request(method, &path).json(&body)).await.expect_problem(409, "last_staff");
        }
        let (_, token) = invite(&anna.api, "bob@home.example", "MEMBER").await;
        let new = json!({"token": token, "name": "Bob", "password": PASSWORD});
        let bob = accept(&app.api, &new).await.expect(200);
        let of_bob = format!("{ACCOUNTS}/{}", bob["id"].as_str().unwrap());
        boss.api.patch(&of_bob, &json!({"staff": true})).await.expect_problem(409, "email_unproven");
        assert_eq!(boss.api.patch(&of_anna, &json!({"staff": true})).await.expect(200)["staff"], true);
        let anna_s = app.api.with_token(&token_of(&app, &anna.id, None, Permission::UsersManage).await);
        // Two who decide over each other at the same moment leave one.
        let (nothing, one, other) = (json!({}), format!("{of_boss}/suspend"), format!("{of_anna}/suspend"));
        let (first, second) = futures::join!(anna_s.post(&one, &nothing), boss.api.post(&other, &nothing));
        let statuses = [first.status.as_u16(), second.status.as_u16()];
        assert!(
            statuses.contains(&200) && statuses.iter().all(|one| [200, 401, 403, 409].contains(one)),
            "{statuses:?}"
        );
        let left = app.api.get(&format!("{ACCOUNTS}?staff=true&state=active")).await.expect(200);
        assert_eq!(emails(&left).len(), 1, "{}: {statuses:?}", database.name);
        // A tenant's owner whose account is suspended does not come in either, and its members are shown so.
        app.api.post(&format!("{of_bob}/suspend"), &nothing).await.expect(200);
        let shown = app.api.get(&format!("/api/admin/users/{}", bob["id"].as_str().unwrap())).await.expect(200);
        assert!(shown["account_suspended_at"].is_string() && shown["state"] == "active", "{shown}");
        try_sign_in(&app.api, "bob@home.example", PASSWORD).await.expect_problem(401, "unauthorized");
        app.stop().await;
    }
}

#[tokio::test]
async fn a_token_that_staff_made_for_a_tenant_is_staff_s() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let home = tenant(&app, "home").await;
        let owner = member(&app, &home, "OWNER", "owner@home.example").await;
        let boss = staff(&app, "boss@platform.example").await;
        let token = app.api.with_token(&token_of(&app, &boss.id, Some(&home), Permission::CloudpodsRead).await);
        let all = boss.api.get("/api/admin/tokens").await.expect(200);
        let found = all["items"].as_array().unwrap().iter().find(|one| {
            (one["tenant_id"].as_str(), one["user_id"].as_str()) == (Some(home.as_str()), Some(boss.id.as_str()))
        });
        let path = format!("/api/admin/tokens/{}", found.expect("the token")["id"].as_str().unwrap());
        owner.api.delete(&path).await.expect_problem(404, "not_found");
        token.get("/api/provisioning/cloudpods").await.expect(200);
        boss.api.delete(&path).await.expect(204);
        token.get("/api/provisioning/cloudpods").await.expect_problem(401, "unauthorized");
        app.stop().await;
    }
}

//! Names beside ids: whoever reads a list need not look each of them up.

use control_plane::clock::Ms;
use control_plane::domain::audit::{Actor, Record, audit_append};
use control_plane::execute;
use control_plane::ids::{JobId, TenantId};
use mpanel_tests::databases;
use mpanel_tests::people::{member, staff, tenant};
use serde_json::{Value, json};

use super::pods::pod;
use super::{Host, NOW, at_rest, catalogue};

/// The item of a list of which this holds.
fn item(list: &Value, holds: impl Fn(&Value) -> bool) -> &Value {
    let items = list["items"].as_array().unwrap();
    items.iter().find(|item| holds(item)).unwrap_or_else(|| panic!("it is not in {list}"))
}

#[tokio::test]
async fn people_tokens_invitations_and_webhooks_name_their_tenants_and_makers() {
    for database in databases().await {
        let app = at_rest(&database).await;
        let home = tenant(&app, "home").await;
        let boss = staff(&app, "boss@platform.example").await.api;
        let owner = member(&app, &home, "OWNER", "anna@home.example").await;

        let users = owner.api.get("/api/users").await.expect(200);
        assert_eq!(users["items"][0]["tenant_name"], "home", "{}", database.name);
        let one = owner.api.get(&format!("/api/users/{}", owner.id)).await.expect(200);
        assert_eq!(one["tenant_name"], "home");

        let invite = json!({ "email": "bob@home.example", "role": "MEMBER" });
        let made = owner.api.post("/api/users/invite", &invite).await.expect(201);
        assert_eq!(made["invitation"]["tenant_name"], "home");
        let by_staff = json!({ "email": "eve@home.example", "role": "MEMBER" });
        boss.post(&format!("/api/admin/users/invite?tenant_id={home}"), &by_staff).await.expect(201);
        let mail = |list: &Value, email: &str| item(list, |one| one["email"] == email)["invited_by_name"].clone();
        let own = owner.api.get("/api/users/invitations").await.expect(200);
        // By a token that she made.
        assert_eq!(mail(&own, "bob@home.example"), "anna@home.example (test)", "{}", database.name);
        assert_eq!(mail(&own, "eve@home.example"), Value::Null, "a tenant is not told who the staff are");
        let whole = boss.get("/api/admin/users/invitations").await.expect(200);
        assert_eq!(mail(&whole, "eve@home.example"), "boss@platform.example (test)");

        let tokens = boss.get("/api/admin/tokens").await.expect(200);
        let hers = item(&tokens, |one| one["user_email"] == "anna@home.example");
        assert_eq!((&hers["tenant_name"], &hers["user_id"]), (&json!("home"), &json!(owner.id)), "{}", database.name);
        assert_eq!(item(&tokens, |one| one["user_email"] == "boss@platform.example")["tenant_name"], Value::Null);
        let of_hers = boss.get(&format!("/api/admin/tokens?user_id={}", owner.id)).await.expect(200);
        assert_eq!(of_hers["items"].as_array().unwrap().len(), 1, "{of_hers}");
        let own = owner.api.get(&format!("/api/admin/tokens?user_id={}", owner.id)).await.expect(200);
        assert_eq!(own["items"], of_hers["items"]);
        let stranger = member(&app, &tenant(&app, "other").await, "OWNER", "owner@other.example").await.api;
        let none = stranger.get(&format!("/api/admin/tokens?user_id={}", owner.id)).await.expect(200);
        assert_eq!(none["items"], json!([]), "what is another tenant's is not there");

        let hook = json!({ "name": "ci", "url": "https://example.com/hook", "events": [] });
        let made = owner.api.post("/api/admin/webhooks", &hook).await.expect(201);
        assert_eq!(made["webhook"]["tenant_name"], "home");
        let hooks = boss.get("/api/admin/webhooks").await.expect(200);
        assert_eq!(hooks["items"][0]["tenant_name"], "home", "{}", database.name);
        app.stop().await;
    }
}

#[tokio::test]
async fn the_audit_and_the_jobs_name_who_acted_as_far_as_the_reader_may_know() {
    const JOB: &str = "
        INSERT INTO jobs (id, tenant_id, kind, state, params, step, step_count, attempt, attempts_max, run_at, epoch,
                          cancel_requested, step_progress, created_by, created_at, finished_at, updated_at)
        VALUES ($1, $2, 'start', 'succeeded', '{}', 1, 1, 1, 1, 1, 9, FALSE, 0, $3, $4, $4, $4)";
    for database in databases().await {
        let app = at_rest(&database).await;
        let (home, server) = (tenant(&app, "home").await, Host::new("pve1").insert(&app).await);
        let boss = staff(&app, "boss@platform.example").await;
        let owner = member(&app, &home, "OWNER", "anna@home.example").await;
        let of = Some(home.parse::<TenantId>().unwrap());
        let (user, agent, job) = (format!("user:{}", owner.id), format!("agent:{server}"), JobId::generate());
        let mut tx = app.running.app.db.begin().await.unwrap();
        execute!(tx.conn(), JOB, job, of, user.as_str(), NOW).unwrap();
        for (actor, id) in [
            (Actor::person(owner.id.parse().unwrap()), "1"),
            (Actor::person(boss.id.parse().unwrap()), "2"),
            (Actor::agent(server), "3"),
            (Actor::system("test"), "4"),
        ] {
            let (tenant, target_id) = (of, id.to_owned());
            let record = Record { actor: &actor, tenant, action: "thing.seen", target_kind: "thing", target_id };
            audit_append(&mut tx, NOW, record, &json!({})).await.unwrap();
        }
        tx.commit().await.unwrap();
        let path = "/api/admin/audit?action=thing.seen&sort=created_at";
        let names = |list: &Value| {
            let of = |item: &Value| (item["tenant_name"].clone(), item["actor_name"].clone());
            list["items"].as_array().unwrap().iter().map(of).collect::<Vec<_>>()
        };
        let named = |name: &str| (json!("home"), json!(name));
        let unnamed = (json!("home"), Value::Null);
        let (anna, chief, host) = (named("anna@home.example"), named("boss@platform.example"), named("pve1"));
        let whole = boss.api.get(path).await.expect(200);
        assert_eq!(names(&whole), [anna.clone(), chief, host, unnamed.clone()], "{}", database.name);
        assert_eq!(whole["items"][2]["actor"], json!(agent), "the id stays");
        let own = owner.api.get(path).await.expect(200);
        assert_eq!(names(&own), [anna, unnamed.clone(), unnamed.clone(), unnamed], "{}", database.name);
        let last = boss.api.get("/api/admin/audit?action=thing.seen&limit=1").await.expect(200);
        assert_eq!(last["items"][0]["target_id"], "4", "the newest first when nothing else is asked for");
        let record = format!("/api/admin/audit/records/{}", whole["items"][0]["id"].as_str().unwrap());
        assert_eq!(boss.api.get(&record).await.expect(200)["actor_name"], "anna@home.example");
        let export = boss.api.get("/api/admin/audit/export?action=thing.seen").await;
        assert!(export.status == 200 && !export.text.contains("actor_name"), "what is hashed has no names");

        let shown = owner.api.get(&format!("/api/provisioning/jobs/{job}")).await.expect(200);
        assert_eq!(shown["created_by_name"], "anna@home.example", "{}", database.name);
        assert_eq!(shown["tenant_name"], "home");
        let list = owner.api.get("/api/provisioning/jobs").await.expect(200);
        assert_eq!(list["items"][0]["created_by_name"], "anna@home.example");
        assert_eq!(list["items"][0]["tenant_name"], "home");
        app.stop().await;
    }
}

#[tokio::test]
async fn pods_and_images_name_their_tenants() {
    const OWN: &str = "UPDATE images SET tenant_id = $1 WHERE id = $2";
    for database in databases().await {
        let app = at_rest(&database).await;
        let boss = staff(&app, "boss@platform.example").await.api;
        let of = catalogue(&app).await;
        let (tenant, _, image) = of;
        let pod = pod(&app, of, ("active", "running"), None).await;
        let mut tx = app.running.app.db.begin().await.unwrap();
        execute!(tx.conn(), OWN, tenant, image).unwrap();
        tx.commit().await.unwrap();
        let (images, pods) = ("/api/platform/images", "/api/platform/provisioning/cloudpods");
        for path in [images.to_owned(), format!("{images}?active=true"), pods.to_owned()] {
            let list = boss.get(&path).await.expect(200);
            assert_eq!(list["items"][0]["tenant_name"], format!("tenant-{tenant}"), "{} {path}", database.name);
        }
        for path in [format!("{images}/{image}"), format!("{pods}/{pod}")] {
            let one = boss.get(&path).await.expect(200);
            assert_eq!(one["tenant_name"], format!("tenant-{tenant}"), "{} {path}", database.name);
        }
        app.stop().await;
    }
}

#[tokio::test]
async fn a_customer_s_subscriptions_and_events_are_named() {
    const SQL: &str =
        "INSERT INTO subscriptions (id, tenant_id, plan_id, status, price_minor, currency, interval_months, created_at,
                                                  updated_at) VALUES ($1, $2, $3, 'active', 500, 'EUR', 1, 1, 1)";
    for database in databases().await {
        let app = at_rest(&database).await;
        let (tenant, plan, _) = catalogue(&app).await;
        member(&app, &tenant.to_string(), "OWNER", "anna@home.example").await;
        let mut tx = app.running.app.db.begin().await.unwrap();
        execute!(tx.conn(), SQL, uuid::Uuid::now_v7(), tenant, plan).unwrap();
        tx.commit().await.unwrap();
        let seen = app.api.get(&format!("/api/platform/customers/{tenant}")).await.expect(200);
        let subscription = &seen["subscriptions"][0];
        assert_eq!(subscription["plan_name"], format!("plan-{plan}"), "{} {seen}", database.name);
        assert_eq!(subscription["cloudpod_name"], Value::Null);
        let made = seen["events"].as_array().unwrap().iter().find(|one| one["action"] == "user.created").unwrap();
        assert_eq!(made["actor_name"], "bootstrap", "{made}");
        app.stop().await;
    }
}

#[tokio::test]
async fn a_server_shows_the_newest_certificate_of_its_agent_that_counts() {
    const SQL: &str = "INSERT INTO agent_certificates (serial, server_id, issued_at, not_after, revoked_at) VALUES ($1, $2, $3, $4, $5)";
    for database in databases().await {
        let app = at_rest(&database).await;
        let (first, second) = (Host::new("pve1").insert(&app).await, Host::new("pve2").insert(&app).await);
        let mut tx = app.running.app.db.begin().await.unwrap();
        let day = 24 * 3_600_000;
        for (serial, server, issued, revoked) in [
            ("01", first, NOW.0 - 2000, None),
            ("02", first, NOW.0 - 1000, None),
            ("03", first, NOW.0, Some(NOW)),
            ("04", second, NOW.0, Some(NOW)),
        ] {
            execute!(tx.conn(), SQL, serial, server, issued, Ms(issued + day), revoked).unwrap();
        }
        tx.commit().await.unwrap();
        let certificate =
            json!({ "serial": "02", "issued_at": "2026-11-01T11:59:59Z", "not_after": "2026-11-02T11:59:59Z" });
        let one = app.api.get("/api/platform/servers/pve1").await.expect(200);
        assert_eq!(one["certificate"], certificate, "{}", database.name);
        let list = app.api.get("/api/platform/servers?sort=name").await.expect(200);
        let of = |i: usize| &list["items"][i]["certificate"];
        assert_eq!((of(0), of(1)), (&certificate, &Value::Null), "{}", database.name);
        app.stop().await;
    }
}

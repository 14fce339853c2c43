//! Customers: what the platform knows of tenants, what they bring, and how they are doing.

use std::sync::Arc;
use std::time::Duration;

use control_plane::clock::Ms;
use control_plane::execute;
use control_plane::ids::{OrderId, SubscriptionId, TenantId, UserId};
use control_plane::loops::Loop as _;
use control_plane::loops::retention::Retention;
use mpanel_tests::app::send;
use mpanel_tests::people::{member, staff, tenant};
use mpanel_tests::signing_in::signed_in;
use mpanel_tests::{TestApp, databases};
use reqwest::Method;
use serde_json::{Value, json};

const PLATFORM: &str = "/api/platform/customers";
const ADMIN: &str = "/api/admin/customers";

/// An order as billing will write it; due so many days from now.
async fn order(app: &TestApp, tenant: &str, (status, amount_minor, currency): (&str, i64, &str), due_days: i64) {
    const SQL: &str =
        "INSERT INTO orders (id, tenant_id, status, amount_minor, currency, description, due_at, paid_at, created_at)
         VALUES ($1, $2, $3, $4, $5, 'hosting', $6, $7, $8)";
    let now = app.running.app.clock.now();
    let (id, tenant) = (OrderId::generate(), tenant.parse::<TenantId>().unwrap());
    let due = Ms(now.0 + due_days * 86_400_000);
    let paid = ["paid", "refunded"].contains(&status).then_some(now);
    let mut tx = app.running.app.db.begin().await.unwrap();
    execute!(tx.conn(), SQL, id, tenant, status, amount_minor, currency, due, paid, now).unwrap();
    tx.commit().await.unwrap();
}

async fn subscription(app: &TestApp, tenant: &str) {
    const SQL: &str =
        "INSERT INTO subscriptions (id, tenant_id, status, price_minor, currency, interval_months, created_at, updated_at)
         VALUES ($1, $2, 'active', 990, 'EUR', 1, $3, $3)";
    let now = app.running.app.clock.now();
    let mut tx = app.running.app.db.begin().await.unwrap();
    execute!(tx.conn(), SQL, SubscriptionId::generate(), tenant.parse::<TenantId>().unwrap(), now).unwrap();
    tx.commit().await.unwrap();
}

fn names(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
}

fn part<'a>(customer: &'a Value, name: &str) -> &'a Value {
    customer["health"]["parts"].as_array().unwrap().iter().find(|part| part["name"] == name).expect("the part")
}

#[tokio::test]
async fn the_platform_sees_what_its_customers_bring_in_each_currency() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let boss = staff(&app, "boss@platform.example").await.api;
        let (acme, beta, idle) = (tenant(&app, "acme").await, tenant(&app, "beta").await, tenant(&app, "idle").await);
        for (whose, paid) in
            [(&acme, ("paid", 1000, "EUR")), (&acme, ("paid", 501, "EUR")), (&beta, ("paid", 500, "EUR"))]
        {
            order(&app, whose, paid, 7).await;
        }
        for (status, amount, currency) in
            [("paid", 700, "USD"), ("refunded", 9999, "EUR"), ("open", 8888, "EUR"), ("cancelled", 7777, "EUR")]
        {
            order(&app, &acme, (status, amount, currency), 7).await;
        }
        boss.post(&format!("/api/admin/tenants/{idle}/suspend"), &json!({ "reason": "gone" })).await.expect(200);

        let page = boss.get(PLATFORM).await.expect(200);
        let revenue = json!([
            { "currency": "EUR", "total_minor": 2001, "customers": 2, "average_minor": 1000 },
            { "currency": "USD", "total_minor": 700, "customers": 1, "average_minor": 700 },
        ]);
        assert_eq!(page["kpis"], json!({ "total": 4, "active": 3, "revenue": revenue }), "{}", database.name);
        let of = |name: &str| page["items"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap();
        let own = json!([{ "currency": "EUR", "amount_minor": 1501 }, { "currency": "USD", "amount_minor": 700 }]);
        assert_eq!(of("acme")["revenue"], own);
        assert_eq!(of("idle")["revenue"], json!([]));
        app.stop().await;
    }
}

#[tokio::test]
async fn customers_are_searched_filtered_and_sorted_page_by_page() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let boss = staff(&app, "boss@platform.example").await.api;
        for (name, company) in [("c-one", "Blue 100% GmbH"), ("a-two", "Green_Ltd"), ("b-three", "blue skies")] {
            let body = json!({ "name": name, "profile": { "company": company } });
            boss.post(ADMIN, &body).await.expect(201);
        }
        let two = boss.get(&format!("{PLATFORM}?q=a-two")).await.expect(200)["items"][0]["tenant_id"].clone();
        order(&app, two.as_str().unwrap(), ("open", 100, "EUR"), -3).await;
        let get = async |query: &str| boss.get(&format!("{PLATFORM}?{query}")).await.expect(200);
        for (query, expected) in [
            ("sort=-created_at", vec!["b-three", "a-two", "c-one", "Default"]),
            ("sort=created_at", vec!["Default", "c-one", "a-two", "b-three"]),
            ("sort=name&q=BLUE", vec!["b-three", "c-one"]),
            ("sort=-name&q=blue", vec!["c-one", "b-three"]),
            ("q=100%25", vec!["c-one"]),
            ("q=n_l", vec!["a-two"]),
            ("q=nobody", vec![]),
            ("overdue=true", vec!["a-two"]),
            ("overdue=false&q=-", vec!["b-three", "c-one"]),
            ("suspended=true", vec![]),
        ] {
            assert_eq!(names(&get(query).await), expected, "{query} on {}", database.name);
        }
        for sort in ["name", "-name", "created_at", "-created_at"] {
            let all = get(&format!("sort={sort}")).await;
            let (mut seen, mut token) = (Vec::new(), String::new());
            loop {
                let page = get(&format!("sort={sort}&limit=1{token}")).await;
                assert_eq!(page["kpis"].is_null(), !token.is_empty(), "the figures are on the first page");
                seen.extend(names(&page).into_iter().map(str::to_owned));
                let Some(next) = page["next_page_token"].as_str() else { break };
                token = format!("&page_token={next}");
            }
            assert_eq!(seen, names(&all), "{sort}");
        }
        boss.get(&format!("{PLATFORM}?sort=health")).await.expect_field("sort");
        boss.get(&format!("{PLATFORM}?q=")).await.expect_field("q");
        app.stop().await;
    }
}

#[tokio::test]
async fn capitals_beyond_ascii_are_found_and_of_before_an_upgrade_as_well() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let boss = staff(&app, "boss@platform.example").await.api;
        boss.post(ADMIN, &json!({ "name": "ÖKO Strom" })).await.expect(201);
        // As an earlier version has left it.
        tenant(&app, "ÄPFEL").await;
        let found = async |query: &str| {
            let page = boss.get(&format!("{PLATFORM}?q={query}")).await.expect(200);
            names(&page).into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(found("%C3%B6ko").await, ["ÖKO Strom"], "{}", database.name);
        Retention { app: Arc::clone(&app.running.app) }.run_once().await.unwrap();
        assert_eq!(found("%C3%A4pfel").await, ["ÄPFEL"], "{}", database.name);
        let id = boss.get(&format!("{PLATFORM}?q=strom")).await.expect(200)["items"][0]["tenant_id"].clone();
        let path = format!("/api/admin/tenants/{}", id.as_str().unwrap());
        boss.patch(&path, &json!({ "name": "ÜBER" })).await.expect(200);
        assert_eq!((found("%C3%BCber").await, found("%C3%B6ko").await), (vec!["ÜBER".to_owned()], vec![]));
        app.stop().await;
    }
}

#[tokio::test]
async fn a_customer_is_shown_as_a_whole_with_why_it_is_doing_so() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let boss = staff(&app, "boss@platform.example").await.api;
        let acme = tenant(&app, "acme").await;
        let owner = member(&app, &acme, "OWNER", "owner@acme.example").await.api;
        boss.patch(&format!("/api/admin/tenants/{acme}/quotas"), &json!({ "pods": 0 })).await.expect(200);
        subscription(&app, &acme).await;
        let path = format!("{PLATFORM}/{acme}");
        let well = boss.get(&path).await.expect(200);
        assert_eq!(well["customer"]["health"]["score"], 100, "{} {well}", database.name);
        let weights: u64 = well["customer"]["health"]["parts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|part| part["weight"].as_u64().unwrap())
            .sum();
        assert_eq!(weights, 100);

        order(&app, &acme, ("open", 990, "EUR"), -40).await;
        order(&app, &acme, ("open", 990, "EUR"), 10).await;
        let late = boss.get(&path).await.expect(200);
        let overdue = part(&late["customer"], "overdue_payment");
        assert_eq!((&overdue["score"], &overdue["value"]), (&json!(0), &json!(40)));
        assert_eq!(overdue["reason"], "1 order(s) overdue, the oldest for 40 day(s)");
        assert_eq!(late["customer"]["health"]["score"], 65);
        assert_eq!(late["orders"].as_array().unwrap().len(), 2);
        assert_eq!(late["subscriptions"][0]["price"], json!({ "currency": "EUR", "amount_minor": 990 }));
        assert_eq!(late["users"][0]["email"], "owner@acme.example");
        assert_eq!(late["quotas"]["pods"], json!({ "limit": 0, "used": 0 }));
        assert_eq!(late["cloudpods"], json!([]));
        let actions: Vec<_> =
            late["events"].as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap()).collect();
        assert!(actions.contains(&"tenant.quotas_updated") && actions.contains(&"user.created"), "{actions:?}");

        boss.post(&format!("/api/admin/tenants/{acme}/suspend"), &json!({ "reason": "unpaid" })).await.expect(200);
        let out = boss.get(&path).await.expect(200);
        assert_eq!(part(&out["customer"], "suspended_pods")["score"], 0);
        assert_eq!(out["customer"]["health"]["score"], 45);

        owner.get(&path).await.expect_problem(403, "forbidden");
        owner.get(&format!("{ADMIN}/{acme}")).await.expect_problem(403, "forbidden");
        boss.get(&format!("{PLATFORM}/0198c5b2-7d43-7c1e-8a5f-6f0d4c2b9e10")).await.expect_problem(404, "not_found");
        app.stop().await;
    }
}

#[tokio::test]
async fn who_stays_away_is_doing_worse() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let boss = staff(&app, "boss@platform.example").await.api;
        let quiet = tenant(&app, "quiet").await;
        let ago = app.running.app.clock.now().minus(Duration::from_hours(24 * 90));
        let mut tx = app.running.app.db.begin().await.unwrap();
        execute!(
            tx.conn(),
            "UPDATE tenants SET created_at = $1 WHERE id = $2",
            ago,
            quiet.parse::<TenantId>().unwrap()
        )
        .unwrap();
        tx.commit().await.unwrap();
        let away = boss.get(&format!("{PLATFORM}/{quiet}")).await.expect(200);
        let inactivity = part(&away["customer"], "inactivity");
        assert_eq!((&inactivity["score"], &inactivity["value"]), (&json!(0), &json!(90)), "{}", database.name);
        // So is somebody who stays signed in, and has not signed in for long.
        let stays = tenant(&app, "stays").await;
        let anna = member(&app, &stays, "OWNER", "anna@stays.example").await;
        signed_in(&app, &anna.id).await;
        let mut tx = app.running.app.db.begin().await.unwrap();
        let user = anna.id.parse::<UserId>().unwrap();
        execute!(tx.conn(), "UPDATE users SET last_sign_in_at = $1 WHERE id = $2", ago, user).unwrap();
        execute!(tx.conn(), "UPDATE tenants SET created_at = $1 WHERE name = 'stays'", ago).unwrap();
        tx.commit().await.unwrap();
        let here = boss.get(&format!("{PLATFORM}/{stays}")).await.expect(200);
        assert_eq!(part(&here["customer"], "inactivity")["score"], 100, "{}", database.name);
        // A token that is used is somebody who is here.
        let owner = member(&app, &quiet, "OWNER", "owner@quiet.example").await.api;
        owner.get("/api/auth/me").await.expect(200);
        mpanel_tests::eventually("the use is noted", mpanel_tests::pod_bench::SOON, async || {
            let here = boss.get(&format!("{PLATFORM}/{quiet}")).await.expect(200);
            (part(&here["customer"], "inactivity")["score"] == 100).then_some(())
        })
        .await;
        app.stop().await;
    }
}

#[tokio::test]
async fn a_profile_is_written_changed_and_deleted() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let boss = staff(&app, "boss@platform.example").await.api;
        let acme = tenant(&app, "acme").await;
        let path = format!("{ADMIN}/{acme}");
        let none = boss.get(&path).await;
        assert_eq!(none.header("etag"), "\"0\"", "{}", database.name);
        assert_eq!(none.expect(200)["profile"]["company"], "");
        let patch = |tag: &str, body: Value| boss.request(Method::PATCH, &path).header("If-Match", tag).json(&body);
        let body = json!({ "company": "Acme GmbH", "country": "DE", "address": "Way 1\n12345 Town" });
        let made = send(patch("\"0\"", body)).await.expect(200);
        assert_eq!((&made["version"], &made["profile"]["country"]), (&json!(1), &json!("DE")));
        send(patch("\"0\"", json!({ "note": "x" }))).await.expect_problem(412, "stale");
        let changed = send(patch("\"1\"", json!({ "note": "pays late", "country": "" }))).await.expect(200);
        assert_eq!((&changed["profile"]["company"], &changed["profile"]["country"]), (&json!("Acme GmbH"), &json!("")));
        boss.patch(&path, &json!({ "country": "Germany" })).await.expect_field("country");
        boss.patch(&path, &json!({ "vip": true })).await.expect_field("vip");

        let audit = boss.get("/api/admin/audit?action=customer.updated").await.expect(200);
        assert_eq!(audit["items"][0]["detail"]["after"]["note"], "pays late");
        let owner = member(&app, &acme, "OWNER", "owner@acme.example").await.api;
        let seen = owner.get("/api/admin/audit?target_kind=customer").await.expect(200);
        assert_eq!(seen["items"], json!([]), "what the platform notes of a customer is not for its people");

        assert_eq!(boss.delete(&path).await.status, 204);
        boss.delete(&path).await.expect_problem(404, "not_found");
        assert_eq!(boss.get(&path).await.expect(200)["profile"]["company"], "", "the tenant stays");
        let made = boss.post(ADMIN, &json!({ "name": "beta", "profile": { "company": "Beta" } })).await;
        assert_eq!(made.header("location"), format!("{ADMIN}/{}", made.body["tenant_id"].as_str().unwrap()));
        boss.post(ADMIN, &json!({ "name": "beta" })).await.expect_problem(409, "tenant_name_taken");
        let listed = boss.get(&format!("{ADMIN}?q=beta")).await.expect(200);
        assert_eq!(listed["items"][0]["profile"]["company"], "Beta");
        app.stop().await;
    }
}

//! Lists in every order, page by page: nothing is left out and nothing comes twice.

use mpanel_tests::Api;
use mpanel_tests::databases;
use mpanel_tests::people::{member, staff, tenant};
use serde_json::json;

use super::pods::pod;
use super::{at_rest, catalogue, column};

/// A column of a whole list, read two by two.
async fn walked(api: &Api, path: &str, name: &str) -> Vec<String> {
    let (mut all, mut token) = (Vec::new(), None);
    for _ in 0..50 {
        let next = token.map_or_else(String::new, |token: String| format!("&page_token={token}"));
        let page = api.get(&format!("{path}&limit=2{next}")).await.expect(200);
        all.extend(column(&page, name));
        match page["next_page_token"].as_str() {
            Some(next) => token = Some(next.to_owned()),
            None => return all,
        }
    }
    panic!("{path} does not end: {all:?}");
}

/// The list in the order `sort`, and in the opposite one, holds exactly these.
async fn both_ways(api: &Api, path: &str, sort: &str, name: &str, expected: &[&str]) {
    let backwards: Vec<_> = expected.iter().rev().copied().collect();
    assert_eq!(walked(api, &format!("{path}sort={sort}"), name).await, expected, "{path} by {sort}");
    assert_eq!(walked(api, &format!("{path}sort=-{sort}"), name).await, backwards, "{path} by -{sort}");
}

#[tokio::test]
async fn people_and_tenants_are_listed_in_each_order_and_found_by_how_they_begin() {
    for database in databases().await {
        let app = at_rest(&database).await;
        let mut tenants = Vec::new();
        for name in ["x-wood", "x-acme", "x-mill"] {
            tenants.push(tenant(&app, name).await);
        }
        for (of, email) in [(0, "zoe@x.example"), (0, "anna@x.example"), (1, "mia@x.example"), (0, "bob@x.example")] {
            member(&app, &tenants[of], "MEMBER", email).await;
        }
        let boss = staff(&app, "boss@platform.example").await.api;
        let own = format!("/api/admin/users?tenant_id={}&", tenants[0]);
        both_ways(&boss, &own, "email", "email", &["anna@x.example", "bob@x.example", "zoe@x.example"]).await;
        both_ways(&boss, &own, "created_at", "email", &["zoe@x.example", "anna@x.example", "bob@x.example"]).await;
        let all = ["anna@x.example", "bob@x.example", "mia@x.example", "zoe@x.example"];
        both_ways(&boss, "/api/admin/users?", "email", "email", &all).await;
        let named = boss.get("/api/admin/users?name_prefix=mia").await.expect(200);
        assert_eq!(column(&named, "email"), ["mia@x.example"], "{}", database.name);

        let path = "/api/admin/tenants?name_prefix=x-&";
        both_ways(&boss, path, "name", "name", &["x-acme", "x-mill", "x-wood"]).await;
        both_ways(&boss, path, "created_at", "name", &["x-wood", "x-acme", "x-mill"]).await;
        boss.get("/api/admin/tenants?sort=size").await.expect_field("sort");
        app.stop().await;
    }
}

#[tokio::test]
async fn pods_and_plans_and_records_are_listed_in_each_order() {
    for database in databases().await {
        let app = at_rest(&database).await;
        let (home, other) = (catalogue(&app).await, catalogue(&app).await);
        let mut made = Vec::new();
        for of in [home, home, other, home] {
            made.push(pod(&app, of, ("active", "running"), None).await.to_string());
        }
        pod(&app, home, ("deleted", "unknown"), None).await;
        let reader = member(&app, &home.0.to_string(), "BILLING", "billing@home.example").await.api;
        let boss = staff(&app, "boss@platform.example").await.api;
        let text: Vec<_> = made.iter().map(String::as_str).collect();
        // Their names begin with their ids, so both orders are one.
        for sort in ["created_at", "name"] {
            both_ways(&boss, "/api/admin/hosting/cloudpods?", sort, "id", &text).await;
            both_ways(&boss, "/api/admin/hosting/cloudpods?state=active&", sort, "id", &text).await;
            let own = [text[0], text[1], text[3]];
            both_ways(&reader, "/api/provisioning/cloudpods?", sort, "id", &own).await;
        }
        let said = boss.get("/api/admin/hosting/cloudpods?state=deleted&sort=name").await.expect_field("sort");
        assert!(said.contains("created_at"), "{said}");
        boss.get("/api/admin/hosting/cloudpods?state=deleted&sort=created_at").await.expect(200);

        // What pods can be made of is shown to whoever sees pods.
        let hidden = json!({ "active": false });
        boss.patch(&format!("/api/platform/plans/{}", other.1), &hidden).await.expect(200);
        let plans = reader.get("/api/admin/hosting/plans").await.expect(200);
        assert_eq!(column(&plans, "id"), [home.1.to_string()], "{}", database.name);
        assert_eq!((&plans["items"][0]["price_minor"], &plans["items"][0]["vcpu"]), (&json!(500), &json!(1)));
        reader.get(&format!("/api/admin/hosting/plans?tenant_id={}", other.0)).await.expect_problem(404, "not_found");
        app.stop().await;
    }
}

//! Tenants over REST: made, read, changed, limited, by whom it is theirs to do.

use mpanel_tests::people::{member, staff, tenant};
use mpanel_tests::signing_in::signed_in;
use mpanel_tests::{TestApp, databases};
use reqwest::Method;
use serde_json::{Value, json};

const TENANTS: &str = "/api/admin/tenants";

fn path(tenant: &Value) -> String {
    format!("{TENANTS}/{}", tenant["id"].as_str().unwrap())
}

#[tokio::test]
async fn staff_make_read_and_change_tenants() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let boss = staff(&app, "boss@platform.example").await.api;
        let body = json!({ "name": "acme", "contact_email": "it@acme.example", "quotas": { "pods": 3, "vcpu": 8 } });
        let made = boss.post(TENANTS, &body).await;
        made.expect_status(201);
        assert_eq!(made.header("location"), path(&made.body), "{}", database.name);
        let acme = made.body;
        assert_eq!(
            (&acme["state"], &acme["suspension"], &acme["version"]),
            (&json!("active"), &Value::Null, &json!(1))
        );
        boss.post(TENANTS, &json!({ "name": "acme" })).await.expect_problem(409, "tenant_name_taken");
        boss.post(TENANTS, &json!({ "name": "" })).await.expect_field("name");
        boss.post(TENANTS, &json!({ "name": "x", "contact_email": "nobody" })).await.expect_field("contact_email");
        boss.post(TENANTS, &json!({ "name": "x", "owner": "me" })).await.expect_field("owner");

        let read = boss.get(&path(&acme)).await;
        assert_eq!(read.header("etag"), "\"1\"");
        let patch =
            |tag: &str, body: Value| boss.request(Method::PATCH, &path(&acme)).header("If-Match", tag).json(&body);
        let send = mpanel_tests::app::send;
        let changed = send(patch("\"1\"", json!({ "name": "Acme", "default_region": "eu" }))).await.expect(200);
        assert_eq!(changed["name"], "Acme");
        assert_eq!((&changed["default_region"], &changed["contact_email"]), (&json!("eu"), &json!("it@acme.example")));
        send(patch("\"1\"", json!({ "name": "other" }))).await.expect_problem(412, "stale");
        let cleared = send(patch("*", json!({ "default_region": null, "contact_email": null }))).await.expect(200);
        assert_eq!((&cleared["default_region"], &cleared["contact_email"]), (&Value::Null, &Value::Null));

        let of = |filter: &str| format!("{TENANTS}?{filter}");
        let listed = boss.get(&of("name_prefix=Ac&state=active")).await.expect(200);
        assert_eq!(listed["items"].as_array().unwrap().len(), 1);
        assert_eq!(boss.get(&of("state=suspended")).await.expect(200)["items"], json!([]));
        let first = boss.get(&of("limit=1")).await.expect(200);
        let next = first["next_page_token"].as_str().expect("there are two");
        let second = boss.get(&of(&format!("limit=1&page_token={next}"))).await.expect(200);
        assert_eq!(second["items"][0]["name"], "Acme", "after the tenant that there always is");

        // The tenant to which pods go that name none keeps its name.
        let default = &first["items"][0];
        boss.patch(&path(default), &json!({ "name": "mine" })).await.expect_problem(409, "tenant_default");
        app.stop().await;
    }
}

#[tokio::test]
async fn a_name_has_something_to_see_and_no_blanks_around_it() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        for blank in ["  ", "\u{a0}", "\u{2003}\u{3000}", "\u{200b}\u{feff}"] {
            let said = app.api.post(TENANTS, &json!({ "name": blank })).await.expect_field("name");
            assert!(said.contains("blank"), "{} {blank:?}: {said}", database.name);
            let who = json!({ "email": "a@acme.example", "name": blank, "staff": true });
            app.api.post("/api/platform/users", &who).await.expect_field("name");
        }
        let acme = app.api.post(TENANTS, &json!({ "name": " \u{a0}acme Ltd\u{3000}" })).await.expect(201);
        assert_eq!(acme["name"], "acme Ltd", "{}", database.name);
        app.api.post(TENANTS, &json!({ "name": "acme Ltd " })).await.expect_problem(409, "tenant_name_taken");
        app.api.patch(&path(&acme), &json!({ "name": " " })).await.expect_field("name");
        assert_eq!(app.api.patch(&path(&acme), &json!({ "name": " Acme " })).await.expect(200)["name"], "Acme");
        let who = json!({ "email": "a@acme.example", "name": " Ann\u{a0}", "staff": true });
        assert_eq!(app.api.post("/api/platform/users", &who).await.expect(201)["name"], "Ann");
        app.stop().await;
    }
}

#[tokio::test]
async fn who_belongs_to_several_tenants_lists_them_without_naming_one() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let mut ids = Vec::new();
        for name in ["a", "b", "c", "d", "e"] {
            ids.push(tenant(&app, name).await);
        }
        let anna = member(&app, &ids[0], "OWNER", "anna@a.example").await;
        for (id, role) in [(&ids[1], "MEMBER"), (&ids[2], "BILLING"), (&ids[3], "ADMIN")] {
            let body = json!({ "email": "anna@a.example", "name": "Anna", "tenant_id": id, "role": role });
            app.api.post("/api/platform/users", &body).await.expect(201);
        }
        let anna = signed_in(&app, &anna.id).await;
        let names = async |query: &str| {
            let list = anna.get(&format!("{TENANTS}?{query}")).await.expect(200);
            let names: Vec<_> = list["items"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
            (names, list["next_page_token"].as_str().map(str::to_owned))
        };
        assert_eq!(names("").await.0, ["a", "c", "d"], "{}: where her role may read it", database.name);
        assert_eq!(names("sort=-name").await.0, ["d", "c", "a"]);
        assert_eq!(names("name_prefix=c").await.0, ["c"]);
        assert_eq!(names("state=suspended").await.0, [""; 0]);
        let (first, next) = names("sort=name&limit=2").await;
        assert_eq!(first, ["a", "c"]);
        assert_eq!(names(&format!("sort=name&limit=2&page_token={}", next.unwrap())).await.0, ["d"]);
        assert_eq!(names(&format!("tenant_id={}", ids[2])).await.0, ["c"]);
        anna.get(&format!("{TENANTS}?tenant_id={}", ids[4])).await.expect_problem(404, "not_found");
        anna.get(&format!("{TENANTS}?tenant_id={}", ids[1])).await.expect_problem(403, "forbidden");
        anna.post(TENANTS, &json!({ "name": "mine" })).await.expect_field("tenant_id");
        app.stop().await;
    }
}

#[tokio::test]
async fn quotas_stand_beside_what_is_used_and_are_the_platform_s_to_set() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let home = tenant(&app, "home").await;
        let quotas = format!("{TENANTS}/{home}/quotas");
        let boss = staff(&app, "boss@platform.example").await.api;
        let set = boss.patch(&quotas, &json!({ "pods": 2, "addresses": 0 })).await;
        assert_eq!(set.header("etag"), "\"2\"", "{}", database.name);
        let set = set.expect(200);
        assert_eq!(
            (&set["pods"], &set["addresses"]),
            (&json!({ "limit": 2, "used": 0 }), &json!({ "limit": 0, "used": 0 }))
        );
        assert_eq!(set["vcpu"], json!({ "limit": null, "used": 0 }));
        let unlimited = boss.patch(&quotas, &json!({ "pods": null })).await.expect(200);
        assert_eq!((&unlimited["pods"]["limit"], &unlimited["addresses"]["limit"]), (&Value::Null, &json!(0)));
        boss.patch(&quotas, &json!({ "pods": -1 })).await.expect_field("pods");
        boss.patch(&quotas, &json!({ "pods": 1_u64 << 60 })).await.expect_field("pods");
        boss.patch(&quotas, &json!({ "gpus": 1 })).await.expect_field("gpus");
        let old = boss.request(Method::PATCH, &quotas).header("If-Match", "\"2\"").json(&json!({ "pods": 9 }));
        mpanel_tests::app::send(old).await.expect_problem(412, "stale");

        let owner = member(&app, &home, "OWNER", "owner@home.example").await.api;
        assert_eq!(owner.get(&quotas).await.expect(200)["addresses"]["limit"], 0);
        owner.patch(&quotas, &json!({ "pods": 99 })).await.expect_problem(403, "forbidden");
        let worker = member(&app, &home, "MEMBER", "worker@home.example").await.api;
        worker.get(&quotas).await.expect_problem(403, "forbidden");

        let audit = boss.get("/api/admin/audit?action=tenant.quotas_updated").await.expect(200);
        let newest = &audit["items"][0]["detail"];
        assert_eq!((&newest["before"]["pods"], &newest["after"]["pods"]), (&json!(2), &Value::Null), "{audit}");
        app.stop().await;
    }
}

#[tokio::test]
async fn an_owner_changes_the_settings_of_their_own_tenant_and_not_its_name() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let (home, other) = (tenant(&app, "home").await, tenant(&app, "other").await);
        let owner = member(&app, &home, "OWNER", "owner@home.example").await.api;
        let own = format!("{TENANTS}/{home}");
        let changed = owner.patch(&own, &json!({ "contact_email": "it@home.example" })).await.expect(200);
        assert_eq!(changed["contact_email"], "it@home.example", "{}", database.name);
        owner.patch(&own, &json!({ "name": "other" })).await.expect_problem(403, "forbidden");
        owner.post(TENANTS, &json!({ "name": "mine" })).await.expect_problem(403, "forbidden");
        for path in [format!("{TENANTS}/{other}"), format!("{TENANTS}/{other}/quotas")] {
            owner.get(&path).await.expect_problem(404, "not_found");
        }
        owner
            .patch(&format!("{TENANTS}/{other}"), &json!({ "contact_email": null }))
            .await
            .expect_problem(404, "not_found");
        let listed = owner.get(TENANTS).await.expect(200);
        assert_eq!(listed["items"].as_array().unwrap().len(), 1, "only their own: {listed}");
        let billing = member(&app, &home, "BILLING", "billing@home.example").await.api;
        billing.get(&own).await.expect(200);
        billing.patch(&own, &json!({ "contact_email": null })).await.expect_problem(403, "forbidden");
        app.stop().await;
    }
}

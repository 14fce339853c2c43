//! Drains and migration endpoints over REST, for a server whose agent never came: what is wrong is named, and a secret is shown to nobody.

use mpanel_tests::{TestApp, databases};
use serde_json::{Value, json};

const SERVER: &str = "/api/platform/servers/pve1";

async fn app_with_a_server(database: &mpanel_tests::TestDatabase) -> TestApp {
    let app = TestApp::start_on(database).await;
    let server = json!({ "name": "pve1", "storages": [{ "name": "local" }] });
    app.api.post("/api/platform/servers", &server).await.expect(201);
    app
}

#[tokio::test]
async fn what_is_wrong_with_a_drains_request_is_named_and_nothing_is_begun() {
    for database in databases().await {
        let app = app_with_a_server(&database).await;
        let (api, status, preview) = (&app.api, format!("{SERVER}/status"), format!("{SERVER}/drain/preview"));
        for (body, field) in [
            (json!({}), "status"),
            (json!({ "status": "asleep" }), "status"),
            (json!({ "status": "draining", "deadline": "soon" }), "deadline"),
            (json!({ "status": "draining", "deadline": "2020-01-01T00:00:00Z" }), "deadline"),
            (json!({ "status": "locked", "deadline": "2099-01-01T00:00:00Z" }), "deadline"),
            (json!({ "status": "draining", "shutdown_s": 4 }), "shutdown_s"),
            (json!({ "status": "draining", "shutdown_s": 3601 }), "shutdown_s"),
            (json!({ "status": "draining", "shutdown_s": -1 }), "shutdown_s"),
            (json!({ "status": "locked", "allow_shutdown": true }), "allow_shutdown"),
            (json!({ "status": "draining", "fill_back": true }), "fill_back"),
            (json!({ "status": "draining", "reason": "x".repeat(600) }), "reason"),
            (json!({ "status": "draining", "force": true }), "force"),
        ] {
            let message = api.post(&status, &body).await.expect_field(field);
            assert!(!message.is_empty(), "{body}");
        }
        api.post(&preview, &json!({ "allow_shutdown": "yes" })).await.expect_field("allow_shutdown");
        api.post(&preview, &json!({ "deadline": null })).await.expect_field("deadline");
        for path in ["status", "drain/preview"] {
            let nobody = api.post(&format!("/api/platform/servers/pve9/{path}"), &json!({ "status": "locked" })).await;
            assert!(matches!(nobody.status.as_u16(), 404 | 422), "{}", nobody.text);
        }
        api.get("/api/platform/servers/pve9/drain").await.expect_problem(404, "not_found");
        api.get(&format!("{SERVER}/drain")).await.expect_problem(404, "not_found");
        api.delete(&format!("{SERVER}/drain")).await.expect_problem(409, "no_drain");
        let shown = api.get(SERVER).await.expect(200);
        assert_eq!(shown["scheduling"]["state"], "online", "{}: {shown}", database.name);

        let empty = api.post(&preview, &json!({})).await.expect(200);
        assert_eq!((&empty["pods"], &empty["movable"], &empty["blocked"]), (&json!([]), &json!(0), &json!(0)));
        let begun = api.post_keyed(&status, "once", &json!({ "status": "draining", "reason": "a new board" })).await;
        assert!(begun.header("location").ends_with("/drain"), "{}", begun.text);
        let begun = begun.expect(202);
        assert_eq!(begun["drain"]["reason"], "a new board");
        let again = api.post_keyed(&status, "once", &json!({ "status": "draining", "reason": "a new board" })).await;
        assert_eq!(again.expect(202), begun, "a repeated request has one effect");
        app.stop().await;
    }
}

#[tokio::test]
async fn a_migration_endpoint_is_set_shown_without_its_token_and_taken_away() {
    const TOKEN: &str = "mpanel@pve!move=6f1d2c3b-0000-4aaa-8bbb-s3cret";
    for database in databases().await {
        let app = app_with_a_server(&database).await;
        let (api, path) = (&app.api, format!("{SERVER}/migration-endpoint"));
        let put = async |path: &str, body: &Value| {
            mpanel_tests::app::send(api.request(reqwest::Method::PUT, path).json(body)).await
        };
        api.get(&path).await.expect_problem(404, "not_found");
        let good = json!({ "host": "pve1.example.net", "fingerprint": "ab".repeat(32), "token": TOKEN });
        for (field, wrong) in [
            ("host", json!("")),
            ("host", json!("pve1; rm -rf /")),
            ("port", json!(0)),
            ("port", json!(70_000)),
            ("fingerprint", json!("ab")),
            ("fingerprint", json!(null)),
            ("token", json!("root@pam")),
            ("token", json!("a".repeat(600))),
            ("colour", json!("red")),
        ] {
            let mut body = good.clone();
            body[field] = wrong.clone();
            let answer = put(&path, &body).await;
            assert!(!answer.expect_field(field).is_empty(), "{field}");
            assert!(!answer.text.contains(TOKEN), "{}", answer.text);
        }
        put("/api/platform/servers/pve9/migration-endpoint", &good).await.expect_problem(404, "not_found");
        let set = put(&path, &good).await;
        let shown = api.get(&path).await;
        assert_eq!(set.body, shown.body, "{}", database.name);
        for answer in [&set, &shown, &api.get(SERVER).await] {
            assert!(answer.status == 200 && !answer.text.contains("s3cret"), "{}", answer.text);
        }
        assert_eq!((&shown.body["port"], &shown.body["fingerprint"]), (&json!(8006), &json!(["AB"; 32].join(":"))));
        let mut moved = good.clone();
        moved["port"] = json!(8007);
        assert_eq!(put(&path, &moved).await.expect(200)["port"], 8007, "what was said before is replaced");
        for _ in 0..2 {
            assert_eq!(api.delete(&path).await.status, 204);
        }
        api.get(&path).await.expect_problem(404, "not_found");
        app.stop().await;
    }
}

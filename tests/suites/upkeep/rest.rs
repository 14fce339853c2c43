//! Drift, adoption, lost hosts and jobs in bulk over REST.

use mpanel_tests::{TestApp, databases};
use serde_json::{Value, json};

const NOBODY: &str = "0198c5b2-7d43-7c1e-8a5f-6f0d4c2b9e10";

/// The one record of the declaration says who made it, why, and what was typed to confirm it.
async fn declaration_is_audited(app: &TestApp, declared: &Value) {
    const SQL: &str = "SELECT actor, target_id, detail FROM audit_records WHERE action = 'server.declared_lost'";
    let mut read = app.running.app.db.read().await.unwrap();
    let records = control_plane::fetch_all!(read.conn(), (String, String, sqlx::types::Json<Value>), SQL).unwrap();
    let [(actor, target, sqlx::types::Json(detail))] = &records[..] else { panic!("{records:?}") };
    assert!(actor.starts_with("token:"), "{actor}");
    assert_eq!(declared["server_id"].as_str(), Some(target.as_str()), "{declared}");
    let said = json!({ "name": "pve1", "reason": "burnt", "confirmed": "pve1", "generation": 1, "cloudpods": 0 });
    assert_eq!(*detail, said);
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_named() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let api = &app.api;
        let list = api.get("/api/platform/drift?kind=orphan&closed=true").await.expect(200);
        assert_eq!(list["items"], json!([]));
        api.get("/api/platform/drift?kind=nothing").await.expect_field("kind");
        api.get("/api/platform/drift?server_id=pve9").await.expect_field("server_id");
        let confirm = || json!({ "confirm": "pve1/1" });
        for (action, body) in
            [("accept", json!({})), ("heal", json!({})), ("release", confirm()), ("destroy", confirm())]
        {
            api.post(&format!("/api/platform/drift/{NOBODY}/{action}"), &body).await.expect_problem(404, "not_found");
        }
        for action in ["release", "destroy"] {
            api.post(&format!("/api/platform/drift/{NOBODY}/{action}"), &json!({})).await.expect_field("confirm");
        }

        let server = json!({ "name": "pve1", "storages": [{ "name": "local" }] });
        api.post("/api/platform/servers", &server).await.expect(201);
        let lost = "/api/platform/servers/pve1/declare-lost";
        api.post(lost, &json!({ "reason": "", "confirm": "pve1" })).await.expect_field("reason");
        let message = api.post(lost, &json!({ "reason": "burnt", "confirm": "pve2" })).await.expect_field("confirm");
        assert!(message.contains("must be pve1"), "{message}");
        let declared = api.post_keyed(lost, "once", &json!({ "reason": "burnt", "confirm": "pve1" })).await.expect(200);
        assert_eq!((&declared["generation"], &declared["cloudpods"]), (&json!(1), &json!(0)));
        let again = api.post_keyed(lost, "once", &json!({ "reason": "burnt", "confirm": "pve1" })).await.expect(200);
        assert_eq!(again, declared, "a repeated request has one effect");
        declaration_is_audited(&app, &declared).await;
        let shown = api.get("/api/platform/servers/pve1").await.expect(200);
        assert!(shown["lost_at"].is_string() && shown["problem"].as_str().unwrap().contains("burnt"), "{shown}");
        assert_eq!((&shown["connection"]["state"], &shown["waiting_jobs"]), (&json!("pending"), &json!(0)));

        let adopt = "/api/admin/hosting/cloudpods/adopt";
        let mut body = json!({ "name": "web-1", "server": "pve9", "vmid": 105, "plan": "small", "image": "debian" });
        let answer = api.post(adopt, &body).await;
        answer.expect_field("plan");
        answer.expect_field("image");
        body["vmid"] = json!(99);
        api.post(adopt, &body).await.expect_field("vmid");

        let jobs = "/api/platform/provisioning/jobs";
        for (body, field) in [
            (json!({}), "ids"),
            (json!({ "ids": [] }), "ids"),
            (json!({ "ids": [NOBODY], "filter": { "state": "stuck" } }), "ids"),
            (json!({ "filter": { "state": "failed" } }), "filter.state"),
            (json!({ "filter": { "state": "stuck", "server": "pve9" } }), "filter.server"),
        ] {
            let message = api.post(&format!("{jobs}/retry"), &body).await.expect_field(field);
            assert!(!message.is_empty());
        }
        let done = api.post(&format!("{jobs}/cancel"), &json!({ "ids": [NOBODY] })).await.expect(200);
        assert_eq!(
            (&done["done"], &done["refused"], &done["items"][0]["code"]),
            (&json!(0), &json!(1), &json!("not_found"))
        );
        let none = api.post(&format!("{jobs}/retry"), &json!({ "filter": { "state": "stuck" } })).await.expect(200);
        assert_eq!((&none["items"], &none["more"]), (&json!([]), &json!(false)));
        let waiting = api.get(&format!("{jobs}?waits_for={NOBODY}")).await.expect(200);
        assert_eq!(waiting["items"], json!([]));
        app.stop().await;
    }
}

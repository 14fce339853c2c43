//! Sign-ins of others: who runs a tenant sees and ends those of its people, and no others.

use mpanel_tests::people::{Person, member, staff, tenant};
use mpanel_tests::signing_in::{audited, signed_in, text};
use mpanel_tests::{Api, TestApp, databases};
use serde_json::{Value, json};

/// Where somebody's sign-ins are.
fn sessions(of: &Person) -> String {
    format!("/api/admin/users/{}/sessions", of.id)
}

/// The ids of somebody's sign-ins, as this caller sees them.
async fn seen(api: &Api, of: &Person) -> Vec<String> {
    let list = api.get(&sessions(of)).await.expect(200);
    list["items"].as_array().unwrap().iter().map(|one| text(one, "id").to_owned()).collect()
}

#[tokio::test]
async fn who_runs_a_tenant_ends_the_sign_ins_of_its_people_but_not_of_those_above() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let home = tenant(&app, "home").await;
        let owner = member(&app, &home, "OWNER", "owner@home.example").await;
        let admin = member(&app, &home, "ADMIN", "admin@home.example").await;
        let worker = member(&app, &home, "MEMBER", "worker@home.example").await;
        let (laptop, phone) = (signed_in(&app, &worker.id).await, signed_in(&app, &worker.id).await);
        let at_home = signed_in(&app, &owner.id).await;

        let list = admin.api.get(&sessions(&worker)).await.expect(200);
        assert_eq!((&list["items"][0]["user_agent"], &list["items"][0]["current"]), (&json!("test"), &json!(false)));
        let ids = seen(&admin.api, &worker).await;
        assert_eq!(ids.len(), 2, "{}", database.name);
        admin.api.delete(&format!("{}/{}", sessions(&worker), ids[0])).await.expect(204);
        laptop.get("/api/auth/me").await.expect_problem(401, "unauthorized");
        phone.get("/api/auth/me").await.expect(200);
        admin.api.delete(&format!("{}/{}", sessions(&worker), ids[0])).await.expect_problem(404, "not_found");
        assert_eq!(seen(&admin.api, &worker).await, ids[1..]);

        let highest = seen(&admin.api, &owner).await;
        let path = format!("{}/{}", sessions(&owner), highest[0]);
        admin.api.delete(&path).await.expect_problem(403, "forbidden");
        // Nor by the way of somebody else's.
        let crossed = format!("{}/{}", sessions(&worker), highest[0]);
        admin.api.delete(&crossed).await.expect_problem(404, "not_found");
        at_home.get("/api/auth/me").await.expect(200);
        owner.api.delete(&path).await.expect(204);
        at_home.get("/api/auth/me").await.expect_problem(401, "unauthorized");

        worker.api.get(&sessions(&owner)).await.expect_problem(403, "forbidden");
        let events = owner.api.get("/api/admin/audit?action=session.ended").await.expect(200);
        assert_eq!(events["items"].as_array().unwrap().len(), 2, "the tenant sees in its audit who did it: {events}");
        app.stop().await;
        let ended = audited(&database, "session.ended").await;
        assert!(ended.len() == 2 && ended.iter().all(|one| one.contains("revoked")), "{ended:?}");
    }
}

#[tokio::test]
async fn a_tenant_does_not_reach_sign_ins_that_are_for_others_too_and_staff_reach_all() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let (home, other) = (tenant(&app, "home").await, tenant(&app, "other").await);
        let owner = member(&app, &home, "OWNER", "owner@home.example").await;
        let both = member(&app, &home, "MEMBER", "both@home.example").await;
        let more = json!({ "email": "both@home.example", "name": "both", "tenant_id": other, "role": "MEMBER" });
        app.api.post("/api/platform/users", &more).await.expect(201);
        let boss = staff(&app, "boss@platform.example").await;
        let there = signed_in(&app, &both.id).await;
        let problem = owner.api.get(&sessions(&both)).await;
        let detail: &Value = &problem.expect_problem(403, "forbidden")["detail"];
        assert!(detail.as_str().unwrap().contains("suspend them"), "{detail}");
        let ids = seen(&boss.api, &both).await;
        let path = format!("{}/{}", sessions(&both), ids[0]);
        owner.api.delete(&path).await.expect_problem(403, "forbidden");
        let stranger = member(&app, &other, "OWNER", "owner@other.example").await;
        stranger.api.get(&sessions(&owner)).await.expect_problem(404, "not_found");
        stranger.api.delete(&format!("{}/{}", sessions(&owner), ids[0])).await.expect_problem(404, "not_found");
        there.get("/api/auth/me").await.expect(200);
        boss.api.delete(&path).await.expect(204);
        there.get("/api/auth/me").await.expect_problem(401, "unauthorized");
        assert!(seen(&boss.api, &both).await.is_empty(), "{}", database.name);
        app.stop().await;
    }
}

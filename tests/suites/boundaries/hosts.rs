//! Hosts are the platform's: a tenant's people neither choose them nor learn of them.

use control_plane::execute;
use mpanel_tests::databases;
use serde_json::{Value, json};

use super::{JOBS, PODS, Stage, forbidden, job_of, wanted, with};

const ISO_STORAGES: &str = "/api/provisioning/iso-storages";

#[tokio::test]
async fn hosts_and_storages_are_not_a_tenants_to_choose() {
    for database in databases().await {
        let stage = Stage::new(&database, |config| config.media.iso_storages = vec!["isos".to_owned()]).await;
        let pod = stage.runs("web-1").await;
        let (backups, iso) = (format!("{pod}/backups"), "local:iso/rescue.iso");
        let restore = format!("{backups}/0198c5b2-7d43-7c1e-8a5f-6f0d4c2b9e10/restore");
        for (_, api) in stage.people() {
            let offered = api.get(ISO_STORAGES).await.expect(200);
            assert_eq!(offered, json!({ "items": [{ "name": "isos" }], "next_page_token": null }));
            for (path, body, says) in [
                (PODS, with(wanted("web-2"), &json!({ "placement": { "server": "pve1" } })), "placement.server"),
                (PODS, with(wanted("web-2"), &json!({ "placement": { "server": "pve9" } })), "placement.server"),
                (PODS, with(wanted("web-2"), &json!({ "placement": { "storage": "local" } })), "placement.storage"),
                (backups.as_str(), json!({ "storage": "local" }), "storage"),
                (restore.as_str(), json!({ "server": "pve1" }), "server"),
            ] {
                forbidden(&api.post(path, &body).await, says);
            }
            for path in ["rescue", "media"] {
                let said = api.post(&format!("{pod}/{path}"), &json!({ "iso": iso })).await.expect_field("iso");
                assert!(said.ends_with("take one of isos"), "{said}");
            }
            let policy = json!({ "every_hours": 24, "keep_last": 2, "storage": "local" });
            forbidden(&api.patch(&format!("{pod}/backup-policy"), &policy).await, "storage");
        }
        stage.member.post(&format!("{pod}/media"), &json!({ "iso": "isos:iso/debian.iso" })).await.expect(202);
        stage.staff.post(&format!("{pod}/media"), &json!({ "iso": iso })).await.expect(202);
        stage.staff.post(&backups, &json!({ "storage": "local" })).await.expect(202);
        let body = with(wanted("web-2"), &json!({ "placement": { "server": "pve1", "storage": "local" } }));
        stage.staff.post(PODS, &body).await.expect(202);
        stage.app.stop().await;
    }
}

#[tokio::test]
async fn of_isos_nothing_is_offered_unless_a_storage_is_named() {
    for database in databases().await {
        let stage = Stage::new(&database, |_| {}).await;
        assert_eq!(stage.member.get(ISO_STORAGES).await.expect(200)["items"], json!([]));
        let pod = stage.runs("web-1").await;
        let answer = stage.owner.post(&format!("{pod}/rescue"), &json!({ "iso": "local:iso/rescue.iso" })).await;
        assert!(answer.expect_field("iso").ends_with("the platform offers none"), "{}", answer.text);
        stage.owner.post(&format!("{pod}/media"), &json!({})).await.expect(202);
        stage.app.stop().await;
    }
}

#[tokio::test]
async fn a_tenant_learns_the_region_and_no_host_and_no_figure() {
    for database in databases().await {
        let stage = Stage::new(&database, |_| {}).await;
        let asked = stage.asked("web-1").await;
        let placement = format!("{PODS}/{}/placement", asked["cloudpod"]["id"].as_str().unwrap());
        let seen = stage.staff.get(&placement).await.expect(200);
        assert_eq!((&seen["region"], &seen["explanation"]["considered"][0]["name"]), (&json!("eu"), &json!("pve1")));
        let huge = with(wanted("web-2"), &json!({ "plan": "huge" }));
        let told = stage.staff.post(PODS, &huge).await;
        assert_eq!(told.expect_problem(507, "no_capacity")["errors"][0]["field"], "pve1");
        for (role, api) in stage.people() {
            let shown = api.get(&placement).await.expect(200);
            let expected =
                json!({ "decided_at": seen["decided_at"], "region": "eu", "server": null, "explanation": null });
            assert_eq!(shown, expected, "{role}");
            let first = api.post_keyed(PODS, role, &huge).await;
            let again = api.post_keyed(PODS, role, &huge).await;
            for answer in [first, again, api.post(PODS, &huge).await] {
                let errors = answer.expect_problem(507, "no_capacity")["errors"].as_array().unwrap();
                assert_eq!((errors.len(), &errors[0]["field"]), (1, &json!("servers")), "{}", answer.text);
                assert!(errors[0]["message"].as_str().unwrap().starts_with("there is no room"), "{}", answer.text);
                assert!(!answer.text.contains("pve1"), "{}", answer.text);
            }
        }
        stage.app.stop().await;
    }
}

#[tokio::test]
async fn a_job_tells_a_tenant_that_there_was_no_room_and_not_where() {
    const REFUSED: &str =
        "UPDATE jobs SET error_code = 'no_capacity', error_detail = 'pve1: 3 of 512 CPUs are free' WHERE kind = $1";
    for database in databases().await {
        let stage = Stage::new(&database, |_| {}).await;
        let asked = stage.asked("web-1").await;
        let mut tx = stage.app.running.app.db.begin().await.unwrap();
        execute!(tx.conn(), REFUSED, "provision").unwrap();
        tx.commit().await.unwrap();
        let job = format!("{JOBS}/{}", job_of(&asked));
        let told = stage.staff.get(&job).await.expect(200);
        assert_eq!(told["error"]["detail"], "pve1: 3 of 512 CPUs are free", "{}", database.name);
        for (_, api) in stage.people() {
            let list = api.get(JOBS).await.expect(200);
            for job in [api.get(&job).await.expect(200), list["items"][0].clone()] {
                let detail = job["error"]["detail"].as_str().unwrap();
                assert!(detail.starts_with("there is no room"), "{detail}");
                let waits = job["waits_for"]["detail"].as_str().unwrap();
                assert!(waits.starts_with("its server is offline"), "{waits}");
            }
        }
        stage.app.stop().await;
    }
}

#[tokio::test]
async fn whether_a_host_exists_is_not_told() {
    for database in databases().await {
        let stage = Stage::new(&database, |_| {}).await;
        stage.host("pve2").await;
        for (role, api) in stage.people() {
            let mut answers: Vec<Value> = Vec::new();
            for name in ["pve2", "pve9", "0198c5b2-7d43-7c1e-8a5f-6f0d4c2b9e10"] {
                answers.push(api.get(&format!("{PODS}?server_id={name}")).await.expect(200));
                let filter = json!({ "filter": { "state": "queued", "server": name } });
                let done = api.post(&format!("{JOBS}/cancel"), &filter).await.expect(200);
                assert_eq!((&done["items"], &done["more"]), (&json!([]), &json!(false)), "{role} {name}");
            }
            assert!(answers.iter().all(|answer| answer["items"] == json!([])), "{role}: {answers:?}");
        }
        let staff = &stage.staff;
        assert!(staff.get(&format!("{PODS}?server_id=pve9")).await.expect_field("server_id").contains("pve9"));
        let filter = json!({ "filter": { "state": "queued", "server": "pve9" } });
        let said = staff.post(&format!("{JOBS}/cancel"), &filter).await.expect_field("filter.server");
        assert!(said.contains("pve9"), "{said}");
        stage.app.stop().await;
    }
}

#[tokio::test]
async fn whether_a_pod_would_fit_is_told_without_a_word_of_hosts() {
    const PREVIEW: &str = "/api/provisioning/placement-preview";
    for database in databases().await {
        let stage = Stage::new(&database, |_| {}).await;
        let like =
            |plan: &str, more: &Value| with(json!({ "plan": plan, "image": "debian" }), &json!({ "placement": more }));
        for (role, api) in stage.people() {
            let regions = api.get("/api/provisioning/regions").await.expect(200);
            assert_eq!(regions["items"], json!([{ "name": "eu" }]), "{role}");
            for (body, fits, region, says) in [
                (like("small", &json!({})), true, json!("eu"), "room for it in the region eu"),
                (like("small", &json!({ "region": "eu" })), true, json!("eu"), "room for it in the region eu"),
                (like("small", &json!({ "region": "mars" })), false, Value::Null, "there is no region mars"),
                (like("small", &json!({ "labels": { "disk": "ssd" } })), false, Value::Null, "not with these labels"),
                (like("huge", &json!({})), false, Value::Null, "there is no room for it at present"),
            ] {
                let answer = api.post(PREVIEW, &body).await;
                let told = answer.clone().expect(200);
                assert_eq!(
                    (&told["fits"], &told["region"]),
                    (&json!(fits), &region),
                    "{role} on {}: {told}",
                    database.name
                );
                assert!(told["reason"].as_str().unwrap().contains(says), "{told}");
                assert!(!answer.text.contains("pve1") && !answer.text.contains("local"), "{told}");
            }
            forbidden(&api.post(PREVIEW, &like("small", &json!({ "server": "pve1" }))).await, "placement.server");
            api.post(PREVIEW, &like("none", &json!({}))).await.expect_field("plan");
        }
        stage.asked("web-1").await;
        let apart = like("small", &json!({ "anti_affinity": true }));
        let told = stage.owner.post(PREVIEW, &apart).await.expect(200);
        assert!(told["reason"].as_str().unwrap().contains("beside another pod of yours"), "{told}");
        let quotas = format!("/api/admin/tenants/{}/quotas", stage.tenant);
        stage.staff.patch(&quotas, &json!({ "pods": 1 })).await.expect(200);
        let told = stage.owner.post(PREVIEW, &like("small", &json!({}))).await.expect(200);
        assert_eq!((&told["fits"], &told["region"]), (&json!(false), &Value::Null), "{}", database.name);
        assert!(told["reason"].as_str().unwrap().contains("pods: 1 allowed, 1 used, 1 more asked for"), "{told}");
        stage.app.stop().await;
    }
}

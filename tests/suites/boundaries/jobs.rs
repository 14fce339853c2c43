//! Jobs that the platform ordered, and what takes the platform's permission.

use control_plane::fetch_all;
use control_plane::ids::TenantId;
use mpanel_tests::databases;
use serde_json::{Value, json};

use super::{JOBS, PODS, Stage, forbidden, job_of, put};

#[tokio::test]
async fn what_the_platform_ordered_is_not_a_tenants_to_retry_or_to_cancel() {
    for database in databases().await {
        let stage = Stage::new(&database, |_| {}).await;
        let pod = stage.runs("web-1").await;
        let suspended = stage.staff.post(&format!("{pod}/suspend"), &json!({ "reason": "unpaid" })).await.expect(202);
        let suspend = job_of(&suspended);
        for (_, api) in stage.people() {
            for operation in ["retry", "cancel"] {
                let refused = api.post(&format!("{JOBS}/{suspend}/{operation}"), &json!({})).await;
                forbidden(&refused, "cloudpods:manage");
                let body = json!({ "ids": [suspend] });
                let bulk = api.post(&format!("{JOBS}/{operation}"), &body).await.expect(200);
                assert_eq!((&bulk["refused"], &bulk["items"][0]["code"]), (&json!(1), &json!("forbidden")), "{bulk}");
            }
            // Whoever could delete it and then cancel that would be out of it, too.
            api.delete(&pod).await.expect_problem(409, "cloudpod_busy");
        }
        assert_eq!(stage.staff.get(&format!("{JOBS}/{suspend}")).await.expect(200)["cancel_requested"], false);
        stage.staff.post(&format!("{JOBS}/{suspend}/cancel"), &json!({})).await.expect(202);

        let destroyed = stage.runs("web-2").await;
        let destroy = job_of(&stage.staff.delete(&destroyed).await.expect(202));
        let own = stage.runs("web-3").await;
        let own = job_of(&stage.owner.delete(&own).await.expect(202));
        for (role, api) in stage.people() {
            forbidden(&api.post(&format!("{JOBS}/{destroy}/cancel"), &json!({})).await, "the platform ordered");
            let answer = api.post(&format!("{JOBS}/{own}/cancel"), &json!({})).await;
            assert_ne!(answer.status, 403, "{role} may cancel what one of theirs ordered: {}", answer.text);
        }
        stage.app.stop().await;
    }
}

#[tokio::test]
async fn a_full_queue_of_a_tenants_own_jobs_does_not_keep_the_platform_from_suspending() {
    for database in databases().await {
        let stage = Stage::new(&database, |_| {}).await;
        let pod = stage.runs("web-1").await;
        for _ in 0..16 {
            stage.member.post(&format!("{pod}/start"), &json!({})).await.expect(202);
        }
        stage.member.post(&format!("{pod}/start"), &json!({})).await.expect_problem(409, "cloudpod_busy");
        let asked = stage.staff.post(&format!("{pod}/suspend"), &json!({ "reason": "abuse" })).await.expect(202);
        assert_eq!(asked["job"]["kind"], "suspend");
        stage.app.stop().await;
    }
}

#[tokio::test]
async fn what_is_done_in_bulk_is_written_down_as_the_tenants() {
    const AUDITED: &str = "SELECT tenant_id FROM audit_records WHERE action = 'jobs.cancel_requested'";
    for database in databases().await {
        let stage = Stage::new(&database, |_| {}).await;
        let pod = stage.runs("web-1").await;
        let start = job_of(&stage.member.post(&format!("{pod}/start"), &json!({})).await.expect(202));
        let bulk = stage.member.post(&format!("{JOBS}/cancel"), &json!({ "ids": [start] })).await.expect(200);
        assert_eq!(bulk["done"], 1, "{bulk}");
        let mut read = stage.app.running.app.db.read().await.unwrap();
        let audited = fetch_all!(read.conn(), (Option<TenantId>,), AUDITED).unwrap();
        drop(read);
        let whose: Vec<_> = audited.into_iter().map(|(tenant,)| tenant.map(|id| id.to_string())).collect();
        assert_eq!(whose, [Some(stage.tenant.clone())], "{}", database.name);
        stage.app.stop().await;
    }
}

#[tokio::test]
async fn tenants_choose_plans_and_staff_single_figures_and_filters() {
    for database in databases().await {
        let stage = Stage::new(&database, |_| {}).await;
        let pod = stage.runs("web-1").await;
        let resize = format!("{pod}/resize");
        for (_, api) in stage.people() {
            for figure in ["vcpu", "memory_mib", "disk_gib"] {
                forbidden(&api.post(&resize, &json!({ figure: 2048 })).await, "`plan`");
            }
            let put = put(api, &format!("{pod}/firewall"), &json!({ "ip_filter": false })).await;
            forbidden(&put, "leave mac_filter and ip_filter out");
            put_own_rules(api, &pod).await;
        }
        stage.member.post(&resize, &json!({ "plan": "large" })).await.expect(202);
        stage.staff.post(&resize, &json!({ "vcpu": 3 })).await.expect(202);
        // Staff who name the tenant are still staff.
        let path = format!("{pod}/firewall?tenant_id={}", stage.tenant);
        put(&stage.staff, &path, &json!({ "ip_filter": false })).await.expect(202);
        stage.app.stop().await;
    }
}

async fn put_own_rules(api: &mpanel_tests::Api, pod: &str) {
    let asked: Value = put(api, &format!("{pod}/firewall"), &json!({ "policy_in": "drop" })).await.expect(202);
    assert_eq!(asked["job"]["kind"], "firewall", "{PODS}");
}

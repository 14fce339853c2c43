//! A suspended tenant's pods go with it, and come back with it: those that its suspension took, and no others.

use std::time::Duration;

use control_plane::domain::audit::Scope;
use control_plane::domain::cloudpods::{CloudPod, DesiredPower, State};
use control_plane::domain::jobs::{FailureKind, JobState, Power};
use control_plane::domain::tenants::SUSPENDED;
use control_plane::ids::{CloudPodId, JobId};
use mpanel_tests::people::{member, staff as boss, tenant};
use mpanel_tests::pod_bench::{PodBench, SOON, actor, staff};
use mpanel_tests::scripted_agent::Fail;
use mpanel_tests::{TestApp, databases, eventually};
use serde_json::json;

use super::tenant_of;

async fn live(bench: &PodBench) -> i64 {
    const SQL: &str = "SELECT COUNT(*) FROM jobs WHERE state IN ('queued', 'running', 'undoing')";
    let mut read = bench.db.read().await.unwrap();
    let (live,) = control_plane::fetch_one!(read.conn(), (i64,), SQL).unwrap();
    live
}

/// More than dozens of pods take.
const LONG: Duration = Duration::from_mins(2);

/// Works, and lets pods follow their tenants, until there is nothing left to do.
async fn rest(bench: &PodBench) {
    eventually("all jobs end", LONG, async || {
        bench.engine.dispatch().await.unwrap();
        // In this order: the last job to end may leave a pod that has to follow.
        let ended = live(bench).await == 0;
        let followed = bench.pods.tenants_follow().await.unwrap();
        (ended && followed.done == 0).then_some(())
    })
    .await;
}

async fn suspend(bench: &PodBench) {
    bench.pods.tenant_suspend(&actor(), tenant_of(bench).await, "unpaid").await.unwrap();
}

async fn reactivate(bench: &PodBench) {
    bench.pods.tenant_reactivate(&actor(), tenant_of(bench).await).await.unwrap();
}

async fn pod(bench: &PodBench, id: CloudPodId) -> CloudPod {
    bench.pod(id).await.pod
}

/// Its state, and its power.
async fn shown(bench: &PodBench, id: CloudPodId) -> (State, Power) {
    let pod = pod(bench, id).await;
    (pod.state, pod.observed_power)
}

#[tokio::test]
async fn a_tenant_s_pods_are_suspended_with_it_and_only_those_come_back_with_it() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 32).await;
        let (runs, rests, bad) = (bench.active("runs").await, bench.active("rests").await, bench.active("bad").await);
        bench.pods.cloudpod_stop(&actor(), Scope::Platform, rests).await.unwrap();
        bench.pods.cloudpod_suspend(&actor(), Scope::Platform, bad, "abuse", 5).await.unwrap();
        rest(&bench).await;
        suspend(&bench).await;
        assert_eq!(live(&bench).await, 2, "{}: the jobs are there at once", database.name);
        rest(&bench).await;
        for (id, reason, with_tenant) in [
            (runs, "its tenant is suspended: unpaid", true),
            (rests, "its tenant is suspended: unpaid", true),
            (bad, "abuse", false),
        ] {
            let pod = pod(&bench, id).await;
            assert_eq!((&pod.state, pod.observed_power), (&State::Suspended, Power::Stopped), "{}", pod.name);
            assert_eq!(pod.condition.suspended_with_tenant, with_tenant, "{}", pod.name);
            assert_eq!(pod.condition.suspension.unwrap().reason, reason);
        }
        assert_eq!(bench.create("new").await.unwrap_err().code(), SUSPENDED);
        let lifted = bench.pods.cloudpod_unsuspend(&actor(), Scope::Platform, runs).await;
        assert_eq!(lifted.unwrap_err().code(), SUSPENDED, "not one by one");
        suspend(&bench).await;
        assert_eq!(bench.audited("tenant.suspended").await, 1, "again is the same");

        reactivate(&bench).await;
        rest(&bench).await;
        assert_eq!(shown(&bench, runs).await, (State::Active, Power::Running), "{}", database.name);
        assert_eq!(shown(&bench, rests).await, (State::Active, Power::Stopped), "as it was wanted before");
        assert_eq!(pod(&bench, rests).await.desired_power, DesiredPower::Stopped);
        assert_eq!(shown(&bench, bad).await, (State::Suspended, Power::Stopped), "that has another reason");
        assert!(!pod(&bench, runs).await.condition.suspended_with_tenant);
        bench.create("new").await.unwrap();
        reactivate(&bench).await;
        assert_eq!(bench.audited("tenant.reactivated").await, 1);
    }
}

#[tokio::test]
async fn a_pod_that_was_still_being_made_is_caught() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        bench.agents.hold("clone");
        let (detail, _) = bench.create("late").await.unwrap();
        bench.out("clone").await;
        suspend(&bench).await;
        bench.pods.tenants_follow().await.unwrap();
        bench.agents.release("clone");
        rest(&bench).await;
        let found = shown(&bench, detail.pod.id).await;
        assert_eq!(found, (State::Suspended, Power::Stopped), "{}", database.name);
        let (_, job) = bench.pods.cloudpod_destroy(&actor(), staff(), detail.pod.id).await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded, "it can be removed");
        reactivate(&bench).await;
        rest(&bench).await;
    }
}

#[tokio::test]
async fn many_pods_are_taken_in_batches() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        for name in ["pve1", "pve2"] {
            bench.server(name, 64).await;
        }
        let mut pods = Vec::new();
        for n in 0..56 {
            pods.push(bench.create(&format!("web-{n}")).await.unwrap().0.pod.id);
        }
        rest(&bench).await;
        suspend(&bench).await;
        assert_eq!(live(&bench).await, 50, "{}: the first", database.name);
        assert_eq!(bench.pods.tenants_follow().await.unwrap().done, 6, "the others");
        rest(&bench).await;
        for id in &pods {
            assert_eq!(shown(&bench, *id).await, (State::Suspended, Power::Stopped));
        }
        reactivate(&bench).await;
        rest(&bench).await;
        for id in &pods {
            assert_eq!(shown(&bench, *id).await, (State::Active, Power::Running));
        }
    }
}

#[tokio::test]
async fn who_changes_their_mind_while_a_host_is_away_gets_what_they_said_last() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let server = bench.server("pve1", 16).await;
        let id = bench.active("web").await;
        bench.offline(server).await;
        suspend(&bench).await;
        eventually("the customer is locked out", SOON, async || {
            bench.engine.dispatch().await.unwrap();
            (pod(&bench, id).await.state == State::Suspended).then_some(())
        })
        .await;
        reactivate(&bench).await;
        bench.pods.tenants_follow().await.unwrap();
        bench.online(server, "pve1").await;
        rest(&bench).await;
        assert_eq!(shown(&bench, id).await, (State::Active, Power::Running), "{}: given back", database.name);

        suspend(&bench).await;
        rest(&bench).await;
        bench.offline(server).await;
        reactivate(&bench).await;
        bench.engine.dispatch().await.unwrap();
        suspend(&bench).await;
        bench.pods.tenants_follow().await.unwrap();
        bench.online(server, "pve1").await;
        rest(&bench).await;
        let found = pod(&bench, id).await;
        assert_eq!((found.state, found.observed_power), (State::Suspended, Power::Stopped), "{}", database.name);
        assert!(found.condition.suspended_with_tenant);
        reactivate(&bench).await;
        rest(&bench).await;
        assert_eq!(shown(&bench, id).await, (State::Active, Power::Running));
    }
}

#[tokio::test]
async fn a_suspension_that_failed_is_tried_again_after_a_while() {
    for database in databases().await {
        let bench = PodBench::with_manual_clock(&database).await;
        bench.server("pve1", 16).await;
        let id = bench.active("web").await;
        bench.agents.fail("set_options", 1, Fail::Before, FailureKind::Permission);
        suspend(&bench).await;
        rest(&bench).await;
        assert_eq!(shown(&bench, id).await, (State::Active, Power::Running), "{}: it was undone", database.name);
        assert_eq!(bench.pods.tenants_follow().await.unwrap().done, 0, "not at once");
        bench.clock.advance(Duration::from_mins(11));
        rest(&bench).await;
        assert_eq!(shown(&bench, id).await, (State::Suspended, Power::Stopped), "{}", database.name);
    }
}

#[tokio::test]
async fn a_give_back_that_is_stuck_is_not_asked_for_again() {
    const STUCK: &str = "SELECT id FROM jobs WHERE state = 'stuck'";
    const LIFTING: &str = "SELECT COUNT(*) FROM jobs WHERE kind = 'unsuspend'";
    for database in databases().await {
        let bench = PodBench::with_manual_clock(&database).await;
        bench.server("pve1", 16).await;
        let id = bench.active("web").await;
        suspend(&bench).await;
        rest(&bench).await;
        bench.agents.hold("start");
        reactivate(&bench).await;
        bench.out("start").await;
        bench.agents.fail("start", 1, Fail::Before, FailureKind::Permission);
        bench.agents.fail("set_options", 99, Fail::Before, FailureKind::Permission);
        bench.agents.release("start");
        let job = eventually("the give-back is stuck", SOON, async || {
            // An undo is tried several times, with waits between.
            bench.clock.advance(Duration::from_mins(1));
            bench.engine.dispatch().await.unwrap();
            let mut read = bench.db.read().await.unwrap();
            control_plane::fetch_optional!(read.conn(), (JobId,), STUCK).unwrap().map(|(id,)| id)
        })
        .await;
        let lifting = async || {
            let mut read = bench.db.read().await.unwrap();
            control_plane::fetch_one!(read.conn(), (i64,), LIFTING).unwrap().0
        };
        for _ in 0..3 {
            bench.clock.advance(Duration::from_mins(11));
            assert_eq!(bench.pods.tenants_follow().await.unwrap().done, 0, "{}", database.name);
        }
        assert_eq!(lifting().await, 1, "{}: it waits for whoever retries it", database.name);
        bench.agents.heal();
        bench.jobs.job_retry(&actor(), Scope::Platform, job).await.unwrap();
        rest(&bench).await;
        bench.clock.advance(Duration::from_mins(11));
        rest(&bench).await;
        assert_eq!(shown(&bench, id).await, (State::Active, Power::Running), "{}", database.name);
        assert_eq!(lifting().await, 2);
    }
}

#[tokio::test]
async fn the_people_of_a_suspended_tenant_read_and_are_told_why_they_cannot_write() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let home = tenant(&app, "home").await;
        let (owner, boss) = (
            member(&app, &home, "OWNER", "owner@home.example").await.api,
            boss(&app, "boss@platform.example").await.api,
        );
        let (own, pods) = (format!("/api/admin/tenants/{home}"), "/api/admin/hosting/cloudpods");
        let body = json!({ "reason": "two invoices are overdue" });
        owner.post(&format!("{own}/suspend"), &body).await.expect_problem(403, "forbidden");
        boss.post(&format!("{own}/suspend"), &json!({ "reason": "" })).await.expect_field("reason");
        let leaked = json!({ "name": "leaked", "permissions": ["cloudpods:read"] });
        owner.post("/api/auth/tokens", &leaked).await.expect(201);
        let suspended = boss.post(&format!("{own}/suspend"), &body).await.expect(200);
        assert_eq!(suspended["state"], "suspended", "{}", database.name);

        assert_eq!(owner.get(&own).await.expect(200)["suspension"]["reason"], "two invoices are overdue");
        owner.get(pods).await.expect(200);
        let invite = json!({ "email": "anna@home.example", "role": "MEMBER" });
        let refused = owner.post("/api/users/invite", &invite).await;
        let text = refused.expect_problem(403, "forbidden")["detail"].as_str().unwrap().to_owned();
        assert!(text.contains("suspended") && text.contains("ask the platform"), "{text}");
        let wanted = json!({ "name": "web", "plan": "small", "image": "debian" });
        owner.post(pods, &wanted).await.expect_problem(403, "forbidden");
        // A token of their own that has leaked they revoke all the same.
        let own_tokens = owner.get("/api/auth/tokens").await.expect(200);
        let leaked = own_tokens["items"].as_array().unwrap().iter().find(|one| one["name"] == "leaked").unwrap();
        owner.delete(&format!("/api/auth/tokens/{}", leaked["id"].as_str().unwrap())).await.expect(204);
        assert_eq!(boss.get("/api/admin/tenants?state=suspended").await.expect(200)["items"][0]["name"], "home");

        let back = boss.post(&format!("{own}/reactivate"), &json!({})).await;
        assert_eq!(back.expect(200)["suspension"], serde_json::Value::Null);
        owner.post("/api/users/invite", &invite).await.expect(201);
        app.stop().await;
    }
}

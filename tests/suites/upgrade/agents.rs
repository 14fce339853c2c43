//! Agents and control planes of different ages.

use mpanel_tests::app::try_send;
use mpanel_tests::fleet::{Fleet, Hosts, PODS};
use mpanel_tests::several::Several;
use mpanel_tests::{TestDatabase, databases, eventually};
use reqwest::Method;
use serde_json::{Value, json};

use super::{PROGRAMS, REST};

/// What the first agents did not know.
const NEWER_COMMANDS: &str = "set_options,set_password,take_snapshot,rollback,delete_snapshot,list_snapshots,make_backup,\
                              restore_backup,delete_backup,list_backups,migrate,remote_migrate,make_template,set_media,\
                              set_firewall,adopt,check_migrate,configure_exactly";

/// A fleet of one host, its processes as old as this says; on PostgreSQL there are two control planes.
async fn fleet_of(database: TestDatabase, control: &str, agent: &[(&str, &str)]) -> Several {
    let settings = [("MPANEL_FAULT_PROTOCOL", control)];
    let mut fleet = Several::as_applies(PROGRAMS, database, Hosts::Apart(1), &settings).await;
    fleet.hosts[0].agent.kill().await;
    fleet.hosts[0].agent_start(agent);
    fleet
}

async fn online(fleet: &Fleet) {
    eventually("the agent to be online", REST, async || {
        let request = fleet.api.request(Method::GET, "/api/platform/servers/pve1");
        let server = try_send(request).await.ok().filter(|answer| answer.status == 200)?.body;
        (server["connection"]["state"] == "online").then_some(())
    })
    .await;
}

/// A pod from its creation to its end, with `between` while it lives.
async fn live_and_die(fleet: &Fleet, between: impl AsyncFnOnce(&str)) {
    online(fleet).await;
    let id = fleet.create_answered("web", &uuid::Uuid::new_v4().to_string()).await;
    let pod = fleet.pod_until(&id, &["active", "failed"]).await;
    assert_eq!(pod["state"], "active", "{pod:#}");
    for operation in ["stop", "start"] {
        let job = fleet.api.post(&format!("{PODS}/{id}/{operation}"), &json!({})).await.expect(202);
        let job = over(fleet, &job).await;
        assert_eq!(job["state"], "succeeded", "{job:#}");
    }
    between(&id).await;
    fleet.destroy(&id).await.expect("an answer").expect(202);
    fleet.pod_until(&id, &["deleted"]).await;
    assert_eq!(fleet.invariants().await, 0);
}

/// The job of an answer, once it is over.
async fn over(fleet: &Fleet, answer: &Value) -> Value {
    let job = if answer["job"].is_object() { &answer["job"] } else { answer };
    let path = format!("/api/platform/provisioning/jobs/{}", job["id"].as_str().expect("a job's id"));
    eventually("the job to be over", REST, async || {
        let job = fleet.api.get(&path).await.expect(200);
        (!matches!(job["state"].as_str()?, "queued" | "running" | "undoing")).then_some(job)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_agent_with_a_new_control_plane_makes_pods_and_says_of_what_it_does_not_know_that_it_is_to_be_updated() {
    for database in databases().await {
        let old = [("MPANEL_FAULT_PROTOCOL", "0-0"), ("MPANEL_FAULT_UNKNOWN", NEWER_COMMANDS)];
        let fleet = fleet_of(database, "0-1", &old).await;
        live_and_die(&fleet, async |id| {
            let body = json!({"name": "before"});
            let answer = fleet.api.post(&format!("{PODS}/{id}/snapshots"), &body).await.expect(202);
            let job = over(&fleet, &answer).await;
            assert_eq!(
                (&job["state"], &job["error"]["code"]),
                (&json!("failed"), &json!("agent_unsupported")),
                "{job:#}"
            );
            let detail = job["error"]["detail"].as_str().expect("a cause");
            assert!(detail.contains("update the agent"), "{detail}");
            assert_eq!(
                fleet.pod_until(id, &["active"]).await["observed_power"],
                "running",
                "the pod is none the worse"
            );
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_agent_makes_no_pod_of_another_s_backup_that_would_keep_the_other_s_addresses() {
    for database in databases().await {
        let old = [("MPANEL_FAULT_PROTOCOL", "0-1"), ("MPANEL_FAULT_UNKNOWN", "configure_exactly")];
        let fleet = fleet_of(database, "0-1", &old).await;
        live_and_die(&fleet, async |id| {
            let backups = format!("{PODS}/{id}/backups");
            let asked = fleet.api.post(&backups, &json!({"storage": "local"})).await.expect(202);
            assert_eq!(over(&fleet, &asked).await["state"], "succeeded");
            let made = fleet.api.get(&backups).await.expect(200);
            let backup = made["items"][0]["id"].as_str().expect("its id").to_owned();
            let path = format!("/api/admin/hosting/backups/{backup}/recreate");
            let asked = fleet.api.post(&path, &json!({"name": "copy"})).await.expect(202);
            let job = over(&fleet, &asked).await;
            assert_eq!(
                (&job["state"], &job["error"]["code"]),
                (&json!("failed"), &json!("agent_unsupported")),
                "{job:#}"
            );
            let copy = asked["cloudpod"]["id"].as_str().expect("its id").to_owned();
            fleet.destroy(&copy).await.expect("an answer").expect(202);
            fleet.pod_until(&copy, &["deleted"]).await;
            let deleted = fleet.api.delete(&format!("{backups}/{backup}")).await.expect(202);
            assert_eq!(over(&fleet, &deleted).await["state"], "succeeded");
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_agent_with_an_old_control_plane_makes_pods() {
    for database in databases().await {
        let fleet = fleet_of(database, "0-0", &[("MPANEL_FAULT_PROTOCOL", "0-1")]).await;
        live_and_die(&fleet, async |_| {}).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_only_one_of_two_control_planes_was_updated_either_serves_the_agent() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let mut fleet = Several::start(PROGRAMS, database, Hosts::Apart(1), 2).await;
    let age = |versions| [("MPANEL_FAULT_PROTOCOL", versions)];
    let ages = [age("0-0"), age("0-1")];
    fleet.hosts[0].agent.kill().await;
    fleet.hosts[0].agent_start(&age("0-1"));
    for n in [0, 1] {
        for plane in [0, 1] {
            fleet.daemon(plane).kill().await;
        }
        // Alone for a while, it has the agent from then on.
        let before = fleet.hosts[0].agent.times_said("session begun");
        fleet.plane_start(n, &ages[n]);
        fleet.plane_ready(n).await;
        eventually("the agent's session", REST, async || {
            (fleet.hosts[0].agent.times_said("session begun") > before).then_some(())
        })
        .await;
        fleet.plane_start(1 - n, &ages[1 - n]);
        fleet.plane_ready(1 - n).await;
        live_and_die(&fleet, async |_| {}).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_and_a_control_plane_that_have_no_protocol_in_common_say_which_is_to_be_updated() {
    for database in databases().await {
        let mut fleet = fleet_of(database, "1-1", &[]).await;
        online(&fleet).await;
        for (agent, side) in [("0-0", "update the agent"), ("2-3", "update the control plane")] {
            fleet.hosts[0].agent.kill().await;
            fleet.hosts[0].agent_start(&[("MPANEL_FAULT_PROTOCOL", agent)]);
            let host = &fleet.hosts[0];
            eventually("the agent to say who is to be updated", REST, async || {
                host.agent.tail().contains(side).then_some(())
            })
            .await;
            eventually("it to be shown as offline", REST, async || {
                let server = fleet.api.get("/api/platform/servers/pve1").await.expect(200);
                (server["connection"]["state"] == "offline").then_some(())
            })
            .await;
        }
        // Updated, it is there again, and nothing was lost.
        fleet.hosts[0].agent.kill().await;
        fleet.hosts[0].agent_start(&[]);
        live_and_die(&fleet, async |_| {}).await;
    }
}

//! Proxmox's answers, broken in every way, as a pod's job shows them.

use mpanel_tests::databases;
use mpanel_tests::fleet::{Fleet, Hosts, PODS};
use mpanel_tests::several::Several;
use pve_sim::{Action, Fault};
use serde_json::Value;

use super::{CLONE, PROGRAMS, active_once, held_clone, job_until, log_of, server_until};

fn status(status: u16, reason: &str) -> Action {
    Action::Status { status, reason: reason.to_owned() }
}

/// A fleet whose agent waits no more than 2 s for an answer, and whose jobs wait no more than 200 ms between tries.
async fn impatient(database: mpanel_tests::TestDatabase) -> Several {
    let settings = [("MPANEL__JOBS__RETRY_MAX", "200ms")];
    let mut fleet = Several::as_applies(PROGRAMS, database, Hosts::Apart(1), &settings).await;
    let host = &mut fleet.hosts[0];
    host.agent.kill().await;
    host.agent_start(&[("MPANEL_AGENT_PROXMOX_CALL_TIMEOUT_S", "2")]);
    is_well(&fleet).await;
    fleet
}

/// Waits until what is told of the host is good: where Proxmox has just not answered, nothing new is placed.
async fn is_well(fleet: &Fleet) {
    server_until(fleet, "is well", |server| {
        server["connection"]["state"] == "online"
            && server["problem"].is_null()
            && server["storages"][0]["active"] == true
    })
    .await;
}

/// Each broken answer, and what of it the job's log has to show; empty: the clone was made, which the agent finds out.
fn broken() -> Vec<(&'static str, Action, &'static str)> {
    vec![
        ("500", status(500, "got no worker upid - start worker failed"), "got no worker upid"),
        ("503", status(503, "Service Unavailable"), "Service Unavailable"),
        ("595", status(595, "No route to host"), "No route to host"),
        ("596", status(596, "Broken pipe"), "Broken pipe"),
        ("599", status(599, "Too many redirections"), "Too many redirections"),
        ("hangs", Action::Hang, "no answer in time"),
        ("closes", Action::Close, "connection"),
        ("html-502", Action::Html { status: 502 }, "Bad Gateway"),
        ("html-200", Action::Html { status: 200 }, ""),
        ("garbage", Action::Garbage, ""),
        ("mid-body", Action::CloseMidBody, ""),
        ("lost", Action::LoseAnswer, ""),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_answers_to_a_clone_are_tried_again_with_the_cause_in_the_log_and_one_vm() {
    for database in databases().await {
        let fleet = impatient(database).await;
        for (n, (name, action, shown)) in broken().into_iter().enumerate() {
            fleet.hosts[0].sim.faults().next("POST", CLONE, 1, action);
            let id = fleet.create_answered(name, name).await;
            active_once(&fleet, &id, n + 1, n + 1).await;
            let job = job_until(&fleet, &id, "succeeds", |job| job["state"] == "succeeded").await;
            let log = log_of(&fleet, &job).await;
            assert!(log.iter().any(|line| line.contains(shown)), "{name}: {shown:?} is not in {log:#?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_answers_to_every_question_are_never_taken_for_absent() {
    for database in databases().await {
        let fleet = impatient(database).await;
        let mut pods = Vec::new();
        for (n, (name, action, _)) in broken().into_iter().enumerate() {
            is_well(&fleet).await;
            let id = held_clone(&fleet, name).await;
            // Some of what is asked is answered so, of this pod and of those before it.
            let fault = Fault { method: Some("GET".to_owned()), path: "*".to_owned(), skip: 0, times: Some(6), action };
            let faults = fleet.hosts[0].sim.faults();
            faults.add(fault);
            faults.release();
            active_once(&fleet, &id, n + 1, n + 1).await;
            pods.push(id);
        }
        for id in &pods {
            assert_eq!(fleet.pod_until(id, &["active", "failed", "deleted"]).await["state"], "active");
        }
        let drift = fleet.api.get("/api/platform/drift").await.expect(200);
        assert_eq!(drift["items"].as_array().map(Vec::len), Some(0), "{drift:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_fields_and_strings_for_numbers_change_nothing() {
    for database in databases().await {
        let fleet = impatient(database).await;
        for (n, action) in [Action::UnknownFields, Action::NumbersAsStrings].into_iter().enumerate() {
            let faults = fleet.hosts[0].sim.faults();
            faults.add(Fault { method: None, path: "*".to_owned(), skip: 0, times: None, action });
            let id = fleet.create_answered(&format!("pod-{n}"), &format!("key-{n}")).await;
            active_once(&fleet, &id, n + 1, n + 1).await;
            let job = job_until(&fleet, &id, "succeeds", |job| job["state"] == "succeeded").await;
            assert_eq!(job["error"], serde_json::Value::Null, "{job:#}");
            let server = fleet.api.get("/api/platform/servers/pve1").await.expect(200);
            assert_eq!(server["problem"], serde_json::Value::Null, "{server:#}");
            faults.clear();
        }
    }
}

/// The job of a pod whose clone is answered so, always, once nothing more is tried.
async fn stays_broken(fleet: &Fleet, number: u16, shown: &str) -> Value {
    let action = status(number, shown);
    let faults = fleet.hosts[0].sim.faults();
    faults.add(Fault { method: Some("POST".to_owned()), path: CLONE.to_owned(), skip: 0, times: None, action });
    let id = fleet.create_answered(&format!("pod-{number}"), &format!("key-{number}")).await;
    let over = |job: &Value| job["state"] == "failed" || job["state"] == "stuck";
    let job = job_until(fleet, &id, "comes to its end", over).await;
    assert!(job["error"]["detail"].as_str().unwrap().contains(shown), "the first cause: {job:#}");
    faults.clear();
    job
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_stays_fails_the_pod_with_the_reason_and_leaves_nothing() {
    let errors = [
        (500, "got no worker upid - start worker failed", "proxmox_task_failed"),
        (595, "Connection refused", "proxmox_unavailable"),
    ];
    for database in databases().await {
        let fleet = impatient(database).await;
        for (number, reason, code) in errors {
            let job = stays_broken(&fleet, number, reason).await;
            assert_eq!((&job["state"], &job["error"]["code"]), (&"failed".into(), &code.into()), "{job:#}");
            let pod = fleet.pod_until(job["cloudpod_id"].as_str().unwrap(), &["failed"]).await;
            assert!(pod["failure"].as_str().unwrap_or_default().contains(reason), "{pod:#}");
            assert_eq!(fleet.invariants().await, 0, "{}", fleet.database.name);
        }
        assert_eq!(fleet.hosts[0].vms_ever_made(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_gateway_may_have_passed_on_is_not_undone_before_that_is_known_and_stays_held() {
    for (number, reason) in [(596, "Broken pipe"), (599, "Too many redirections"), (503, "Service Unavailable")] {
        for database in databases().await {
            let fleet = impatient(database).await;
            let job = stays_broken(&fleet, number, reason).await;
            assert_eq!((&job["state"], &job["retryable"]), (&"stuck".into(), &true.into()), "{job:#}");
            let log = log_of(&fleet, &job).await;
            assert!(log.iter().any(|line| line.contains("may still")), "why is told: {log:#?}");
            let pod = fleet.api.get(&format!("{PODS}/{}", job["cloudpod_id"].as_str().unwrap())).await.expect(200);
            assert!(pod["vmid"].is_u64(), "nobody else is given its VMID: {pod:#}");
        }
    }
}

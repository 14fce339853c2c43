//! What becomes of pods and their jobs, as an operator sees them over REST, when hosts, agents, Proxmox, disks and networks
//! fail: real processes, real TLS, on SQLite and PostgreSQL; on that, where a test does not itself stop and start the control plane,
//! with two control planes.
//!
//! `MPANEL_TEST_CUT_S` says how long a network stays cut (default 8; a session is taken for lost after 4).
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

#[path = "agent_faults/answers.rs"]
mod answers;
#[path = "agent_faults/by_hand.rs"]
mod by_hand;
#[path = "agent_faults/identity.rs"]
mod identity;
#[path = "agent_faults/ledger.rs"]
mod ledger;
#[path = "agent_faults/network.rs"]
mod network;
#[path = "agent_faults/results.rs"]
mod results;
#[path = "agent_faults/shutdown.rs"]
mod shutdown;
#[path = "agent_faults/tasks.rs"]
mod tasks;

use mpanel_tests::app::try_send;
use mpanel_tests::eventually;
use mpanel_tests::fleet::{DEADLINE, Fleet, PODS, Programs};
use pve_sim::TaskAction;
use reqwest::Method;
use serde_json::{Value, json};

const PROGRAMS: Programs =
    Programs { control: env!("CARGO_BIN_EXE_mpanel-faulty"), agent: env!("CARGO_BIN_EXE_mpanel-agent-faulty") };
const JOBS: &str = "/api/platform/provisioning/jobs";
const CLONE: &str = "/nodes/*/qemu/*/clone";

/// The newest job of a pod, as soon as it is so.
async fn job_until(fleet: &Fleet, pod: &str, what: &str, so: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    let start = std::time::Instant::now();
    eventually(&format!("the pod's job {what}"), DEADLINE * 2, async || {
        let path = format!("{JOBS}?cloudpod_id={pod}&limit=1");
        let answer = try_send(fleet.api.request(Method::GET, &path)).await.ok()?;
        last = answer.body["items"].get(0)?.clone();
        assert!(start.elapsed() < DEADLINE, "not {what}: {last:#}");
        so(&last).then(|| last.clone())
    })
    .await
}

/// What a job said.
async fn log_of(fleet: &Fleet, job: &Value) -> Vec<String> {
    let path = format!("{JOBS}/{}/log?limit=200", job["id"].as_str().expect("an id"));
    let page = fleet.api.get(&path).await.expect(200);
    page["items"].as_array().expect("lines").iter().map(|line| line["line"].as_str().unwrap().to_owned()).collect()
}

/// A server as it is shown, as soon as it is so.
async fn server_until(fleet: &Fleet, what: &str, so: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    let start = std::time::Instant::now();
    eventually(&format!("the server {what}"), DEADLINE * 2, async || {
        let request = fleet.api.request(Method::GET, "/api/platform/servers/pve1");
        last = try_send(request).await.ok()?.body;
        assert!(start.elapsed() < DEADLINE, "not {what}: {last:#}\n{}", fleet.hosts[0].agent.tail());
        so(&last).then(|| last.clone())
    })
    .await
}

/// Waits until the first host's agent has said these words more than so often.
async fn agent_says(fleet: &Fleet, words: &str, before: usize) {
    let agent = &fleet.hosts[0].agent;
    let start = std::time::Instant::now();
    eventually(&format!("the agent to say: {words}"), DEADLINE * 2, async || {
        assert!(start.elapsed() < DEADLINE, "not said more than {before} times: {words}\n{}", agent.tail());
        (agent.times_said(words) > before).then_some(())
    })
    .await;
}

/// One check of the connection test, once the agent answers it.
async fn check_of(fleet: &Fleet, name: &str) -> Value {
    eventually(&format!("the check {name}"), DEADLINE, async || {
        let request = fleet.api.request(Method::POST, "/api/platform/servers/pve1/test-connection").json(&json!({}));
        let report = try_send(request).await.ok()?.body;
        report["checks"].as_array()?.iter().find(|check| check["name"] == name).cloned()
    })
    .await
}

/// A pod whose clone has begun on the first host and does not end before it is released; its id.
async fn held_clone(fleet: &Fleet, name: &str) -> String {
    let faults = fleet.hosts[0].sim.faults();
    faults.next_task("qmclone", TaskAction::Hold);
    let id = fleet.create_answered(name, &format!("key-{name}")).await;
    tokio::time::timeout(DEADLINE, faults.wait_held("qmclone")).await.expect("the clone begins");
    id
}

/// The pod is there, its VM was made once, and so many live pods are there in all, each as it should be.
async fn active_once(fleet: &Fleet, id: &str, made: usize, pods: usize) {
    let mut pod = Value::Null;
    let start = std::time::Instant::now();
    let said = || format!("on {}:\n{}", fleet.database.name, fleet.hosts[0].agent.tail());
    eventually("the pod to be there", DEADLINE * 2, async || {
        assert!(start.elapsed() < DEADLINE, "it is not there: {pod:#} {}", said());
        pod = try_send(fleet.api.request(Method::GET, &format!("{PODS}/{id}"))).await.ok()?.body;
        assert_ne!(pod["state"], "failed", "{pod:#} {}", said());
        (pod["state"] == "active").then_some(())
    })
    .await;
    assert_eq!(fleet.invariants().await, pods, "{}", fleet.database.name);
    let ever: usize = fleet.hosts.iter().map(mpanel_tests::fleet::Host::vms_ever_made).sum();
    assert_eq!(ever, made, "no VM was made twice, on {}", fleet.database.name);
}

//! A drain with real processes: a control plane, and agents on the nodes of a simulated Proxmox VE cluster.

use std::collections::BTreeMap;

use mpanel_tests::TestDatabase;
use mpanel_tests::app::try_send;
use mpanel_tests::eventually;
use mpanel_tests::fleet::{DEADLINE, Fleet, Programs};
use serde_json::{Value, json};

pub const PROGRAMS: Programs =
    Programs { control: env!("CARGO_BIN_EXE_mpanel-faulty"), agent: env!("CARGO_BIN_EXE_mpanel-agent-faulty") };
const PODS: usize = 40;

async fn status(fleet: &Fleet, server: &str, body: Value) {
    let answer = fleet.api.post(&format!("/api/platform/servers/{server}/status"), &body).await;
    assert!(matches!(answer.status.as_u16(), 200 | 202), "{answer:?}");
}

/// The plan, as soon as it is so.
pub async fn plan_until(fleet: &Fleet, what: &str, so: impl Fn(&Value) -> bool) -> Value {
    let path = "/api/platform/servers/pve1/drain";
    eventually(what, DEADLINE * 3, async || {
        let answer = try_send(fleet.api.request(reqwest::Method::GET, path)).await.ok()?;
        (answer.status == 200 && so(&answer.body)).then_some(answer.body)
    })
    .await
}

/// Every pod runs on one host, where its record says, and where the plan says.
async fn each_runs_once(fleet: &Fleet, plan: &Value) {
    let pods = fleet.api.get("/api/admin/hosting/cloudpods?limit=200").await.expect(200);
    let pods = pods["items"].as_array().expect("items").clone();
    assert_eq!(pods.len(), PODS);
    let mut on: BTreeMap<(String, u64), usize> = BTreeMap::new();
    for vm in fleet.hosts[0].sim.hand().vms().into_iter().filter(|vm| !vm.template) {
        *on.entry((vm.node.clone(), u64::from(vm.vmid))).or_default() += 1;
    }
    assert_eq!(on.len(), PODS, "as many VMs as pods: {on:?}");
    for pod in &pods {
        let (server, vmid) = (pod["server"]["name"].as_str().expect("placed"), pod["vmid"].as_u64().expect("a VMID"));
        assert_eq!(on.get(&(server.to_owned(), vmid)), Some(&1), "the VM of {pod:#}");
        assert_eq!(pod["moving_to"], Value::Null);
        let rows = plan["pods"].as_array().expect("a plan");
        if let Some(row) = rows.iter().find(|row| row["cloudpod"]["id"] == pod["id"]) {
            assert_eq!(row["server_id"], pod["server"]["id"], "the plan says where it is");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_with_forty_pods_is_drained_through_a_cancel_a_repeat_and_kill_9_of_the_control_plane() {
    let mut fleet = Fleet::start_cluster(PROGRAMS, TestDatabase::sqlite(), 3).await;
    for other in ["pve2", "pve3"] {
        status(&fleet, other, json!({"status": "locked"})).await;
    }
    let mut ids = Vec::new();
    for n in 0..PODS {
        ids.push(fleet.create_answered(&format!("web-{n}"), &format!("key-{n}")).await);
    }
    for id in &ids {
        fleet.pod_until(id, &["active"]).await;
    }
    for other in ["pve2", "pve3"] {
        status(&fleet, other, json!({"status": "online"})).await;
    }
    let preview = fleet.api.post("/api/platform/servers/pve1/drain/preview", &json!({})).await.expect(200);
    assert_eq!((preview["movable"].as_u64(), preview["blocked"].as_u64()), (Some(PODS as u64), Some(0)), "{preview:#}");

    status(&fleet, "pve1", json!({"status": "draining", "reason": "a new board"})).await;
    plan_until(&fleet, "some to be moved", |plan| plan["counts"]["moved"].as_u64() >= Some(4)).await;
    let cancelled = fleet.api.request(reqwest::Method::DELETE, "/api/platform/servers/pve1/drain");
    let cancelled = try_send(cancelled).await.expect("an answer").expect(200);
    assert_eq!(cancelled["state"], "cancelled");
    let left = plan_until(&fleet, "what is under way to end", |plan| plan["counts"]["moving"] == 0).await;
    assert!(left["counts"]["left"].as_u64() > Some(0), "{:#}", left["counts"]);
    each_runs_once(&fleet, &left).await;

    status(&fleet, "pve1", json!({"status": "draining"})).await;
    plan_until(&fleet, "some more to be moved", |plan| plan["counts"]["moved"].as_u64() >= Some(4)).await;
    fleet.control_restart(&[]).await;
    plan_until(&fleet, "still more to be moved", |plan| plan["counts"]["moved"].as_u64() >= Some(8)).await;
    fleet.control_restart(&[]).await;
    status(&fleet, "pve1", json!({"status": "draining"})).await;
    let done = plan_until(&fleet, "the drain's end", |plan| plan["state"] == "done").await;
    each_runs_once(&fleet, &done).await;
    let on_the_first = fleet.hosts[0].sim.hand().vms().into_iter().filter(|vm| !vm.template && vm.node == "pve1");
    assert_eq!(on_the_first.count(), 0, "it is empty");
    assert_eq!(fleet.invariants().await, PODS);
}

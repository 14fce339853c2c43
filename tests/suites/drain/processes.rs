//! A drain with real processes: control planes, and agents on the nodes of a simulated Proxmox VE cluster.

use std::collections::BTreeMap;

use mpanel_tests::TestDatabase;
use mpanel_tests::app::{Api, try_send};
use mpanel_tests::eventually;
use mpanel_tests::fleet::{Client, DEADLINE, Fleet, Hosts, Programs};
use mpanel_tests::several::Several;
use serde_json::{Value, json};

pub const PROGRAMS: Programs =
    Programs { control: env!("CARGO_BIN_EXE_mpanel-faulty"), agent: env!("CARGO_BIN_EXE_mpanel-agent-faulty") };
const PODS: usize = 40;

async fn status(api: &Api, server: &str, body: Value) {
    let answer = api.post(&format!("/api/platform/servers/{server}/status"), &body).await;
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

/// Control plane `n` is killed with a drain under way, which goes on nevertheless: at another one, or once the only one is back.
async fn goes_on_through_kill_9(several: &mut Several, n: usize) {
    let some = |plan: &Value| plan["counts"]["moved"].as_u64() >= Some(2);
    let before = plan_until(&several.fleet, "some to be moved", some).await;
    assert_eq!(before["state"], "running", "it is killed in the midst: {:#}", before["counts"]);
    let moved = before["counts"]["moved"].as_u64().expect("a count");
    several.daemon(n).kill().await;
    if several.planes.len() == 1 {
        several.plane_restart(n).await;
    }
    let more = |plan: &Value| plan["counts"]["moved"].as_u64() >= Some(moved + 4);
    plan_until(&several.fleet, "more to be moved after the kill", more).await;
}

/// The control plane that a drain is asked of is killed; where there is another one, that goes on with it alone, and takes what is
/// asked for next.
async fn drained_through_a_cancel_a_repeat_and_kills(mut several: Several) {
    let (first, last) = (0, several.planes.len() - 1);
    let others = async |several: &Several, to: &str| {
        for other in ["pve2", "pve3"] {
            status(&several.fleet.api, other, json!({"status": to})).await;
        }
    };
    others(&several, "locked").await;
    let ids = Client(several.fleet.api.clone()).create_many("web", PODS as u64).await;
    for id in &ids {
        several.fleet.pod_until(id, &["active"]).await;
    }
    others(&several, "online").await;
    let preview = several.fleet.api.post("/api/platform/servers/pve1/drain/preview", &json!({})).await.expect(200);
    assert_eq!((preview["movable"].as_u64(), preview["blocked"].as_u64()), (Some(PODS as u64), Some(0)), "{preview:#}");

    status(&several.planes[first].api, "pve1", json!({"status": "draining", "reason": "a new board"})).await;
    goes_on_through_kill_9(&mut several, first).await;
    let cancelled = several.planes[last].api.request(reqwest::Method::DELETE, "/api/platform/servers/pve1/drain");
    let cancelled = try_send(cancelled).await.expect("an answer").expect(200);
    assert_eq!(cancelled["state"], "cancelled");
    let left = plan_until(&several.fleet, "what is under way to end", |plan| plan["counts"]["moving"] == 0).await;
    assert!(left["counts"]["left"].as_u64() > Some(0), "{:#}", left["counts"]);
    each_runs_once(&several.fleet, &left).await;
    if first != last {
        several.plane_restart(first).await;
    }

    status(&several.planes[last].api, "pve1", json!({"status": "draining"})).await;
    goes_on_through_kill_9(&mut several, last).await;
    status(&several.planes[first].api, "pve1", json!({"status": "draining"})).await;
    let done = plan_until(&several.fleet, "the drain's end", |plan| plan["state"] == "done").await;
    each_runs_once(&several.fleet, &done).await;
    let vms = several.fleet.hosts[0].sim.hand().vms();
    assert_eq!(vms.into_iter().filter(|vm| !vm.template && vm.node == "pve1").count(), 0, "it is empty");
    assert_eq!(several.fleet.invariants().await, PODS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_with_forty_pods_is_drained_through_a_cancel_a_repeat_and_kill_9_of_the_control_plane() {
    let several = Several::start(PROGRAMS, TestDatabase::sqlite(), Hosts::Cluster(3), 1).await;
    drained_through_a_cancel_a_repeat_and_kills(several).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_with_forty_pods_is_drained_through_a_cancel_a_repeat_and_kill_9_of_each_of_two_control_planes() {
    if let Some(database) = TestDatabase::postgres().await {
        let several = Several::start(PROGRAMS, database, Hosts::Cluster(3), 2).await;
        drained_through_a_cancel_a_repeat_and_kills(several).await;
    }
}

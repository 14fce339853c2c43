//! Moves to another Proxmox cluster with real processes: one runs, wherever it breaks, and keeps its addresses.

use mpanel_tests::fleet::{DEADLINE, Fleet, PODS};
use mpanel_tests::{TestDatabase, eventually};
use pve_sim::{TaskAction, TaskFault};
use serde_json::{Value, json};

use super::processes::PROGRAMS;

/// Makes a host the target of moves from the others.
async fn endpoint_set(fleet: &Fleet, host: usize) {
    let (name, sim) = (&fleet.hosts[host].name, &fleet.hosts[host].sim);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    std::fs::write(&file, sim.token()).expect("a file");
    let (port, fingerprint, file) = (sim.address().port(), sim.fingerprint(), file.display());
    let line = format!(
        "server endpoint {name} --host 127.0.0.1 --port {port} --fingerprint {fingerprint} --proxmox-token-file {file}"
    );
    let shown = fleet.cli(&line).await.ok();
    assert!(shown.contains("127.0.0.1") && !shown.contains(&sim.token()), "{shown}");
}

async fn pod(fleet: &Fleet, id: &str) -> Value {
    fleet.api.get(&format!("{PODS}/{id}")).await.expect(200)
}

/// The hosts that have a VM with the pod's number or stamp, and whether it runs.
fn copies(fleet: &Fleet) -> Vec<(String, bool)> {
    let vms = fleet.hosts.iter().flat_map(|host| host.sim.hand().vms());
    vms.filter(|vm| !vm.template).map(|vm| (vm.node, vm.running)).collect()
}

async fn is_on(fleet: &Fleet, before: &Value, server: &str, running: bool) {
    let now = pod(fleet, before["id"].as_str().expect("an id")).await;
    assert_eq!((&now["state"], &now["server"]["name"]), (&json!("active"), &json!(server)), "{now}");
    assert_eq!((&now["addresses"], &now["moving_to"]), (&before["addresses"], &Value::Null));
    assert_eq!(copies(fleet), [(server.to_owned(), running)], "exactly one");
}

/// Asks for a move and waits until Proxmox is in the midst of it; the job.
async fn held_move(fleet: &Fleet, id: &str, from: usize) -> String {
    let faults = fleet.hosts[from].sim.faults();
    faults.next_task("qmigrate", TaskAction::Hold);
    let asked = fleet.api.post(&format!("{PODS}/{id}/migrate"), &json!({})).await.expect(202);
    eventually("Proxmox to be in the midst of it", DEADLINE, async || (!faults.held().is_empty()).then_some(())).await;
    asked["job"]["id"].as_str().expect("a job").to_owned()
}

async fn job_over(fleet: &Fleet, id: &str) -> Value {
    eventually("the job to end", DEADLINE, async || {
        let job = fleet.api.get(&format!("/api/platform/provisioning/jobs/{id}")).await.expect(200);
        matches!(job["state"].as_str(), Some("succeeded" | "failed" | "cancelled" | "stuck")).then_some(job)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_goes_to_another_cluster_and_back_through_what_breaks_on_the_way() {
    let mut fleet = Fleet::start(PROGRAMS, TestDatabase::sqlite(), 2).await;
    fleet.cli("server lock pve2").await.ok();
    let id = fleet.create_answered("web-1", "key").await;
    let before = fleet.pod_until(&id, &["active"]).await;
    fleet.cli("server online pve2").await.ok();
    let refused = fleet.cli("pod migrate web-1 --to pve2").await.fails(3);
    assert!(refused.contains("no migration endpoint"), "{refused}");
    endpoint_set(&fleet, 0).await;
    endpoint_set(&fleet, 1).await;

    // Live, and stopped.
    fleet.cli("pod migrate web-1 --to pve2 --wait").await.ok();
    is_on(&fleet, &before, "pve2", true).await;
    fleet.cli("pod stop web-1 --wait").await.ok();
    fleet.cli("pod migrate web-1 --to pve1 --wait").await.ok();
    is_on(&fleet, &before, "pve1", false).await;
    fleet.cli("pod start web-1 --wait").await.ok();

    // The agent is killed in the midst: it finds the task again, and the move comes to its end.
    let job = held_move(&fleet, &id, 0).await;
    fleet.hosts[0].agent.kill().await;
    fleet.hosts[0].agent_start(&[]);
    fleet.hosts[0].sim.faults().release();
    let over = job_over(&fleet, &job).await;
    assert_eq!(over["state"], "succeeded", "{over}");
    is_on(&fleet, &before, "pve2", true).await;

    // Proxmox gives up in the midst: the VM runs on where it was.
    let failing = TaskFault {
        kind: "qmigrate".to_owned(),
        id: None,
        skip: 0,
        times: Some(1),
        action: TaskAction::Fail { exit: "migration aborted".to_owned(), log: Vec::new() },
    };
    fleet.hosts[1].sim.faults().add_task(failing);
    fleet.cli("pod migrate web-1 --to pve1 --wait").await.fails(1);
    is_on(&fleet, &before, "pve2", true).await;

    // The target goes away, and comes back: nothing is given up before it has been looked at.
    assert!(fleet.hosts[0].sim.hand().unreachable("pve1", true));
    let asked = fleet.api.post(&format!("{PODS}/{id}/migrate"), &json!({ "server": "pve1" })).await.expect(202);
    let job = asked["job"]["id"].as_str().expect("a job");
    eventually("the move to be undone", DEADLINE, async || {
        let job = fleet.api.get(&format!("/api/platform/provisioning/jobs/{job}")).await.expect(200);
        (job["state"] == "undoing").then_some(())
    })
    .await;
    assert!(fleet.hosts[0].sim.hand().unreachable("pve1", false));
    let over = job_over(&fleet, job).await;
    assert_eq!(over["state"], "failed", "{over}");
    is_on(&fleet, &before, "pve2", true).await;
    assert_eq!(fleet.invariants().await, 1);
}

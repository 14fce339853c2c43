//! Drains as an operator does them, at the command line.

use mpanel_tests::TestDatabase;
use mpanel_tests::fleet::Fleet;
use pve_sim::{TaskAction, TaskFault};
use serde_json::json;

use super::processes::{PROGRAMS, plan_until};

const DRAIN: &str = "/api/platform/servers/pve1/drain";

/// How many VMs each of two hosts has.
fn spread(fleet: &Fleet) -> [usize; 2] {
    let vms = fleet.hosts[0].sim.hand().vms();
    ["pve1", "pve2"].map(|node| vms.iter().filter(|vm| !vm.template && vm.node == node).count())
}

fn hold_moves(fleet: &Fleet) {
    let fault = TaskFault { kind: "qmigrate".to_owned(), id: None, skip: 0, times: None, action: TaskAction::Hold };
    fleet.hosts[0].sim.faults().add_task(fault);
}

fn release_moves(fleet: &Fleet) {
    fleet.hosts[0].sim.faults().clear();
    fleet.hosts[0].sim.faults().release();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_previewed_drained_cancelled_drained_again_and_filled_back_at_the_command_line() {
    let fleet = Fleet::start_cluster(PROGRAMS, TestDatabase::sqlite(), 2).await;
    fleet.cli("server lock pve2").await.ok();
    for name in ["web-1", "web-2", "web-3"] {
        let id = fleet.create_answered(name, name).await;
        fleet.pod_until(&id, &["active"]).await;
    }
    let nowhere = fleet.cli("server drain pve1 --preview").await;
    assert!(nowhere.out.contains("pve2: ") && nowhere.err.contains("0 of the pods"), "{nowhere:?}");
    fleet.cli("server online pve2").await.ok();
    let preview = fleet.cli("server drain pve1 --preview").await;
    assert!(preview.err.contains("3 of the pods on pve1 can be moved, 0 cannot"), "{preview:?}");
    let table = preview.ok();
    assert!(table.contains("web-3") && table.contains("live") && table.contains("pve2"), "{table}");
    fleet.api.get(DRAIN).await.expect_problem(404, "not_found");
    assert_eq!(fleet.api.get("/api/platform/servers/pve1").await.expect(200)["scheduling"]["state"], "online");
    assert!(fleet.cli("server drain pve1 --cancel").await.fails(3).contains("no drain"));

    // It goes on when nobody waits any more; cancelled, it ends what is under way alone.
    hold_moves(&fleet);
    let waited = fleet.cli("server drain pve1 --reason board --wait --timeout 2s").await.fails(6);
    assert!(waited.contains("is cordoned") && waited.contains("the moves go on"), "{waited}");
    assert!(waited.contains("→ pve2 (live)"), "what is under way is shown: {waited}");
    plan_until(&fleet, "moves to be under way", |plan| plan["counts"]["moving"].as_u64() > Some(0)).await;
    let cancelled = fleet.cli("server drain pve1 --cancel").await;
    assert!(cancelled.err.contains("the drain of pve1 is cancelled"), "{cancelled:?}");
    cancelled.ok();
    release_moves(&fleet);
    let left = plan_until(&fleet, "what is under way to end", |plan| plan["counts"]["moving"] == 0).await;
    let moved = left["counts"]["moved"].as_u64().expect("a count") as usize;
    assert_eq!((&left["state"], spread(&fleet)), (&json!("cancelled"), [3 - moved, moved]), "{left:#}");

    // Again, to its end.
    let drained = fleet.cli("server drain pve1 --wait").await;
    assert!(drained.err.contains("nothing is left to do"), "{drained:?}");
    let table = drained.ok();
    assert!(table.contains("moved") && table.contains("pve2"), "{table}");
    assert_eq!(spread(&fleet), [0, 3]);
    let again = fleet.cli("server drain pve1 --wait").await;
    assert!(again.err.contains("it is empty") || again.err.contains("nothing is left to do"), "{again:?}");
    again.ok();

    let online = fleet.cli("server online pve1 --fill-back --wait").await;
    assert!(online.err.contains("pve1 is open"), "{online:?}");
    online.ok();
    assert_eq!(fleet.invariants().await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_its_deadline_a_drain_is_blocked_and_says_why() {
    let fleet = Fleet::start_cluster(PROGRAMS, TestDatabase::sqlite(), 2).await;
    fleet.cli("server lock pve2").await.ok();
    let id = fleet.create_answered("web-1", "key").await;
    let pod = fleet.pod_until(&id, &["active"]).await;
    fleet.cli("server online pve2").await.ok();
    for (line, says) in [
        ("server drain pve1 --deadline soon", "neither a time nor a duration"),
        ("server drain pve1 --preview --cancel", "cannot be used with"),
    ] {
        let refused = fleet.cli(line).await.fails(2);
        assert!(refused.contains(says), "{refused}");
    }
    let past = fleet.cli("server drain pve1 --deadline 2020-01-01T00:00:00Z").await.fails(3);
    assert!(past.contains("deadline: "), "{past}");

    // A device of its host is passed through to it.
    let vmid = u32::try_from(pod["vmid"].as_u64().expect("a VMID")).expect("a VMID");
    let hand = fleet.hosts[0].sim.hand();
    assert!(hand.set_config(vmid, "hostpci0", Some("0000:01:00.0")));
    let stays = fleet.cli("server drain pve1 --deadline 1h --wait").await;
    assert!(stays.out.contains("hostpci0") && stays.out.contains("blocked"), "{stays:?}");
    assert!(stays.fails(1).contains("pve1 is not empty"), "nothing was powered off for it");
    assert!(hand.vm(vmid).is_some_and(|vm| vm.running && vm.node == "pve1"));

    // Asked again, it takes up the new deadline; what is under way then ends.
    assert!(hand.set_config(vmid, "hostpci0", None));
    hold_moves(&fleet);
    fleet.cli("server drain pve1 --deadline 1s").await.ok();
    let late = plan_until(&fleet, "the deadline to pass", |plan| plan["state"] == "blocked").await;
    assert!(late["note"].as_str().is_some_and(|note| note.contains("its deadline has passed")), "{late:#}");
    release_moves(&fleet);
    let settled = plan_until(&fleet, "what is under way to end", |plan| plan["counts"]["moving"] == 0).await;
    if settled["counts"]["moved"] == 0 {
        fleet.cli("server drain pve1 --wait").await.ok();
    }
    plan_until(&fleet, "the host to be empty", |plan| plan["state"] == "done").await;
    assert_eq!(spread(&fleet), [0, 1]);
}

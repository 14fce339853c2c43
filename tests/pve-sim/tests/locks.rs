//! Locks and races: what waits, what fails, and with which words.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::too_many_lines, reason = "tests")]

mod common;

use common::{root, sim};
use pve_sim::TaskAction;
use serde_json::json;

const QEMU: &str = "/nodes/pve1/qemu";

fn timed_out(vmid: u32) -> String {
    format!("can't lock file '/var/lock/qemu-server/lock-{vmid}.conf' - got timeout")
}

#[tokio::test]
async fn while_a_clone_runs_its_target_is_locked() {
    let sim = sim().await;
    let api = root(&sim);
    sim.faults().next_task("qmclone", TaskAction::Hold);
    let clone = api.post(&format!("{QEMU}/9000/clone"), "newid=120&full=1&name=slow").await;
    sim.faults().wait_held("qmclone").await;
    let config = api.get(&format!("{QEMU}/120/config")).await.data();
    assert_eq!((&config["lock"], &config["name"]), (&json!("clone"), &json!("slow")));
    assert!(config.get("ide2").is_some() && config.get("scsi0").is_none(), "half of it is there: {config}");
    let shown = api.get(&format!("{QEMU}/120/status/current")).await.data();
    assert_eq!((&shown["lock"], &shown["status"], &shown["maxdisk"]), (&json!("clone"), &json!("stopped"), &json!(0)));
    assert!(api.get("/cluster/nextid?vmid=120").await.reason.starts_with("Parameter verification"));
    let at_once = [
        ("PUT", format!("{QEMU}/120/config"), "memory=300", timed_out(120)),
        ("POST", format!("{QEMU}/120/config"), "memory=300", timed_out(120)),
        ("POST", QEMU.to_owned(), "vmid=120", format!("unable to create VM 120 - {}", timed_out(120))),
        (
            "POST",
            format!("{QEMU}/9000/clone"),
            "newid=120",
            "unable to create VM 120: config file already exists".into(),
        ),
        ("POST", format!("{QEMU}/120/clone"), "newid=121", "VM is locked (clone)".into()),
    ];
    for (method, path, body, reason) in at_once {
        let answer = api.call(method, &path, body).await;
        assert_eq!((answer.status, answer.reason), (500, reason), "{method} {path}");
    }
    let in_task = [
        ("DELETE", format!("{QEMU}/120"), ""),
        ("POST", format!("{QEMU}/120/status/start"), ""),
        ("POST", format!("{QEMU}/120/status/stop"), ""),
        ("POST", format!("{QEMU}/120/snapshot"), "snapname=snap1"),
        ("PUT", format!("{QEMU}/120/resize"), "disk=scsi0&size=%2B1M"),
    ];
    for (method, path, body) in in_task {
        let (exit, log) = api.finish(&api.call(method, &path, body).await.upid()).await;
        assert_eq!(exit, timed_out(120), "{method} {path}");
        assert_eq!(log[0], "trying to acquire lock...");
    }
    let other = api.post(&format!("{QEMU}/9000/clone"), "newid=122&full=1").await;
    api.done(other).await;
    sim.faults().release();
    api.done(clone).await;
    assert_eq!(sim.hand().vm(120).unwrap().lock, None);
}

#[tokio::test]
async fn a_lock_that_is_freed_in_time_is_waited_for() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(101, "").await;
    sim.faults().next_task("qmstart", TaskAction::Hold);
    let start = api.post(&format!("{QEMU}/101/status/start"), "").await;
    sim.faults().wait_held("qmstart").await;
    let stop = api.post(&format!("{QEMU}/101/status/stop"), "").await;
    sim.faults().release();
    api.done(start).await;
    let log = api.done(stop).await;
    assert_eq!(log[0], "trying to acquire lock... OK");
    assert!(!sim.hand().vm(101).unwrap().running);
}

#[tokio::test]
async fn a_lock_left_over_refuses_most_things() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(110, "").await;
    sim.hand().lock_vm(110, Some("clone"));
    let locked = "VM is locked (clone)";
    let at_once = [
        ("POST", "110/clone", "newid=170"),
        ("PUT", "110/config", "memory=300"),
        ("POST", "110/config", "memory=300"),
        ("POST", "110/move_disk", "disk=scsi0&storage=local"),
        ("POST", "110/template", ""),
    ];
    for (method, path, body) in at_once {
        let answer = api.call(method, &format!("{QEMU}/{path}"), body).await;
        assert_eq!((answer.status, answer.reason.as_str()), (500, locked), "{method} {path}");
    }
    let in_task = [
        ("DELETE", "110", ""),
        ("PUT", "110/resize", "disk=scsi0&size=%2B1M"),
        ("POST", "110/snapshot", "snapname=snap1"),
        ("POST", "110/status/start", ""),
    ];
    for (method, path, body) in in_task {
        let answer = api.call(method, &format!("{QEMU}/{path}"), body).await;
        assert_eq!(api.failed(answer).await, locked, "{method} {path}");
    }
    for action in ["stop", "shutdown"] {
        api.done(api.post(&format!("{QEMU}/110/status/{action}"), "").await).await;
    }
    assert_eq!(api.get(&format!("{QEMU}/110/status/current")).await.data()["lock"], "clone");
    let by_ticket = common::ticket(&sim).await;
    by_ticket.put(&format!("{QEMU}/110/config"), "delete=lock&skiplock=1").await.data();
    api.done(api.delete(&format!("{QEMU}/110")).await).await;
}

#[tokio::test]
async fn parallel_clones_to_one_id_make_one_vm() {
    let sim = sim().await;
    let api = root(&sim);
    let path = format!("{QEMU}/9000/clone");
    let answers = tokio::join!(
        api.post(&path, "newid=180"),
        api.post(&path, "newid=180"),
        api.post(&path, "newid=180"),
        api.post(&path, "newid=180"),
    );
    let (mut good, mut bad) = (0, 0);
    for answer in [answers.0, answers.1, answers.2, answers.3] {
        if answer.status == 500 {
            assert_eq!(answer.reason, "unable to create VM 180: config file already exists");
            bad += 1;
            continue;
        }
        let (exit, _) = api.finish(&answer.upid()).await;
        let lost = exit == timed_out(180) || exit == "unable to create VM 180: config file already exists";
        assert!(exit == "OK" || lost, "{exit}");
        if exit == "OK" { good += 1 } else { bad += 1 }
    }
    assert_eq!((good, bad), (1, 3));
    let made = sim.hand().history().iter().filter(|made| made.vmid == 180).count();
    assert_eq!(made, 1);
}

#[tokio::test]
async fn parallel_clones_of_one_template_do_not_wait_for_each_other() {
    let sim = sim().await;
    let api = root(&sim);
    sim.faults().add_task(pve_sim::TaskFault {
        kind: "qmclone".into(),
        id: None,
        skip: 0,
        times: Some(3),
        action: TaskAction::Hold,
    });
    let path = format!("{QEMU}/9000/clone");
    let mut clones = Vec::new();
    for vmid in 181..=183 {
        clones.push(api.post(&path, &format!("newid={vmid}")).await);
    }
    common::until("three clones are held at once", async || sim.faults().held().len() == 3).await;
    sim.faults().release();
    for clone in clones {
        api.done(clone).await;
    }
}

//! Proxmox's tasks that fail, and VMs and storages that are not as they should be, as a pod's job shows them.

use mpanel_tests::fleet::{DEADLINE, Fleet, Hosts, PODS};
use mpanel_tests::several::Several;
use mpanel_tests::{databases, eventually};
use pve_sim::{TaskAction, TaskFault};
use serde_json::{Value, json};

use super::{JOBS, PROGRAMS, active_once, job_until, log_of};

fn fails(exit: &str, log: &str) -> TaskAction {
    TaskAction::Fail { exit: exit.to_owned(), log: vec![log.to_owned()] }
}

async fn fleet(database: mpanel_tests::TestDatabase) -> Several {
    Several::as_applies(PROGRAMS, database, Hosts::Apart(1), &[("MPANEL__JOBS__RETRY_MAX", "200ms")]).await
}

/// A pod that is asked for and fails: its job, and what it said.
async fn failed(fleet: &Fleet, name: &str) -> (Value, Vec<String>) {
    let id = fleet.create_answered(name, name).await;
    let pod = fleet.pod_until(&id, &["active", "failed"]).await;
    assert_eq!(pod["state"], "failed", "{name}: {pod:#}");
    let job = job_until(fleet, &id, "ends", |job| job["state"] == "failed").await;
    let log = log_of(fleet, &job).await;
    (job, log)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_fails_is_tried_again_and_shown_with_its_log() {
    for database in databases().await {
        let fleet = fleet(database).await;
        let faults = fleet.hosts[0].sim.faults();
        faults.next_task("qmclone", fails("unable to create image: got lock timeout", "trying to acquire lock..."));
        let id = fleet.create_answered("once", "once").await;
        active_once(&fleet, &id, 2, 1).await;
        let job = job_until(&fleet, &id, "succeeds", |job| job["state"] == "succeeded").await;
        let log = log_of(&fleet, &job).await;
        assert!(log.iter().any(|line| line.contains("got lock timeout")), "{log:#?}");
        assert!(log.iter().any(|line| line.contains("trying to acquire lock")), "the task's own log: {log:#?}");
        let always = TaskFault {
            kind: "qmclone".to_owned(),
            id: None,
            skip: 0,
            times: None,
            action: fails("clone failed: unexpected end", "qemu-img: it broke"),
        };
        faults.add_task(always);
        let (job, log) = failed(&fleet, "always").await;
        assert_eq!(job["error"]["code"], "proxmox_task_failed", "{job:#}");
        assert!(job["error"]["detail"].as_str().unwrap().contains("unexpected end"), "{job:#}");
        assert!(log.iter().any(|line| line.contains("qemu-img: it broke")), "{log:#?}");
        assert_eq!(fleet.invariants().await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_vanishes_or_warns_has_done_its_work() {
    for database in databases().await {
        let fleet = fleet(database).await;
        let faults = fleet.hosts[0].sim.faults();
        faults.next_task("qmclone", TaskAction::Vanish);
        let vanished = fleet.create_answered("vanished", "vanished").await;
        active_once(&fleet, &vanished, 1, 1).await;
        faults.next_task("qmclone", TaskAction::Warnings { count: 1 });
        let warned = fleet.create_answered("warned", "warned").await;
        active_once(&fleet, &warned, 2, 2).await;
        let job = job_until(&fleet, &warned, "succeeds", |job| job["state"] == "succeeded").await;
        assert_eq!((&job["error"], job["progress"].as_u64()), (&Value::Null, Some(100)), "a warning is a success");
        let log = log_of(&fleet, &job).await;
        assert!(log.iter().any(|line| line.to_lowercase().contains("warn")), "it is shown: {log:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_whose_worker_was_killed_is_told_with_its_cure_and_goes_on_once_that_is_done() {
    for database in databases().await {
        let fleet = fleet(database).await;
        let host = &fleet.hosts[0];
        host.sim.faults().next_task("qmclone", TaskAction::Kill);
        let id = fleet.create_answered("killed", "killed").await;
        let job = job_until(&fleet, &id, "is stuck", |job| job["state"] == "stuck").await;
        let log = log_of(&fleet, &job).await;
        assert!(log.iter().any(|line| line.contains("was killed before it could end")), "{log:#?}");
        assert!(log.iter().any(|line| line.contains("qm destroy")), "the cure is told: {log:#?}");
        // Nobody else is given what may still be there.
        let pod = fleet.api.get(&format!("{PODS}/{id}")).await.expect(200);
        let vmid = u32::try_from(pod["vmid"].as_u64().expect("it keeps its VMID")).unwrap();
        let pool = fleet.api.get("/api/platform/ip-pools/lan").await.expect(200);
        assert_eq!(pool["allocated"], 1, "it keeps its address");
        assert!(host.sim.hand().lock_vm(vmid, None) && host.sim.hand().delete_vm(vmid), "what was told is done");
        let retry = fleet.api.post(&format!("{JOBS}/{}/retry", job["id"].as_str().unwrap()), &json!({})).await;
        assert!(retry.status.is_success(), "{}", retry.text);
        fleet.pod_until(&id, &["failed"]).await;
        job_until(&fleet, &id, "ends", |job| job["state"] == "failed").await;
        assert_eq!(fleet.invariants().await, 0, "{}", fleet.database.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_clone_left_that_was_killed_before_it_said_whose_it_is_is_left_alone_and_another_vmid_used() {
    for database in databases().await {
        let fleet = fleet(database).await;
        let host = &fleet.hosts[0];
        host.sim.faults().next_task("qmclone", TaskAction::KillEarly);
        let id = fleet.create_answered("killed", "killed").await;
        let job = job_until(&fleet, &id, "succeeds", |job| job["state"] == "succeeded").await;
        let log = log_of(&fleet, &job).await;
        assert!(log.iter().any(|line| line.contains("was killed before it could end")), "{log:#?}");
        assert!(log.iter().any(|line| line.contains("a killed one left behind")), "{log:#?}");
        let left = host.sim.hand().vm(100).expect("what is left is left alone");
        assert_eq!(left.lock.as_deref(), Some("clone"), "{left:?}");
        assert!(host.sim.hand().delete_vm(100), "somebody removes it");
        assert_eq!(fleet.invariants().await, 1, "{}", fleet.database.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_storage_fails_at_once_with_the_reason() {
    for database in databases().await {
        let fleet = fleet(database).await;
        let host = &fleet.hosts[0];
        let full =
            fails("clone failed: copy failed: exit code 1", "qemu-img: error while writing: No space left on device");
        host.sim.faults().next_task("qmclone", full);
        let (job, log) = failed(&fleet, "full").await;
        assert_eq!(job["error"]["code"], "storage_full", "{job:#}");
        assert!(log.iter().any(|line| line.contains("No space left on device")), "{log:#?}");
        assert_eq!(host.sim.faults().count("POST", super::CLONE), 1, "it is not tried again");
        assert_eq!(fleet.invariants().await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_template_fails_at_once_with_the_reason() {
    for database in databases().await {
        let fleet = fleet(database).await;
        let host = &fleet.hosts[0];
        assert!(host.sim.hand().delete_vm(9000));
        let (job, _) = failed(&fleet, "gone").await;
        // Known from the inventory, or found out by trying, once.
        let detail = job["error"]["detail"].as_str().unwrap();
        match job["error"]["code"].as_str() {
            Some("no_capacity") => assert!(detail.contains("it has no template for the image"), "{job:#}"),
            Some("proxmox_not_found") => assert!(detail.contains("9000"), "{job:#}"),
            _ => panic!("{job:#}"),
        }
        assert!(host.sim.faults().count("POST", super::CLONE) <= 1, "it is not tried again");
        assert_eq!(fleet.invariants().await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vmid_that_somebody_else_took_is_left_alone_and_another_one_used() {
    for database in databases().await {
        let fleet = fleet(database).await;
        let host = &fleet.hosts[0];
        for vmid in 100..103 {
            assert!(host.sim.hand().create_vm(vmid, "by-hand"));
        }
        let id = fleet.create_answered("pod", "pod").await;
        let pod = fleet.pod_until(&id, &["active", "failed"]).await;
        assert_eq!(pod["state"], "active", "{pod:#}");
        assert!(pod["vmid"].as_u64().unwrap() >= 103, "{pod:#}");
        for vmid in 100..103 {
            assert_eq!(host.sim.hand().vm(vmid).expect("it is left alone").name, "by-hand");
            assert!(host.sim.hand().delete_vm(vmid));
        }
        assert_eq!(fleet.invariants().await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_vm_is_waited_for() {
    for database in databases().await {
        let fleet = fleet(database).await;
        let host = &fleet.hosts[0];
        let id = fleet.create_answered("pod", "pod").await;
        let pod = fleet.pod_until(&id, &["active", "failed"]).await;
        let vmid = u32::try_from(pod["vmid"].as_u64().expect("a VMID")).unwrap();
        assert!(host.sim.hand().lock_vm(vmid, Some("backup")));
        let stop = fleet.api.post(&format!("{PODS}/{id}/stop"), &json!({})).await;
        assert_eq!(stop.status, 202, "{}", stop.text);
        let job = job_until(&fleet, &id, "tries again", |job| !job["error"].is_null()).await;
        assert_eq!(job["error"]["code"], "vm_locked", "{job:#}");
        assert!(job["error"]["detail"].as_str().unwrap().contains("backup"), "{job:#}");
        assert!(host.sim.hand().lock_vm(vmid, None));
        let job = job_until(&fleet, &id, "succeeds", |job| job["state"] == "succeeded").await;
        assert_eq!(job["kind"], "stop", "{job:#}");
        eventually("the VM to be stopped", DEADLINE, async || {
            fleet.hosts[0].sim.hand().vm(vmid).filter(|vm| !vm.running).map(|_| ())
        })
        .await;
        assert_eq!(fleet.invariants().await, 1);
    }
}

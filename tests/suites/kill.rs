//! kill -9 of real processes at each of the saga's steps: afterwards there is one running VM, or nothing at all. On PostgreSQL there
//! are two control planes: whichever comes to the point dies, and the other one goes on with the job before it is back.
#![allow(missing_docs)]

use std::os::unix::process::ExitStatusExt;

use mpanel_tests::fleet::{DEADLINE, Hosts, Programs};
use mpanel_tests::several::Several;
use mpanel_tests::{TestDatabase, databases};
use pve_sim::TaskAction;

const PROGRAMS: Programs =
    Programs { control: env!("CARGO_BIN_EXE_mpanel-faulty"), agent: env!("CARGO_BIN_EXE_mpanel-agent-faulty") };
const SIGKILL: i32 = 9;

/// Where the control plane dies while it provisions: local steps, commands, and results (counted, as all steps share them).
const CONTROL_POINTS: &[&str] = &[
    "job.claimed",
    "reserve.done",
    "address.done",
    "vmid.done",
    "clone.committed",
    "clone.sent",
    "configure.committed",
    "configure.sent",
    "resize_disk.committed",
    "resize_disk.sent",
    "start.committed",
    "start.sent",
    "wait_running.committed",
    "wait_running.sent",
    "result.received",
    "result.stored",
    "result.received#3",
    "result.stored#3",
    "result.received#5",
    "result.stored#5",
];

/// Where it dies while it destroys.
const DESTROY_POINTS: &[&str] = &[
    "job.claimed",
    "check.done",
    "destroy.committed",
    "destroy.sent",
    "result.received",
    "result.stored",
    "release.done",
];

/// Where it dies while it undoes a provision whose clone failed for good.
const UNDO_POINTS: &[&str] = &[
    "clone.committed#2",
    "clone.sent#2",
    "result.received#2",
    "result.stored#2",
    "vmid.done#2",
    "address.done#2",
    "reserve.done#2",
];

/// Where the agent dies; each at the clone, the configuration, the resizing, the start and the wait.
const AGENT_POINTS: &[&str] = &[
    "before-ledger-accept",
    "after-ledger-accept",
    "after-proxmox-call",
    "after-upid",
    "before-finish-write",
    "before-report",
];

async fn provision_through_kills_of_the_control_plane(database: TestDatabase) {
    let mut fleet = Several::as_applies(PROGRAMS, database, Hosts::Apart(1), &[]).await;
    let mut clones = fleet.hosts[0].vms_ever_made();
    for (n, point) in CONTROL_POINTS.iter().enumerate() {
        fleet.dies_at(point);
        let name = format!("pod-{n}");
        // The process may die before it answers: the key tells what became of the request.
        let key = format!("key-{n}");
        fleet.create(&name, &key).await;
        let dead = fleet.died().await;
        let id = fleet.create_answered(&name, &key).await;
        let pod = fleet.pod_until(&id, &["active", "failed"]).await;
        assert_eq!(pod["state"], "active", "{point}: {pod:#}");
        assert_eq!(fleet.invariants().await, n + 1, "after {point}");
        let now = fleet.hosts[0].vms_ever_made();
        assert_eq!(now - clones, 1, "one clone was ever started for the pod that met {point}");
        clones = now;
        fleet.returns(dead).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn provisioning_survives_kill_9_of_the_control_plane_at_every_step_on_sqlite() {
    provision_through_kills_of_the_control_plane(TestDatabase::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn provisioning_goes_on_at_the_other_control_plane_after_kill_9_of_one_at_every_step_on_postgres() {
    if let Some(database) = TestDatabase::postgres().await {
        provision_through_kills_of_the_control_plane(database).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn destroying_survives_kill_9_of_a_control_plane_at_every_step() {
    for database in databases().await {
        let mut fleet = Several::as_applies(PROGRAMS, database, Hosts::Apart(1), &[]).await;
        for point in DESTROY_POINTS {
            let id = fleet.create_answered("gone", point).await;
            fleet.pod_until(&id, &["active"]).await;
            fleet.dies_at(point);
            fleet.destroy(&id).await;
            let dead = fleet.died().await;
            fleet.pod_until(&id, &["deleted"]).await;
            assert_eq!(fleet.invariants().await, 0, "after {point} on {}", fleet.database.name);
            fleet.returns(dead).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn undoing_survives_kill_9_of_a_control_plane_at_every_step() {
    for database in databases().await {
        let mut fleet = Several::as_applies(PROGRAMS, database, Hosts::Apart(1), &[]).await;
        for (n, point) in UNDO_POINTS.iter().enumerate() {
            let full = TaskAction::Fail {
                exit: "clone failed: copy failed: exit code 1".to_owned(),
                log: vec!["qemu-img: error while writing: No space left on device".to_owned()],
            };
            fleet.hosts[0].sim.faults().next_task("qmclone", full);
            fleet.dies_at(point);
            let id = fleet.create_answered(&format!("pod-{n}"), &format!("key-{n}")).await;
            let dead = fleet.died().await;
            let pod = fleet.pod_until(&id, &["active", "failed"]).await;
            assert_eq!(pod["state"], "failed", "{point}: {pod:#}");
            let cause = pod["failure"].as_str().expect("the cause");
            assert!(cause.contains("No space left on device"), "the cause in Proxmox's words: {cause}");
            assert_eq!(fleet.invariants().await, 0, "after {point} on {}", fleet.database.name);
            fleet.returns(dead).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn destroying_survives_kill_9_of_the_agent_at_every_step() {
    for database in databases().await {
        let mut fleet = Several::as_applies(PROGRAMS, database, Hosts::Apart(1), &[]).await;
        for point in AGENT_POINTS {
            let id = fleet.create_answered("gone", point).await;
            fleet.pod_until(&id, &["active"]).await;
            let host = &mut fleet.hosts[0];
            host.agent.kill().await;
            host.agent_start(&[("MPANEL_FAULT_POINT", point)]);
            fleet.destroy(&id).await;
            let status = fleet.hosts[0].agent.ended(DEADLINE).await;
            assert_eq!(status.signal(), Some(SIGKILL), "at {point}:\n{}", fleet.hosts[0].agent.tail());
            fleet.hosts[0].agent_start(&[]);
            fleet.pod_until(&id, &["deleted"]).await;
            assert_eq!(fleet.invariants().await, 0, "after {point}");
        }
    }
}

async fn provision_through_kills_of_the_agent(database: TestDatabase) {
    let mut fleet = Several::as_applies(PROGRAMS, database, Hosts::Apart(1), &[]).await;
    let mut pods = 0;
    let mut clones = fleet.hosts[0].vms_ever_made();
    for point in AGENT_POINTS {
        for command in 1..=5 {
            // Commands that are done without a task never come to some of the points: those count fewer times.
            let tasks_only = matches!(*point, "after-proxmox-call" | "after-upid");
            if tasks_only && command > 2 {
                continue;
            }
            let wanted = format!("{point}#{command}");
            let host = &mut fleet.hosts[0];
            host.agent.kill().await;
            host.agent_start(&[("MPANEL_FAULT_POINT", &wanted)]);
            let id = fleet.create_answered(&format!("pod-{pods}"), &wanted).await;
            let status = fleet.hosts[0].agent.ended(DEADLINE).await;
            assert_eq!(status.signal(), Some(SIGKILL), "at {wanted}:\n{}", fleet.hosts[0].agent.tail());
            fleet.hosts[0].agent_start(&[]);
            let pod = fleet.pod_until(&id, &["active", "failed"]).await;
            assert_eq!(pod["state"], "active", "{wanted}: {pod:#}");
            pods += 1;
            assert_eq!(fleet.invariants().await, pods, "after {wanted}");
            let now = fleet.hosts[0].vms_ever_made();
            assert_eq!(now - clones, 1, "one clone was ever started for the pod that met {wanted}");
            clones = now;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn provisioning_survives_kill_9_of_the_agent_at_every_step_on_sqlite() {
    provision_through_kills_of_the_agent(TestDatabase::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn provisioning_survives_kill_9_of_the_agent_at_every_step_on_postgres_with_two_control_planes() {
    if let Some(database) = TestDatabase::postgres().await {
        provision_through_kills_of_the_agent(database).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_create_sent_eight_times_at_once_makes_one_vm() {
    for database in databases().await {
        let fleet = Several::as_applies(PROGRAMS, database, Hosts::Apart(2), &[]).await;
        let requests = (0..8).map(|_| fleet.create("once", "one-click"));
        let answers = futures::future::join_all(requests).await;
        let answers: Vec<_> = answers.into_iter().map(|answer| answer.expect("an answer")).collect();
        assert!(answers.iter().all(|answer| matches!(answer.status.as_u16(), 202 | 409)), "{answers:#?}");
        let mut ids: Vec<_> =
            answers.iter().filter(|a| a.status == 202).map(|a| a.body["cloudpod"]["id"].to_string()).collect();
        ids.dedup();
        assert_eq!(ids.len(), 1, "one answer: {answers:#?}");
        fleet.pod_until(ids[0].trim_matches('"'), &["active"]).await;
        assert_eq!(fleet.invariants().await, 1, "on {}", fleet.database.name);
        let started: usize = fleet.hosts.iter().map(mpanel_tests::fleet::Host::vms_ever_made).sum();
        assert_eq!(started, 1);
    }
}

//! Snapshots: each is taken once by its command, and what is not there any more is deleted.

use std::sync::Arc;

use mpanel_tests::pve_rig::{Rig, drive_request};
use node_agent::proxmox::{ErrorKind, Hypervisor, Look, Operation, Power, Presence, Snapshot};

fn take(name: &str, description: &str) -> Operation {
    Operation::TakeSnapshot { name: name.to_owned(), description: description.to_owned(), memory: false }
}

fn names(snapshots: &[Snapshot]) -> Vec<&str> {
    let mut names: Vec<&str> = snapshots.iter().map(|snapshot| snapshot.name.as_str()).collect();
    names.sort_unstable();
    names
}

pub async fn a_snapshot_is_taken_once_and_told(rig: Arc<Rig>) {
    let target = rig.vm().await;
    let request = Rig::request(target, take("before", "before the update\nof Anna's"));
    let done = drive_request(&*rig.pve, &request).await.unwrap();
    assert_eq!(done.tasks.len(), 1, "{done:?}");
    let [snapshot] = &done.outcome.snapshots[..] else { panic!("{done:?}") };
    assert_eq!((snapshot.name.as_str(), snapshot.description.as_str()), ("before", "before the update\nof Anna's"));
    assert!(snapshot.created_ms > 1_500_000_000_000 && !snapshot.memory, "{snapshot:?}");

    // The same command again, as after a crash of the agent.
    let again = drive_request(&*rig.pve, &request).await.unwrap();
    assert!(again.tasks.is_empty(), "{again:?}");
    assert_eq!(again.outcome.snapshots, done.outcome.snapshots);
    assert_eq!(rig.pve.find_task(&request, 0).await.unwrap(), done.tasks.first().cloned());

    // Another command's is not taken for one's own.
    let error = rig.drive(target, take("before", "mine")).await.unwrap_err();
    assert_eq!((error.kind, error.presence), (ErrorKind::Refused, Presence::Present), "{error:?}");

    let done = rig.drive(target, take("after", "")).await.unwrap();
    assert_eq!(names(&done.outcome.snapshots), ["after", "before"]);
    let after = done.outcome.snapshots.iter().find(|snapshot| snapshot.name == "after").unwrap();
    assert_eq!((after.parent.as_deref(), after.description.as_str()), (Some("before"), ""));
    let listed = rig.pve.look(target, &Look::Snapshots).await.unwrap();
    assert_eq!(names(&listed.snapshots), ["after", "before"]);
}

pub async fn a_rollback_brings_back_what_was_and_keeps_the_stamp(rig: Arc<Rig>) {
    let target = rig.vm().await;
    let onboot = |start_on_boot| {
        Operation::SetOptions(node_agent::proxmox::OptionsSpec { start_on_boot: Some(start_on_boot), protection: None })
    };
    rig.drive(target, onboot(true)).await.unwrap();
    rig.drive(target, take("before", "")).await.unwrap();
    rig.drive(target, onboot(false)).await.unwrap();
    let back = |start| Operation::Rollback { name: "before".to_owned(), start };
    for _ in 0..2 {
        let done = rig.drive(target, back(false)).await.unwrap();
        assert_eq!(done.state.stamp.map(|stamp| stamp.pod_id), Some(target.pod_id), "{done:?}");
        assert_eq!((done.state.power, names(&done.outcome.snapshots)), (Power::Stopped, vec!["before"]), "{done:?}");
        assert_eq!(rig.pve.settings(target.vmid).await.unwrap()["onboot"].to_string().trim_matches('"'), "1");
    }
    let done = rig.drive(target, back(true)).await.unwrap();
    assert_eq!(done.state.power, Power::Running, "{done:?}");
    let missing = Operation::Rollback { name: "nowhere".to_owned(), start: false };
    let error = rig.drive(target, missing).await.unwrap_err();
    assert_eq!((error.kind, error.presence), (ErrorKind::NotFound, Presence::Present), "{error:?}");
}

pub async fn a_snapshot_is_deleted_once_and_then_gone(rig: Arc<Rig>) {
    let target = rig.vm().await;
    rig.drive(target, take("one", "")).await.unwrap();
    rig.drive(target, take("two", "")).await.unwrap();
    let delete = || Operation::DeleteSnapshot { name: "one".to_owned() };
    let done = rig.drive(target, delete()).await.unwrap();
    assert_eq!((done.tasks.len(), names(&done.outcome.snapshots)), (1, vec!["two"]), "{done:?}");
    let again = rig.drive(target, delete()).await.unwrap();
    assert!(again.tasks.is_empty() && again.outcome.snapshots.len() == 1, "{again:?}");
    rig.drive(target, Operation::Destroy).await.unwrap();
    let gone = rig.drive(target, delete()).await.unwrap();
    assert_eq!((gone.state.presence, gone.outcome.snapshots.len()), (Presence::Absent, 0), "{gone:?}");
}

pub async fn a_snapshot_with_memory_comes_back_running(rig: Arc<Rig>) {
    let target = rig.vm().await;
    rig.drive(target, Operation::Start).await.unwrap();
    let awake = Operation::TakeSnapshot { name: "awake".to_owned(), description: String::new(), memory: true };
    let done = rig.drive(target, awake).await.unwrap();
    let [snapshot] = &done.outcome.snapshots[..] else { panic!("{done:?}") };
    assert!(snapshot.memory && done.state.power == Power::Running, "{done:?}");
    rig.drive(target, Operation::Stop).await.unwrap();
    let back = Operation::Rollback { name: "awake".to_owned(), start: false };
    let done = rig.drive(target, back).await.unwrap();
    assert_eq!(done.state.power, Power::Running, "{done:?}");
    assert_eq!(done.state.stamp.map(|stamp| stamp.pod_id), Some(target.pod_id), "{done:?}");
}

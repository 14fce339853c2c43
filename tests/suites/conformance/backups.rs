//! Backups and what is restored of them: known by their notes and by the VM's stamp, each made once by its command.

use std::sync::Arc;

use mpanel_tests::pve_rig::{Done, Rig, drive_request, is_real};
use node_agent::proxmox::{Backup, BackupMode, ErrorKind, Hypervisor, Look, Operation, Power, Presence, Target};

fn make(rig: &Rig) -> Operation {
    Operation::MakeBackup { storage: rig.backup_storage.clone(), mode: BackupMode::Snapshot, protected: true }
}

async fn backup_of(rig: &Rig, target: Target) -> Backup {
    let Done { mut outcome, .. } = rig.drive(target, make(rig)).await.unwrap();
    assert_eq!(outcome.backups.len(), 1, "{outcome:?}");
    outcome.backups.remove(0)
}

async fn listed(rig: &Rig, target: Target) -> Vec<String> {
    let look = Look::Backups { storage: rig.backup_storage.clone() };
    let found = rig.pve.look(target, &look).await.unwrap();
    assert!(found.backups.iter().all(|backup| backup.pod_id == target.pod_id), "{found:?}");
    found.backups.into_iter().map(|backup| backup.volid).collect()
}

fn restore(backup: &Backup) -> Operation {
    Operation::RestoreBackup { volid: backup.volid.clone(), storage: None, unique: false }
}

pub async fn a_backup_is_made_once_and_known_by_its_notes(rig: Arc<Rig>) {
    let target = rig.vm().await;
    assert!(listed(&rig, target).await.is_empty());
    let request = Rig::request(target, make(&rig));
    let done = drive_request(&*rig.pve, &request).await.unwrap();
    let [backup] = &done.outcome.backups[..] else { panic!("{done:?}") };
    assert_eq!((backup.pod_id, backup.command_id), (target.pod_id, Some(request.command_id)));
    assert!(backup.size_bytes > 0 && backup.created_ms > 1_500_000_000_000, "{backup:?}");
    assert!(backup.volid.starts_with(&format!("{}:backup/", rig.backup_storage)), "{backup:?}");
    assert_eq!(done.state.presence, Presence::Present);

    // The same command again, as after a crash of the agent.
    let again = drive_request(&*rig.pve, &request).await.unwrap();
    assert!(again.tasks.is_empty(), "{again:?}");
    assert_eq!(again.outcome.backups, done.outcome.backups);
    assert_eq!(rig.pve.find_task(&request, 0).await.unwrap(), done.tasks.first().cloned());

    let second = backup_of(&rig, target).await;
    assert_eq!(listed(&rig, target).await, [backup.volid.clone(), second.volid]);
    // Another pod sees none of it.
    assert!(listed(&rig, rig.rival(target)).await.is_empty());
}

pub async fn only_the_pods_own_backup_is_deleted(rig: Arc<Rig>) {
    let target = rig.vm().await;
    let backup = backup_of(&rig, target).await;
    let delete = || Operation::DeleteBackup { volid: backup.volid.clone() };
    let error = rig.drive(rig.rival(target), delete()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused, "{error:?}");
    assert_eq!(listed(&rig, target).await, std::slice::from_ref(&backup.volid));
    // The VM need not exist any more.
    rig.drive(target, Operation::Destroy).await.unwrap();
    rig.drive(target, delete()).await.unwrap();
    assert!(listed(&rig, target).await.is_empty());
    rig.drive(target, delete()).await.unwrap();
    let error = rig.drive(target, Operation::DeleteBackup { volid: "local:iso/x.iso".to_owned() }).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadParameter, "{error:?}");
}

pub async fn a_restore_makes_the_vm_once(rig: Arc<Rig>) {
    let (source, target) = (rig.vm().await, rig.target().await);
    let backup = backup_of(&rig, source).await;
    let request = Rig::request(target, restore(&backup));
    let done = drive_request(&*rig.pve, &request).await.unwrap();
    assert_eq!((done.state.presence, done.state.power), (Presence::Present, Power::Stopped), "{done:?}");
    let stamp = done.state.stamp.unwrap();
    assert_eq!((stamp.pod_id, stamp.command_id), (target.pod_id, Some(request.command_id)));
    let again = drive_request(&*rig.pve, &request).await.unwrap();
    assert!(again.tasks.is_empty(), "{again:?}");
    assert_eq!(rig.pve.find_task(&request, 0).await.unwrap(), done.tasks.first().cloned());

    let missing = Operation::RestoreBackup {
        volid: format!("{}:backup/vzdump-qemu-100-2001_01_01-00_00_00.vma.zst", rig.backup_storage),
        storage: None,
        unique: false,
    };
    let error = rig.drive(rig.target().await, missing).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound, "{error:?}");
}

pub async fn a_restore_replaces_only_the_pods_own_stopped_vm(rig: Arc<Rig>) {
    let target = rig.vm().await;
    let backup = backup_of(&rig, target).await;
    let onboot = node_agent::proxmox::OptionsSpec { start_on_boot: Some(true), protection: None };
    rig.drive(target, Operation::SetOptions(onboot)).await.unwrap();
    let error = rig.drive(rig.rival(target), restore(&backup)).await.unwrap_err();
    assert_eq!((error.kind, error.presence), (ErrorKind::VmidTaken, Presence::Present), "{error:?}");
    rig.drive(target, Operation::Start).await.unwrap();
    let error = rig.drive(target, restore(&backup)).await.unwrap_err();
    assert_eq!((error.kind, error.presence), (ErrorKind::Refused, Presence::Present), "{error:?}");
    rig.drive(target, Operation::Stop).await.unwrap();
    let done = rig.drive(target, restore(&backup)).await.unwrap();
    assert_eq!(done.state.stamp.map(|stamp| stamp.pod_id), Some(target.pod_id), "{done:?}");
    assert!(rig.pve.settings(target.vmid).await.unwrap()["onboot"].is_null(), "it is the VM of before");
}

pub async fn a_restore_that_fails_leaves_the_number_free(rig: Arc<Rig>) {
    let (source, target) = (rig.vm().await, rig.target().await);
    let backup = backup_of(&rig, source).await;
    let nowhere = Operation::RestoreBackup {
        volid: backup.volid.clone(),
        storage: Some("no-such-storage".to_owned()),
        unique: false,
    };
    let error = rig.drive(target, nowhere).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound, "{error:?}");
    assert_eq!(rig.pve.inspect(target.vmid).await.unwrap().presence, Presence::Absent, "{error:?}");
    assert!(rig.drive(target, Operation::Destroy).await.unwrap().tasks.is_empty());
    let done = rig.drive(target, restore(&backup)).await.unwrap();
    assert_eq!(done.state.stamp.map(|stamp| stamp.pod_id), Some(target.pod_id), "{done:?}");
}

pub async fn a_unique_restore_has_cards_of_its_own(rig: Arc<Rig>) {
    let (source, twin, same) = (rig.vm().await, rig.target().await, rig.target().await);
    let backup = backup_of(&rig, source).await;
    let macs = rig.pve.inspect(source.vmid).await.unwrap().macs;
    assert!(!macs.is_empty());
    let unique = Operation::RestoreBackup { volid: backup.volid.clone(), storage: None, unique: true };
    let done = rig.drive(twin, unique).await.unwrap();
    assert_eq!(done.state.macs.keys().collect::<Vec<_>>(), macs.keys().collect::<Vec<_>>(), "{done:?}");
    assert!(done.state.macs.values().all(|mac| macs.values().all(|other| other != mac)), "{done:?}");
    let done = rig.drive(same, restore(&backup)).await.unwrap();
    assert_eq!(done.state.macs, macs, "{done:?}");
}

pub async fn a_backup_is_made_in_every_mode(rig: Arc<Rig>) {
    let target = rig.vm().await;
    for mode in [BackupMode::Snapshot, BackupMode::Suspend, BackupMode::Stop] {
        // What runs in a real guest may ignore that it is to shut down.
        let runs = !is_real() || mode != BackupMode::Stop;
        let power = if runs { Operation::Start } else { Operation::Stop };
        let before = rig.drive(target, power).await.unwrap().state.power;
        let make = Operation::MakeBackup { storage: rig.backup_storage.clone(), mode, protected: false };
        let done = rig.drive(target, make).await.unwrap();
        assert_eq!(done.outcome.backups.len(), 1, "{mode:?}: {done:?}");
        assert_eq!(done.state.power, before, "{mode:?}: as before: {done:?}");
    }
    assert_eq!(listed(&rig, target).await.len(), 3);
}

//! Backups and restores. No recording shows them: the cases follow the API's schema and the tool's known words.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::too_many_lines, reason = "tests")]

mod common;

use common::{Client, builder, root, sim, with_token};
use pve_sim::{Sim, TaskAction};
use serde_json::{Value, json};

const QEMU: &str = "/nodes/pve1/qemu";
const BACKUPS: &str = "/nodes/pve1/storage/local/content?content=backup";

async fn backups(api: &Client<'_>) -> Vec<Value> {
    api.get(BACKUPS).await.data().as_array().unwrap().clone()
}

async fn backup(api: &Client<'_>, vmid: u32, more: &str) -> String {
    let body = format!("vmid={vmid}&storage=local&mode=snapshot&compress=zstd{more}");
    let before = backups(api).await;
    api.done(api.post("/nodes/pve1/vzdump", &body).await).await;
    let after = backups(api).await;
    let new = after.iter().find(|row| !before.iter().any(|old| old["volid"] == row["volid"])).expect("a new backup");
    new["volid"].as_str().unwrap().to_owned()
}

fn encoded(volid: &str) -> String {
    volid.replace(':', "%3A").replace('/', "%2F")
}

#[tokio::test]
async fn a_backup_says_what_it_does_and_is_listed_with_its_notes() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(101, "&name=web-1").await;
    let body =
        "vmid=101&storage=local&mode=snapshot&compress=zstd&protected=1&notes-template=pod%20{{vmid}}%5Cn{{guestname}}";
    let answer = api.post("/nodes/pve1/vzdump", body).await;
    assert!(answer.upid().contains(":vzdump:101:root@pam!sim:"));
    let log = api.done(answer).await;
    assert!(log[0].starts_with("INFO: starting new backup job: vzdump 101 "), "{log:?}");
    for line in [
        "INFO: Starting Backup of VM 101 (qemu)",
        "INFO: VM Name: web-1",
        "INFO: include disk 'scsi0' 'local:9000/base-9000-disk-0.qcow2/101/vm-101-disk-0.qcow2' 27592K",
        "INFO: adding notes to backup",
        "INFO: Backup job finished successfully",
    ] {
        assert!(log.contains(&line.to_owned()), "{line}: {log:?}");
    }
    let listed = backups(&api).await;
    let row = &listed[0];
    let volid = row["volid"].as_str().unwrap();
    assert!(volid.starts_with("local:backup/vzdump-qemu-101-2") && volid.ends_with(".vma.zst"), "{volid}");
    let shown = (&row["content"], &row["subtype"], &row["format"], &row["vmid"], &row["protected"]);
    assert_eq!(shown, (&json!("backup"), &json!("qemu"), &json!("vma.zst"), &json!(101), &json!(1)));
    assert!(row["size"].as_u64().unwrap() > 4096 && row["ctime"].is_i64());
    assert!(sim.hand().vm(101).unwrap().lock.is_none());
    assert_eq!(row["notes"], "pod 101", "of several lines the list gives the first");
    let attributes = api.get(&format!("/nodes/pve1/storage/local/content/{}", encoded(volid))).await.data();
    assert!(attributes["path"].as_str().unwrap().starts_with("/var/lib/vz/dump/vzdump-qemu-101-"), "{attributes}");
    assert_eq!(attributes["notes"], "pod 101\nweb-1");
    let config = api.get(&format!("/nodes/pve1/vzdump/extractconfig?volume={}", encoded(volid))).await.data();
    assert!(config.as_str().unwrap().contains("name: web-1\n"), "{config}");
}

#[tokio::test]
async fn notes_and_protection_change_and_only_an_unprotected_backup_is_deleted() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(101, "").await;
    let volid = backup(&api, 101, "&protected=1").await;
    let path = format!("/nodes/pve1/storage/local/content/{}", encoded(&volid));
    assert_eq!(
        api.failed(api.delete(&path).await).await,
        format!("cannot remove protected volume '{}' on 'local'", &volid[6..])
    );
    assert_eq!(api.put(&path, "protected=0&notes=mine").await.data(), Value::Null);
    let row = backups(&api).await.remove(0);
    assert_eq!((row.get("protected"), &row["notes"]), (None, &json!("mine")));
    // The VM may go: its backups stay.
    api.done(api.delete(&format!("{QEMU}/101?purge=1&destroy-unreferenced-disks=1")).await).await;
    assert_eq!(backups(&api).await.len(), 1);
    api.done(api.delete(&path).await).await;
    assert!(backups(&api).await.is_empty());
    let gone = api.put(&path, "notes=x").await;
    assert_eq!(gone.reason, format!("volume '{volid}' does not exist"));
    let disk = api.put("/nodes/pve1/storage/local/content/local%3A9000%2Fbase-9000-disk-0.qcow2", "notes=x").await;
    assert_eq!(disk.reason, "only backups support attribute 'notes'");
}

#[tokio::test]
async fn what_cannot_be_backed_up_is_in_the_log_and_the_job_fails() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(101, "").await;
    let run = async |body: &str| {
        let answer = api.post("/nodes/pve1/vzdump", body).await;
        api.finish(&answer.upid()).await
    };
    let (exit, log) = run("vmid=7777&storage=local").await;
    assert_eq!(exit, "job errors");
    assert!(log.contains(&"ERROR: Backup of VM 7777 failed - unable to find VM '7777'".to_owned()), "{log:?}");
    sim.hand().lock_vm(101, Some("clone"));
    let (exit, log) = run("vmid=101&storage=local").await;
    assert_eq!(exit, "job errors");
    assert!(log.contains(&"ERROR: Backup of VM 101 failed - VM is locked (clone)".to_owned()), "{log:?}");
    assert_eq!(sim.hand().vm(101).unwrap().lock.as_deref(), Some("clone"));
    sim.hand().lock_vm(101, None);
    let (exit, _) = run("vmid=101&storage=nope").await;
    assert_eq!(exit, "could not get storage information for 'nope': storage 'nope' does not exist");
    sim.hand().leave_free("local", 100);
    let (exit, log) = run("vmid=101&storage=local&compress=zstd").await;
    assert_eq!(exit, "job errors");
    assert!(log.iter().any(|line| line.ends_with("No space left on device")), "{log:?}");
    assert!(backups(&api).await.is_empty());
    assert!(sim.hand().vm(101).unwrap().lock.is_none());
    let bad = api.post("/nodes/pve1/vzdump", "vmid=101&notes-template=x&nonsense=1").await;
    assert_eq!(bad.status, 400);
    assert!(bad.json()["errors"]["nonsense"].is_string());
    let unpaired = api.post("/nodes/pve1/vzdump", "vmid=101&protected=1").await;
    assert_eq!(unpaired.json()["errors"]["storage"], "missing property - 'protected' requires this property");
}

#[tokio::test]
async fn a_backup_is_interrupted_cleanly_and_killed_uncleanly() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(101, "").await;
    sim.faults().next_task("vzdump", TaskAction::Hold);
    let upid = api.post("/nodes/pve1/vzdump", "vmid=101&storage=local").await.upid();
    assert_eq!(sim.faults().wait_held("vzdump").await, upid);
    assert_eq!(sim.hand().vm(101).unwrap().lock.as_deref(), Some("backup"));
    let locked = api.post(&format!("{QEMU}/101/config"), "cores=2").await;
    assert_eq!(locked.reason, "VM is locked (backup)");
    assert_eq!(api.delete(&format!("/nodes/pve1/tasks/{upid}")).await.status, 200);
    assert_eq!(api.finish(&upid).await.0, "interrupted by signal");
    assert!(sim.hand().vm(101).unwrap().lock.is_none());
    assert!(backups(&api).await.is_empty());
    sim.faults().next_task("vzdump", TaskAction::Kill);
    let upid = api.post("/nodes/pve1/vzdump", "vmid=101&storage=local").await.upid();
    assert_eq!(api.finish(&upid).await.0, "unexpected status");
    assert_eq!(sim.hand().vm(101).unwrap().lock.as_deref(), Some("backup"));
}

#[tokio::test]
async fn a_running_guest_goes_on_is_paused_or_is_stopped_for_its_backup() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(101, "").await;
    api.start_vm(101).await;
    for (mode, status) in [("snapshot", "running"), ("suspend", "paused"), ("stop", "stopped")] {
        sim.faults().next_task("vzdump", TaskAction::Hold);
        let upid = api.post("/nodes/pve1/vzdump", &format!("vmid=101&storage=local&mode={mode}")).await.upid();
        sim.faults().wait_held("vzdump").await;
        let during = api.get(&format!("{QEMU}/101/status/current")).await.data();
        assert_eq!(during["qmpstatus"], status, "{mode}");
        sim.faults().release();
        assert_eq!(api.finish(&upid).await.0, "OK");
        let after = api.get(&format!("{QEMU}/101/status/current")).await.data();
        assert_eq!(after["qmpstatus"], "running", "{mode}");
    }
    assert_eq!(backups(&api).await.len(), 3, "three in one second have three names");
}

#[tokio::test]
async fn older_backups_are_pruned_but_for_the_protected() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(101, "").await;
    let kept = backup(&api, 101, "&protected=1").await;
    let old = backup(&api, 101, "").await;
    let newer = backup(&api, 101, "").await;
    let last = backup(&api, 101, "&prune-backups=keep-last%3D2").await;
    let volids: Vec<Value> = backups(&api).await.iter().map(|row| row["volid"].clone()).collect();
    assert_eq!(volids, [json!(kept), json!(newer), json!(last)], "{old} is gone");
}

#[tokio::test]
async fn a_restore_gives_back_the_vm_as_it_was() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(101, "&name=before&full=1&description=stamp").await;
    let config = format!("{QEMU}/101/config");
    let was = api.get(&config).await.data();
    let volid = backup(&api, 101, "").await;
    assert_eq!(api.put(&config, "name=after&cores=4&description=other").await.status, 200);
    api.done(api.post(&format!("{QEMU}/101/snapshot"), "snapname=snap").await).await;
    let archive = format!("vmid=101&archive={}", encoded(&volid));
    let taken = api.post(QEMU, &archive).await;
    assert_eq!(taken.reason, "unable to restore VM 101 - VM 101 already exists on node 'pve1'");
    api.start_vm(101).await;
    let running = api.failed(api.post(QEMU, &format!("{archive}&force=1")).await).await;
    assert_eq!(running, "unable to restore VM 101 - vm is running");
    assert!(sim.hand().vm(101).unwrap().lock.is_none());
    api.done(api.post(&format!("{QEMU}/101/status/stop"), "").await).await;
    let answer = api.post(QEMU, &format!("{archive}&force=1")).await;
    assert!(answer.upid().contains(":qmrestore:101:"));
    let log = api.done(answer).await;
    assert!(log.contains(&"new volume ID is 'local:101/vm-101-disk-0.qcow2'".to_owned()), "{log:?}");
    let is = api.get(&config).await.data();
    for same in ["name", "cores", "description", "net0", "smbios1", "memory"] {
        assert_eq!(is[same], was[same], "{same}");
    }
    assert_ne!(is["vmgenid"], was["vmgenid"]);
    assert!(is.get("lock").is_none() && is.get("parent").is_none());
    assert_eq!(api.get(&format!("{QEMU}/101/snapshot")).await.data().as_array().unwrap().len(), 1);
    let disks = sim.hand().volumes("local").into_iter().filter(|name| name.starts_with("101/")).count();
    assert_eq!(disks, 2, "one disk and its cloud-init drive, as before");
}

#[tokio::test]
async fn a_restore_makes_another_vm_with_its_own_identity() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(101, "&name=origin").await;
    let volid = backup(&api, 101, "").await;
    let body = format!("vmid=102&archive={}&unique=1&name=copy&start=1", encoded(&volid));
    let log = api.done(api.post(QEMU, &body).await).await;
    assert!(log.contains(&"Execute autostart".to_owned()));
    let (was, is) = (sim.hand().vm(101).unwrap(), sim.hand().vm(102).unwrap());
    assert!(is.running && is.name == "copy");
    assert_ne!(was.config["net0"], is.config["net0"]);
    assert_ne!(was.config["smbios1"], is.config["smbios1"]);
    assert_eq!(is.config["scsi0"], "local:102/vm-102-disk-0.qcow2,size=27592K", "a linked clone comes back whole");
}

#[tokio::test]
async fn what_cannot_be_restored() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(101, "").await;
    let volid = encoded(&backup(&api, 101, "").await);
    let missing = api.post(QEMU, "vmid=105&archive=local%3Abackup%2Fnope.vma.zst").await;
    assert_eq!((missing.status, missing.reason.as_str()), (500, "volume 'local:backup/nope.vma.zst' does not exist"));
    let drive = api.post(QEMU, &format!("vmid=105&archive={volid}&scsi0=local%3A4")).await;
    assert_eq!(drive.json()["errors"]["scsi0"], "option conflicts with option 'archive'");
    assert_eq!(api.put(&format!("{QEMU}/101/config"), "protection=1").await.status, 200);
    let kept = api.failed(api.post(QEMU, &format!("vmid=101&archive={volid}&force=1")).await).await;
    assert_eq!(kept, "unable to restore VM 101 - - protection mode enabled");
    sim.hand().lock_vm(101, Some("backup"));
    let locked = api.post(QEMU, &format!("vmid=101&archive={volid}&force=1")).await;
    assert_eq!(locked.reason, "unable to restore VM 101 - VM is locked (backup)");
    // Storage full: of the new VM a number without anything is left.
    sim.hand().leave_free("tiny", 1000);
    let full = api.failed(api.post(QEMU, &format!("vmid=105&archive={volid}&storage=tiny")).await).await;
    assert!(full.ends_with("failed: exit code 133"), "{full}");
    let left = api.get(&format!("{QEMU}/105/config")).await.data();
    assert!(left.get("lock").is_none() && left.get("name").is_none() && left.get("scsi0").is_none(), "{left}");
    api.done(api.delete(&format!("{QEMU}/105")).await).await;
    assert!(sim.hand().volumes("tiny").is_empty());
    sim.faults().next_task("qmrestore", TaskAction::Kill);
    let upid = api.post(QEMU, &format!("vmid=106&archive={volid}")).await.upid();
    assert_eq!(api.finish(&upid).await.0, "unexpected status");
    assert_eq!(sim.hand().vm(106).unwrap().lock.as_deref(), Some("create"));
}

#[tokio::test]
async fn backups_need_their_rights() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(101, "").await;
    let volid = backup(&api, 101, "").await;
    let token = sim.add_token("robot@pve", "nothing", "/vms", &["VM.Audit"]);
    let robot = with_token(&sim, &token);
    let refused = robot.post("/nodes/pve1/vzdump", "vmid=101&storage=local").await;
    assert_eq!((refused.status, refused.reason.as_str()), (403, "Permission check failed (/vms/101, VM.Backup)"));
    let path = format!("/nodes/pve1/storage/local/content/{}", encoded(&volid));
    assert_eq!(robot.delete(&path).await.status, 403);
    assert_eq!(robot.put(&path, "notes=x").await.status, 403);
    let restore = robot.post(QEMU, &format!("vmid=105&archive={}", encoded(&volid))).await;
    assert_eq!(restore.status, 403);
    let token = sim.add_token("backup@pve", "all", "/", &["VM.Backup", "Datastore.AllocateSpace"]);
    let keeper = with_token(&sim, &token);
    assert_eq!(keeper.put(&path, "notes=x").await.status, 200);
    keeper.done(keeper.post(QEMU, &format!("vmid=101&archive={}&force=1", encoded(&volid))).await).await;
}

#[tokio::test]
async fn backups_outlive_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let sim = builder().state_dir(dir.path()).start().await.unwrap();
    let volid = {
        let api = root(&sim);
        api.clone_vm(101, "&name=kept").await;
        backup(&api, 101, "&notes-template=n").await
    };
    sim.stop().await;
    let sim: Sim = builder().state_dir(dir.path()).start().await.unwrap();
    let api = root(&sim);
    let listed = backups(&api).await;
    assert_eq!((&listed[0]["volid"], &listed[0]["notes"]), (&json!(volid), &json!("n")));
    api.done(api.post(QEMU, &format!("vmid=102&archive={}", encoded(&volid))).await).await;
    assert_eq!(sim.hand().vm(102).unwrap().name, "kept");
}

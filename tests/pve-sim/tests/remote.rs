//! Moving a VM to another cluster: two servers, each with its own users, VMIDs and certificate, and a tunnel between them. Nothing of
//! it was recorded: the cases follow the API's schema and the tool's known words.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::too_many_lines, reason = "tests")]

mod common;

use common::{Client, builder, root, until};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use pve_sim::{Sim, TaskAction};
use serde_json::json;

const VM: &str = "/nodes/pve1/qemu/101";

async fn two() -> (Sim, Sim) {
    let far = builder().node("pve9").cluster_name("far").bridge("vmbr7").start().await.unwrap();
    (builder().start().await.unwrap(), far)
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn endpoint(far: &Sim, token: &str, fingerprint: &str) -> String {
    let address = far.address();
    format!("apitoken=PVEAPIToken={token},host={},port={},fingerprint={fingerprint}", address.ip(), address.port())
}

fn body(far: &Sim, more: &str) -> String {
    let endpoint = escaped(&endpoint(far, &far.token(), far.fingerprint()));
    format!("target-endpoint={endpoint}&target-vmid=201&target-storage=local&target-bridge=vmbr7{more}")
}

async fn migrate(api: &Client<'_>, body: &str) -> (String, Vec<String>) {
    let answer = api.post(&format!("{VM}/remote_migrate"), body).await;
    assert!(answer.upid().contains(":qmigrate:101:"));
    api.finish(&answer.upid()).await
}

fn says(log: &[String], text: &str) {
    assert!(log.iter().any(|line| line.contains(text)), "{text}: {log:#?}");
}

#[tokio::test]
async fn a_stopped_vm_goes_with_all_it_has() {
    let (near, far) = two().await;
    let api = root(&near);
    api.clone_vm(101, "&full=1&name=mover&description=stamp").await;
    assert_eq!(api.post(&format!("{VM}/firewall/rules"), "type=in&action=DROP").await.status, 200);
    let was = near.hand().vm(101).unwrap();
    let (exit, log) = migrate(&api, &body(&far, "&delete=1")).await;
    assert_eq!(exit, "OK", "{log:#?}");
    says(&log, "Establishing API connection with remote at '127.0.0.1'");
    says(&log, "volume 'local:101/vm-101-disk-0.qcow2' is 'local:201/vm-201-disk-0.qcow2' on the target");
    says(&log, "mapped: net0 from vmbr0 to vmbr7");
    assert!(near.hand().vm(101).is_none());
    assert!(!near.hand().volumes("local").iter().any(|name| name.starts_with("101/")));
    let is = far.hand().vm(201).unwrap();
    assert_eq!((is.name.as_str(), is.running, is.lock, is.node.as_str()), ("mover", false, None, "pve9"));
    for same in ["description", "memory", "smbios1", "vmgenid"] {
        assert_eq!(is.config[same], was.config[same], "{same}");
    }
    assert_eq!(is.config["scsi0"], "local:201/vm-201-disk-0.qcow2,size=27592K");
    let (old, new) = (was.config["net0"].as_str().unwrap(), is.config["net0"].as_str().unwrap());
    assert_eq!(new, old.replace("vmbr0", "vmbr7"), "the same address");
    let rules = root(&far).get("/nodes/pve9/qemu/201/firewall/rules").await.data();
    assert_eq!(rules[0]["action"], "DROP");
    let tasks = far.hand().tasks();
    let tunnel = tasks.iter().find(|(upid, _)| upid.contains(":qmtunnel:201:")).unwrap();
    until("the tunnel's end", async || far.hand().tasks().iter().any(|(upid, end)| *upid == tunnel.0 && end.is_some()))
        .await;
    let end = far.hand().tasks().into_iter().find(|(upid, _)| *upid == tunnel.0).unwrap().1;
    assert_eq!(end.as_deref(), Some("OK"));
}

#[tokio::test]
async fn a_running_vm_runs_on_over_there_and_stays_locked_here_unless_deleted() {
    let (near, far) = two().await;
    let api = root(&near);
    api.clone_vm(101, "&full=1").await;
    api.start_vm(101).await;
    let offline = api.post(&format!("{VM}/remote_migrate"), &body(&far, "")).await;
    assert_eq!(offline.reason, "can't migrate running VM without --online");
    let (exit, log) = migrate(&api, &body(&far, "&online=1")).await;
    assert_eq!(exit, "OK", "{log:#?}");
    assert!(far.hand().vm(201).unwrap().running);
    let left = near.hand().vm(101).unwrap();
    assert_eq!((left.running, left.lock.as_deref()), (false, Some("migrate")));
}

#[tokio::test]
async fn what_the_other_side_refuses_leaves_everything_as_it_was() {
    let (near, far) = two().await;
    let api = root(&near);
    api.clone_vm(101, "&full=1").await;
    let plain = |from: &str, to: &str| body(&far, "").replace(from, to);
    let weak = far.add_token("robot@pve", "weak", "/vms", &["VM.Audit"]);
    let with = |token: &str, fingerprint: &str| {
        let endpoint = escaped(&endpoint(&far, token, fingerprint));
        format!("target-endpoint={endpoint}&target-vmid=201&target-storage=local&target-bridge=vmbr7")
    };
    let cases = [
        (with("root@pam!sim=wrong", far.fingerprint()), "failed to open tunnel - 401 Authentication failed!"),
        (with(&far.token(), &"AB:".repeat(31)), "certificate verify failed"),
        (with(&weak, far.fingerprint()), "403 Permission check failed (/vms/201, VM.Allocate)"),
        (
            plain("target-vmid=201", "target-vmid=9000"),
            "unable to create empty VM config - VM 9000 already exists on node 'pve9'",
        ),
        (plain("target-storage=local", "target-storage=nope"), "500 storage 'nope' does not exist"),
        (plain("target-bridge=vmbr7", "target-bridge=vmbr8"), "500 bridge 'vmbr8' does not exist"),
    ];
    for (body, cause) in cases {
        let (exit, log) = migrate(&api, &body).await;
        assert_eq!(exit, "migration aborted", "{cause}");
        says(&log, cause);
        assert!(near.hand().vm(101).unwrap().lock.is_none(), "{cause}");
        assert_eq!(far.hand().vms().len(), 1, "{cause}");
    }
    far.hand().leave_free("local", 1000);
    let (exit, log) = migrate(&api, &body(&far, "")).await;
    assert_eq!(exit, "migration aborted");
    says(&log, "No space left on device");
    until("the far end to clean up", async || far.hand().vm(201).is_none()).await;
    assert!(near.hand().vm(101).unwrap().lock.is_none());
}

#[tokio::test]
async fn requests_that_make_no_sense() {
    let (near, far) = two().await;
    let api = root(&near);
    api.clone_vm(101, "").await;
    let path = format!("{VM}/remote_migrate");
    let missing = api.post(&path, "").await;
    for name in ["target-endpoint", "target-bridge", "target-storage"] {
        assert_eq!(missing.json()["errors"][name], "property is missing and it is not optional", "{name}");
    }
    let bare = api.post(&path, "target-endpoint=host%3Dx&target-storage=local&target-bridge=vmbr0").await;
    let text = "invalid format - format error\ntarget-endpoint.apitoken: property is missing and it is not optional\n";
    assert_eq!(bare.json()["errors"]["target-endpoint"], json!(text));
    let same = api.post(&path, &body(&far, "").replace("target-storage=local", "target-storage=1")).await;
    assert_eq!(same.reason, "remote migration requires explicit storage mapping!");
    let (exit, log) = migrate(&api, &body(&far, "")).await;
    assert_eq!(exit, "migration aborted");
    says(&log, "as it's a clone of 'base-9000-disk-0.qcow2'");
}

#[tokio::test]
async fn one_side_stops_or_fails_midway() {
    let (near, far) = two().await;
    let api = root(&near);
    api.clone_vm(101, "&full=1").await;
    near.faults().next_task("qmigrate", TaskAction::Hold);
    let upid = api.post(&format!("{VM}/remote_migrate"), &body(&far, "")).await.upid();
    near.faults().wait_held("qmigrate").await;
    assert_eq!(far.hand().vm(201).unwrap().lock.as_deref(), Some("create"));
    assert_eq!(api.delete(&format!("/nodes/pve1/tasks/{upid}")).await.status, 200);
    assert_eq!(api.finish(&upid).await.0, "migration aborted");
    assert!(near.hand().vm(101).unwrap().lock.is_none());
    until("the far end to clean up", async || far.hand().vm(201).is_none()).await;
    // Killed here: the lock stays, and the far end sees the tunnel's end.
    near.faults().next_task("qmigrate", TaskAction::Kill);
    let (exit, _) = migrate(&api, &body(&far, "")).await;
    assert_eq!(exit, "unexpected status");
    assert_eq!(near.hand().vm(101).unwrap().lock.as_deref(), Some("migrate"));
    until("the far end to clean up", async || far.hand().vm(201).is_none()).await;
    near.hand().lock_vm(101, None);
    // The far end goes away.
    near.faults().next_task("qmigrate", TaskAction::Hold);
    let upid = api.post(&format!("{VM}/remote_migrate"), &body(&far, "")).await.upid();
    near.faults().wait_held("qmigrate").await;
    far.stop().await;
    near.faults().release();
    let (exit, log) = api.finish(&upid).await;
    assert_eq!(exit, "migration aborted");
    says(&log, "the tunnel is broken");
    assert!(near.hand().vm(101).unwrap().lock.is_none());
}

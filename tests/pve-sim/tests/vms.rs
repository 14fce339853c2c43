//! The life of a VM: clone, create, configure, power, disks, deletion; requests, task ends and log lines as recorded.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::too_many_lines, reason = "tests")]

mod common;

use std::time::Duration;

use common::{TINY_BYTES, builder, root, sim, ticket};
use pve_sim::Flavour;
use serde_json::json;

const QEMU: &str = "/nodes/pve1/qemu";

#[tokio::test]
async fn a_full_clone_copies_every_drive_and_says_so() {
    let sim = sim().await;
    let api = root(&sim);
    let body = "newid=102&name=full-102&full=1&storage=local&format=qcow2&description=full+clone";
    let answer = api.post(&format!("{QEMU}/9000/clone"), body).await;
    let upid = answer.upid();
    assert!(upid.contains(":qmclone:9000:root@pam!sim:"), "the UPID carries the source: {upid}");
    let log = api.done(answer).await;
    let disk = "Formatting '/var/lib/vz/images/102/vm-102-disk-0.qcow2', fmt=qcow2 cluster_size=65536 extended_l2=off \
                preallocation=metadata compression_type=zlib size=28254208 lazy_refcounts=off refcount_bits=16";
    assert_eq!(log[0], "create full clone of drive ide2 (local:9000/vm-9000-cloudinit.qcow2)");
    assert_eq!(log[2], "create full clone of drive scsi0 (local:9000/base-9000-disk-0.qcow2)");
    assert_eq!(log[3], disk);
    assert_eq!(log[4], "transferred 0.0 B of 26.9 MiB (0.00%)");
    assert_eq!(log[log.len() - 2], "transferred 26.9 MiB of 26.9 MiB (100.00%)");
    assert_eq!(log.iter().filter(|line| line.starts_with("transferred")).count(), 16);
    let config = api.get(&format!("{QEMU}/102/config")).await.data();
    assert_eq!(config["scsi0"], "local:102/vm-102-disk-0.qcow2,size=27592K");
    assert_eq!(config["ide2"], "local:102/vm-102-cloudinit.qcow2,media=cdrom,size=4M");
    assert_eq!(config["description"], "full clone");
    assert_eq!(config["agent"], "1");
    assert!(config.get("template").is_none() && config.get("lock").is_none());
    let source = api.get(&format!("{QEMU}/9000/config")).await.data();
    for fresh in ["net0", "vmgenid", "smbios1"] {
        assert_ne!(config[fresh], source[fresh], "{fresh}");
    }
    assert_eq!(config["meta"], source["meta"]);
}

#[tokio::test]
async fn a_linked_clone_keeps_to_its_base() {
    let sim = sim().await;
    let api = root(&sim);
    let log = api.done(api.post(&format!("{QEMU}/9000/clone"), "newid=101").await).await;
    assert!(log.contains(&"create linked clone of drive scsi0 (local:9000/base-9000-disk-0.qcow2)".to_owned()));
    assert!(
        log.contains(
            &"clone 9000/base-9000-disk-0.qcow2: images, vm-101-disk-0.qcow2, 101 to vm-101-disk-0.qcow2 \
          (base=../9000/base-9000-disk-0.qcow2)"
                .to_owned()
        )
    );
    let config = api.get(&format!("{QEMU}/101/config")).await.data();
    assert_eq!(config["scsi0"], "local:9000/base-9000-disk-0.qcow2/101/vm-101-disk-0.qcow2,size=27592K");
    assert_eq!(config["name"], "Copy-of-VM-tiny-template");
    let exit = api.failed(api.delete(&format!("{QEMU}/9000")).await).await;
    assert_eq!(exit, "base volume 'local:9000/base-9000-disk-0.qcow2' is still in use by linked cloned");
    assert!(sim.hand().vm(9000).is_some());
}

#[tokio::test]
async fn clones_that_are_refused_at_once() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(101, "").await;
    let linked = "Linked clone feature is not supported for \
                  'local:9000/base-9000-disk-0.qcow2/101/vm-101-disk-0.qcow2' (scsi0)";
    let cases = [
        ("9000", "newid=101", 500, "unable to create VM 101: config file already exists"),
        ("101", "newid=105&full=0", 500, linked),
        ("9000", "newid=105&storage=local", 500, "parameter 'storage' not allowed for linked clones"),
        ("9000", "newid=105&pool=nopool", 403, "Permission check failed (pool 'nopool' does not exist)"),
        ("9000", "newid=105&snapname=nosnap&full=1", 500, "snapshot 'nosnap' does not exist"),
        ("7777", "newid=105", 500, "unable to find configuration file for VM 7777 on node 'pve1'"),
        ("9000", "newid=105&full=1&storage=nosuch", 500, "storage 'nosuch' does not exist"),
        ("9000", "newid=105&full=1&target=nope", 500, "no such cluster node 'nope'"),
    ];
    for (source, body, status, reason) in cases {
        let answer = api.post(&format!("{QEMU}/{source}/clone"), body).await;
        assert_eq!((answer.status, answer.reason.as_str()), (status, reason), "{body}");
        assert_eq!(answer.json()["message"], format!("{reason}\n"));
    }
    assert!(sim.hand().vm(105).is_none());
}

#[tokio::test]
async fn a_full_storage_fails_in_the_task_and_its_log_says_why() {
    let sim = sim().await;
    let api = root(&sim);
    let free = TINY_BYTES / 20;
    assert!(sim.hand().leave_free("tiny", free));
    let before = sim.hand().volumes("tiny");
    let answer = api.post(&format!("{QEMU}/9000/clone"), "newid=132&full=1&storage=tiny&format=qcow2").await;
    let (exit, log) = api.finish(&answer.upid()).await;
    let command = "/usr/bin/qemu-img convert -p -n -f qcow2 -O qcow2 /var/lib/vz/images/9000/base-9000-disk-0.qcow2 \
                   /mnt/tiny/images/132/vm-132-disk-0.qcow2";
    assert_eq!(exit, format!("clone failed: copy failed: command '{command}' failed: exit code 1"));
    assert!(!exit.contains("No space left on device"));
    assert!(log[log.len() - 2].ends_with(": No space left on device"), "{log:?}");
    let gone = api.get(&format!("{QEMU}/132/config")).await;
    assert_eq!(gone.reason, "Configuration file 'nodes/pve1/qemu-server/132.conf' does not exist");
    assert_eq!(sim.hand().volumes("tiny"), before, "nothing is left behind");
}

#[tokio::test]
async fn creating_makes_disks_and_keeps_the_order_of_options() {
    let sim = sim().await;
    let api = root(&sim);
    let drive = "scsi0=local%3A1%2Cformat%3Dqcow2%2Ciothread%3D1%2Cdiscard%3Don%2Cssd%3D1";
    let body = format!(
        "vmid=210&name=ci-full&memory=256&balloon=0&cores=1&sockets=1&cpu=x86-64-v2-AES&scsihw=virtio-scsi-single&{drive}\
         &net0=virtio%3DBC%3A24%3A11%3A00%3A00%3A01%2Cbridge%3Dvmbr0%2Cfirewall%3D1%2Ctag%3D100&ide2=local%3Acloudinit\
         &boot=order%3Dscsi0&serial0=socket&agent=enabled%3D1%2Cfstrim_cloned_disks%3D1&ciuser=debian&cipassword=secret\
         &ipconfig0=ip%3D192.168.77.60%2F24%2Cgw%3D192.168.77.1&nameserver=192.168.77.1&searchdomain=example.invalid\
         &sshkeys=ssh-ed25519%2520AAAA%2520test%2540x%250A&onboot=0"
    );
    let log = api.done(api.post(QEMU, &body).await).await;
    assert!(log.contains(&"ide2: successfully created disk 'local:210/vm-210-cloudinit.qcow2,media=cdrom'".to_owned()));
    let options = "local:210/vm-210-disk-0.qcow2,discard=on,iothread=1,size=1G,ssd=1";
    assert!(log.contains(&format!("scsi0: successfully created disk '{options}'")), "{log:?}");
    let config = api.get(&format!("{QEMU}/210/config")).await.data();
    assert_eq!(config["scsi0"], options);
    assert_eq!(config["net0"], "virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1,tag=100");
    let user = api.get(&format!("{QEMU}/210/cloudinit/dump?type=user")).await.data();
    let wanted = "#cloud-config\nhostname: ci-full\nmanage_etc_hosts: true\nfqdn: ci-full.example.invalid\nuser: debian\n\
                  password: secret\nssh_authorized_keys:\n  - ssh-ed25519 AAAA test@x\nchpasswd:\n  expire: False\n\
                  users:\n  - default\npackage_upgrade: true\n";
    assert_eq!(user, wanted);
    let network = api.get(&format!("{QEMU}/210/cloudinit/dump?type=network")).await.data();
    let wanted = "version: 1\nconfig:\n    - type: physical\n      name: eth0\n      mac_address: 'bc:24:11:00:00:01'\n      \
                  subnets:\n      - type: static\n        address: '192.168.77.60'\n        netmask: '255.255.255.0'\n        \
                  gateway: '192.168.77.1'\n    - type: nameserver\n      address:\n      - '192.168.77.1'\n      search:\n      \
                  - 'example.invalid'\n";
    assert_eq!(network, wanted);
}

#[tokio::test]
async fn creations_that_fail() {
    let sim = sim().await;
    let api = root(&sim);
    api.done(api.post(QEMU, "vmid=160&name=bios-only&memory=64").await).await;
    let cases = [
        ("vmid=160", 500, "unable to create VM 160 - VM 160 already exists on node 'pve1'"),
        ("vmid=500&scsi0=nosuch%3A4", 500, "storage 'nosuch' does not exist"),
        ("vmid=500&pool=nopool", 403, "Permission check failed (pool 'nopool' does not exist)"),
    ];
    for (body, status, reason) in cases {
        let answer = api.post(QEMU, body).await;
        assert_eq!((answer.status, answer.reason.as_str()), (status, reason), "{body}");
    }
    let iso =
        api.post(QEMU, "vmid=161&start=1&memory=64&scsi0=local%3A1&ide2=local%3Aiso%2Fnone.iso%2Cmedia%3Dcdrom").await;
    assert_eq!(api.failed(iso).await, "unable to create VM 161 - volume 'local:iso/none.iso' does not exist");
    assert!(sim.hand().vm(161).is_none());
    assert!(!sim.hand().volumes("local").iter().any(|name| name.contains("161")), "no volume is left");
    let log = api.done(api.post(QEMU, "vmid=140&scsi0=tiny%3A200%2Cformat%3Draw").await).await;
    assert!(log.contains(&"scsi0: successfully created disk 'tiny:140/vm-140-disk-0.raw,size=200G'".to_owned()));
    let log =
        api.done(api.post(QEMU, "vmid=191&start=1&memory=64&scsi0=local%3A1%2Cformat%3Draw&ostype=l26").await).await;
    assert_eq!(log[log.len() - 2], "Execute autostart");
    assert_eq!(api.get(&format!("{QEMU}/191/status/current")).await.data()["status"], "running");
}

#[tokio::test]
async fn put_config_is_synchronous_and_post_starts_a_task() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(101, "").await;
    let config = format!("{QEMU}/101/config");
    let body = "memory=192&description=hello%0Aworld&tags=ci%3Brunner&ciuser=robot&onboot=1";
    assert!(api.put(&config, body).await.data().is_null());
    let answer = api.post(&config, "cores=1&name=renamed-101").await;
    assert!(answer.upid().contains(":qmconfig:101:"));
    let log = api.done(answer).await;
    assert_eq!(log, ["update VM 101: -cores 1 -name renamed-101", "TASK OK"]);
    let shown = api.get(&config).await.data();
    assert_eq!(shown["memory"], "192");
    assert_eq!(shown["cores"], 1);
    assert_eq!(shown["onboot"], 1);
    assert_eq!(shown["description"], "hello\nworld");
    assert_eq!(shown["name"], "renamed-101");
    let digest = shown["digest"].as_str().unwrap();
    let stale = api.put(&config, &format!("memory=200&digest={}", "0".repeat(40))).await;
    assert_eq!((stale.status, stale.reason.as_str()), (500, "checksum mismatch (file change by other user?)"));
    assert_eq!(api.put(&config, &format!("memory=200&digest={digest}")).await.status, 200);
    assert_eq!(api.put(&config, "").await.reason, "no options specified");
    assert_eq!(api.put(&config, "delete=description").await.status, 200);
    assert!(api.get(&config).await.data().get("description").is_none());
    let unknown = api.put(&format!("{QEMU}/7777/config"), "memory=200").await;
    assert_eq!(unknown.reason, "Configuration file 'nodes/pve1/qemu-server/7777.conf' does not exist");
}

#[tokio::test]
async fn a_running_vm_keeps_changes_for_its_next_start() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(101, "").await;
    api.start_vm(101).await;
    let config = format!("{QEMU}/101/config");
    api.put(&config, "memory=224").await.data();
    let row = |rows: &serde_json::Value, key: &str| {
        rows.as_array().unwrap().iter().find(|row| row["key"] == key).unwrap().clone()
    };
    let pending = api.get(&format!("{QEMU}/101/pending")).await.data();
    assert_eq!(row(&pending, "memory"), json!({ "key": "memory", "value": "512", "pending": "224" }));
    api.put(&config, "revert=memory").await.data();
    let pending = api.get(&format!("{QEMU}/101/pending")).await.data();
    assert_eq!(row(&pending, "memory"), json!({ "key": "memory", "value": "512" }));
    api.put(&config, "memory=224").await.data();
    api.done(api.post(&format!("{QEMU}/101/status/stop"), "").await).await;
    assert_eq!(api.get(&config).await.data()["memory"], "224");
}

#[tokio::test]
async fn a_detached_disk_stays_until_it_is_unlinked() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(101, "").await;
    let config = format!("{QEMU}/101/config");
    api.put(&config, "scsi5=local%3A1").await.data();
    assert_eq!(api.get(&config).await.data()["scsi5"], "local:101/vm-101-disk-1.raw,size=1G");
    api.put(&config, "delete=scsi5").await.data();
    assert_eq!(api.get(&config).await.data()["unused0"], "local:101/vm-101-disk-1.raw");
    api.put(&format!("{QEMU}/101/unlink"), "idlist=unused0&force=1").await.data();
    assert!(api.get(&config).await.data().get("unused0").is_none());
    assert!(!sim.hand().volumes("local").contains(&"101/vm-101-disk-1.raw".to_owned()));
}

#[tokio::test]
async fn resizing_grows_only() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(101, "").await;
    let resize = format!("{QEMU}/101/resize");
    let answer = api.put(&resize, "disk=scsi0&size=%2B64M").await;
    assert!(answer.upid().contains(":resize:101:"));
    assert_eq!(api.done(answer).await, ["Image resized.", "TASK OK"]);
    let config = api.get(&format!("{QEMU}/101/config")).await.data();
    assert!(config["scsi0"].as_str().unwrap().ends_with(",size=93128K"), "{config}");
    let shrink = api.failed(api.put(&resize, "disk=scsi0&size=10M").await).await;
    assert_eq!(shrink, "shrinking disks is not supported");
    assert_eq!(api.put(&resize, "disk=scsi9&size=%2B1G").await.status, 200, "it fails in the task");
    api.start_vm(101).await;
    assert_eq!(api.done(api.put(&resize, "disk=scsi0&size=%2B8M").await).await, ["TASK OK"]);
}

#[tokio::test]
async fn a_disk_moves_to_another_storage_and_back() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(101, "").await;
    let path = format!("{QEMU}/101/move_disk");
    let log = api.done(api.post(&path, "disk=scsi0&storage=tiny&format=qcow2").await).await;
    assert!(log[0].starts_with("create full clone of drive scsi0 (local:9000/base-9000-disk-0.qcow2/101/"), "{log:?}");
    let config = api.get(&format!("{QEMU}/101/config")).await.data();
    assert_eq!(config["scsi0"], "tiny:101/vm-101-disk-0.qcow2,size=27592K");
    assert_eq!(config["unused0"], "local:9000/base-9000-disk-0.qcow2/101/vm-101-disk-0.qcow2");
    api.done(api.post(&path, "disk=scsi0&storage=local&format=qcow2&delete=1").await).await;
    let config = api.get(&format!("{QEMU}/101/config")).await.data();
    assert_eq!(config["scsi0"], "local:101/vm-101-disk-1.qcow2,size=27592K");
    assert!(sim.hand().volumes("tiny").is_empty());
}

#[tokio::test]
async fn power_actions_on_a_vm_that_does_not_run() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(101, "").await;
    for action in ["reboot", "reset", "suspend", "resume"] {
        let answer = api.post(&format!("{QEMU}/101/status/{action}"), "").await;
        assert_eq!((answer.status, answer.reason.as_str()), (500, "VM 101 not running"), "{action}");
    }
    for action in ["stop", "shutdown"] {
        let log = api.done(api.post(&format!("{QEMU}/101/status/{action}"), "").await).await;
        assert_eq!(log, ["TASK OK"], "{action} does nothing, and well");
    }
    let unknown = api.failed(api.post(&format!("{QEMU}/7777/status/start"), "").await).await;
    assert_eq!(unknown, "Configuration file 'nodes/pve1/qemu-server/7777.conf' does not exist");
    let template = api.failed(api.post(&format!("{QEMU}/9000/status/start"), "").await).await;
    assert_eq!(template, "you can't start a vm if it's a template");
}

#[tokio::test]
async fn a_vm_starts_pauses_reboots_and_stops() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(101, "").await;
    let act = |action: &str, body: &str| {
        let (path, body) = (format!("{QEMU}/101/status/{action}"), body.to_owned());
        let api = &api;
        async move { api.post(&path, &body).await }
    };
    let status = || async { api.get(&format!("{QEMU}/101/status/current")).await.data() };
    assert_eq!(api.done(act("start", "").await).await, ["generating cloud-init ISO", "TASK OK"]);
    let shown = status().await;
    assert_eq!((&shown["status"], &shown["qmpstatus"]), (&json!("running"), &json!("running")));
    assert_eq!((&shown["agent"], &shown["serial"], &shown["ha"]), (&json!(1), &json!(1), &json!({ "managed": 0 })));
    assert!(
        shown["pid"].is_number() && shown["nics"]["tap101i0"].is_object() && shown["blockstat"]["scsi0"].is_object()
    );
    assert_eq!(api.failed(act("start", "").await).await, "VM 101 already running");
    let answer = act("suspend", "").await;
    assert!(answer.upid().contains(":qmpause:101:"));
    api.done(answer).await;
    let shown = status().await;
    assert_eq!((&shown["status"], &shown["qmpstatus"]), (&json!("running"), &json!("paused")));
    assert_eq!(act("shutdown", "timeout=3").await.reason, "VM is paused - cannot shutdown");
    let answer = act("resume", "").await;
    assert!(answer.upid().contains(":qmresume:101:"));
    api.done(answer).await;
    api.done(act("reset", "").await).await;
    let answer = act("reboot", "timeout=30").await;
    assert!(answer.upid().contains(":qmreboot:101:"));
    api.done(answer).await;
    // The task is over when the guest is off.
    common::until("the VM is started again", async || status().await["status"] == "running").await;
    let running = api.delete(&format!("{QEMU}/101")).await;
    assert_eq!((running.status, running.reason.as_str()), (500, "VM 101 is running - destroy failed"));
    api.done(act("shutdown", "timeout=3&forceStop=1").await).await;
    let shown = status().await;
    assert_eq!((&shown["status"], &shown["uptime"]), (&json!("stopped"), &json!(0)));
    assert!(shown.get("pid").is_none() && shown.get("nics").is_none());
}

#[tokio::test]
async fn a_guest_without_a_system_ignores_shutdown() {
    let sim = sim().await;
    let api = root(&sim);
    api.done(api.post(QEMU, "vmid=160&name=bios-only&memory=64").await).await;
    api.start_vm(160).await;
    let path = format!("{QEMU}/160/status/shutdown");
    assert_eq!(api.failed(api.post(&path, "timeout=3").await).await, "VM quit/powerdown failed - got timeout");
    assert!(sim.hand().vm(160).unwrap().running);
    let log = api.done(api.post(&path, "timeout=3&forceStop=1").await).await;
    assert_eq!(log[0], "VM still running - terminating now with SIGTERM");
    assert!(!sim.hand().vm(160).unwrap().running);
}

#[tokio::test]
async fn starts_that_fail_or_warn() {
    let sim = sim().await;
    let api = root(&sim);
    api.done(api.post(QEMU, "vmid=160&memory=64").await).await;
    api.put(&format!("{QEMU}/160/config"), "net0=virtio%2Cbridge%3Dvmbr9").await.data();
    let start = api.post(&format!("{QEMU}/160/status/start"), "").await;
    let (exit, log) = api.finish(&start.upid()).await;
    assert_eq!(exit, "start failed: QEMU exited with code 1");
    assert_eq!(log[0], "bridge 'vmbr9' does not exist");
    assert!(log[1].contains("script=/usr/libexec/qemu-server/pve-bridge,"), "{log:?}");
    api.put(&format!("{QEMU}/160/config"), "delete=net0&memory=99999999").await.data();
    let start = api.post(&format!("{QEMU}/160/status/start"), "").await;
    let (exit, log) = api.finish(&start.upid()).await;
    assert_eq!(exit, "start failed: QEMU exited with code 1");
    assert!(log[0].ends_with("Cannot allocate memory"), "{log:?}");
    api.done(api.post(QEMU, "vmid=190&bios=ovmf&memory=128").await).await;
    let start = api.post(&format!("{QEMU}/190/status/start"), "").await;
    let (exit, log) = api.finish(&start.upid()).await;
    assert_eq!(exit, "WARNINGS: 1");
    assert_eq!(log, ["WARN: no efidisk configured! Using temporary efivars disk.", "TASK WARNINGS: 1"]);
    assert!(sim.hand().vm(190).unwrap().running, "a warning is a success");
    let listed = api.get("/nodes/pve1/tasks?statusfilter=warning").await.json();
    assert_eq!((&listed["total"], &listed["data"][0]["status"]), (&json!(1), &json!("WARNINGS: 1")));
}

#[tokio::test]
async fn hibernation_keeps_the_memory_on_disk() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(211, "").await;
    api.start_vm(211).await;
    let answer = api.post(&format!("{QEMU}/211/status/suspend"), "todisk=1").await;
    assert!(answer.upid().contains(":qmsuspend:211:"));
    let log = api.done(answer).await;
    assert!(log[0].contains("/vm-211-state-suspend-"), "{log:?}");
    assert_eq!(log[1], "State saved, quitting");
    let shown = api.get(&format!("{QEMU}/211/status/current")).await.data();
    assert_eq!((&shown["status"], &shown["lock"]), (&json!("stopped"), &json!("suspended")));
    let log = api.done(api.post(&format!("{QEMU}/211/status/start"), "").await).await;
    assert_eq!((log[0].as_str(), log[2].as_str()), ("Resuming suspended VM", "Resumed VM, removing state"));
    assert_eq!(sim.hand().vm(211).unwrap().lock, None);
}

#[tokio::test]
async fn deletion_removes_everything_or_says_why_not() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(102, "&full=1").await;
    api.put(&format!("{QEMU}/102/config"), "protection=1").await.data();
    let refused = api.delete(&format!("{QEMU}/102")).await;
    assert_eq!((refused.status, refused.reason.as_str()), (500, "can't remove VM 102 - protection mode enabled"));
    api.put(&format!("{QEMU}/102/config"), "protection=0").await.data();
    let log = api.done(api.delete(&format!("{QEMU}/102?purge=1&destroy-unreferenced-disks=1")).await).await;
    assert_eq!(log, ["purging VM 102 from related configurations..", "TASK OK"]);
    assert!(!sim.hand().volumes("local").iter().any(|name| name.starts_with("102/")));
    for path in ["102/status/current", "102/config", "7777/config"] {
        let answer = api.get(&format!("{QEMU}/{path}")).await;
        assert!(answer.reason.ends_with(".conf' does not exist"), "{}", answer.reason);
    }
    let unknown = api.delete(&format!("{QEMU}/7777")).await;
    assert_eq!(unknown.reason, "Configuration file 'nodes/pve1/qemu-server/7777.conf' does not exist");
    let made: Vec<u32> = sim.hand().history().iter().map(|made| made.vmid).collect();
    assert_eq!(made, [9000, 102], "the history knows the deleted one");
}

#[tokio::test]
async fn templates_are_made_once() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(102, "&full=1").await;
    api.done(api.post(&format!("{QEMU}/102/template"), "").await).await;
    let config = api.get(&format!("{QEMU}/102/config")).await.data();
    assert_eq!(
        (&config["template"], &config["scsi0"]),
        (&json!(1), &json!("local:102/base-102-disk-0.qcow2,size=27592K"))
    );
    let again = api.post(&format!("{QEMU}/102/template"), "").await;
    assert_eq!((again.status, again.reason.as_str()), (500, "you can't convert a template to a template"));
}

#[tokio::test]
async fn only_root_by_ticket_is_root() {
    let sim = sim().await;
    let (token, by_ticket) = (root(&sim), ticket(&sim).await);
    token.clone_vm(101, "").await;
    let config = format!("{QEMU}/101/config");
    let refused = token.put(&config, "lock=backup").await;
    assert_eq!((refused.status, refused.reason.as_str()), (500, "only root can set 'lock' config"));
    let path = "Only root can pass arbitrary filesystem paths. at /usr/share/perl5/PVE/Storage.pm line 581.";
    let cases = [
        ("vmid=601&args=-S", "only root can set 'args' config"),
        ("vmid=601&hostpci0=00%3A01.0", "only root can set 'hostpci0' config for non-mapped devices"),
        ("vmid=601&scsi0=local%3A0%2Cimport-from%3D%2Fetc%2Fpasswd", path),
    ];
    for (body, reason) in cases {
        let refused = token.post(QEMU, body).await;
        assert_eq!((refused.status, refused.reason.as_str()), (500, reason), "{body}");
    }
    assert!(by_ticket.put(&config, "lock=clone").await.data().is_null());
    let locked = token.delete(&format!("{QEMU}/101?skiplock=1")).await;
    assert_eq!(locked.json()["errors"]["skiplock"], "Only root may use this option.");
    let answer = by_ticket.delete(&format!("{QEMU}/101?skiplock=1")).await;
    assert!(answer.upid().ends_with(":qmdestroy:101:root@pam:"), "{}", answer.upid());
    by_ticket.done(answer).await;
}

#[tokio::test]
async fn what_9_1_does_otherwise() {
    let sim = builder().version(Flavour::V9_1).start().await.unwrap();
    let api = root(&sim);
    assert_eq!(api.get("/version").await.data()["version"], "9.1.9");
    api.done(api.post(QEMU, "vmid=160&memory=64&net0=virtio%2Cbridge%3Dvmbr9&ha-managed=0").await).await;
    let exit = api.failed(api.post(&format!("{QEMU}/160/status/start"), "").await).await;
    assert_eq!(exit, "bridge 'vmbr9' does not exist");
    let shown = api.get(&format!("{QEMU}/160/status/current")).await.data();
    assert!(shown["memhost"].is_number() && shown["pressurecpusome"].is_number(), "{shown}");
    assert!(api.get("/nodes/pve1/status").await.data()["memory"]["available"].is_number());
    let held = api.get("/access/permissions").await.data();
    assert!(held["/vms"].get("VM.Monitor").is_none() && held["/vms"]["VM.GuestAgent.Audit"] == 1);
    let eight = common::sim().await;
    let refused = root(&eight).post(QEMU, "vmid=160&ha-managed=0").await;
    assert!(refused.json()["errors"]["ha-managed"].is_string());
    let shown = root(&eight).get(&format!("{QEMU}/9000/status/current")).await.data();
    assert!(shown.get("memhost").is_none());
    assert!(root(&eight).get("/nodes/pve1/status").await.data()["memory"].get("available").is_none());
}

#[tokio::test]
async fn a_bandwidth_limit_makes_a_clone_slow() {
    let sim = builder().task_duration("qmclone", Duration::ZERO).start().await.unwrap();
    let api = root(&sim);
    let answer = api.post(&format!("{QEMU}/9000/clone"), "newid=120&full=1&bwlimit=100").await;
    let upid = answer.upid();
    let status = api.get(&format!("/nodes/pve1/tasks/{upid}/status")).await.data();
    assert_eq!(status["status"], "running");
    assert!(api.delete(&format!("/nodes/pve1/tasks/{upid}")).await.data().is_null());
    let (exit, log) = api.finish(&upid).await;
    assert!(
        exit.starts_with("clone failed: copy failed: command '/usr/bin/qemu-img convert -p -n -r 100K -f"),
        "{exit}"
    );
    assert!(exit.ends_with(" failed: interrupted by signal"), "{exit}");
    assert!(log.iter().any(|line| line.starts_with("transferred ")), "{log:?}");
    assert!(sim.hand().vm(120).is_none(), "a stopped clone cleans up");
    assert!(!sim.hand().volumes("local").iter().any(|name| name.contains("/vm-120-")));
    assert!(api.delete(&format!("/nodes/pve1/tasks/{upid}")).await.data().is_null(), "stopping it again is fine");
}

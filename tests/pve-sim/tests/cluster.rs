//! Several nodes in one process: what they share, what is each one's own, and moving VMs between them. Beyond one node nothing was
//! recorded: the cases follow the API's schema and the tools' known words.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::too_many_lines, reason = "tests")]

mod common;

use common::{Client, Connection, TINY_BYTES, builder, root, root_at, ticket, with_token};
use pve_sim::{Action, Fault, Sim, SimBuilder, TaskAction};
use serde_json::{Value, json};

const QEMU: &str = "/nodes/pve1/qemu";

fn three() -> SimBuilder {
    builder().nodes(&["pve1", "pve2", "pve3"]).shared_storage("shared", 100 << 30).iso("local", "rescue.iso", 1 << 20)
}

async fn cluster() -> Sim {
    three().start().await.unwrap()
}

/// A VM with a whole disk on its node's own storage.
async fn local_vm(api: &Client<'_>, vmid: u32) {
    api.clone_vm(vmid, "&full=1&name=mover").await;
}

async fn migrate(api: &Client<'_>, vmid: u32, body: &str) -> (String, Vec<String>) {
    let answer = api.post(&format!("{QEMU}/{vmid}/migrate"), body).await;
    let upid = answer.upid();
    assert!(upid.contains(&format!(":qmigrate:{vmid}:")), "{upid}");
    api.finish(&upid).await
}

fn says(log: &[String], text: &str) {
    assert!(log.iter().any(|line| line.ends_with(text)), "{text}: {log:#?}");
}

#[tokio::test]
async fn nodes_share_vmids_and_answer_for_each_other() {
    let sim = cluster().await;
    let nodes = sim.nodes();
    assert_eq!(nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>(), ["pve1", "pve2", "pve3"]);
    assert_ne!(nodes[0].address, nodes[1].address);
    assert_ne!(nodes[0].fingerprint, nodes[1].fingerprint);
    let (one, two) = (root(&sim), root_at(&sim, "pve2"));
    one.clone_vm(101, "").await;
    let upid = two.post("/nodes/pve2/qemu", "vmid=102&name=other").await.upid();
    assert!(upid.starts_with("UPID:pve2:"), "{upid}");
    assert_eq!(one.finish(&upid).await.0, "OK", "the first node tells of the second's task");
    assert_eq!(one.get("/cluster/nextid").await.data(), "100");
    let taken = two.post("/nodes/pve2/qemu", "vmid=101").await;
    assert_eq!(taken.reason, "unable to create VM 101 - VM 101 already exists on node 'pve1'");
    let names = async |api: &Client<'_>, node: &str| {
        let rows = api.get(&format!("/nodes/{node}/qemu")).await.data();
        rows.as_array().unwrap().iter().map(|row| row["vmid"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(names(&two, "pve1").await, [101, 9000]);
    assert_eq!(names(&one, "pve2").await, [102]);
    assert_eq!(names(&two, "localhost").await, [102]);
    let other = one.get(&format!("{QEMU}/102/config")).await;
    assert_eq!(other.reason, "Configuration file 'nodes/pve1/qemu-server/102.conf' does not exist");
    let wrong = one.get(&format!("/nodes/pve1/tasks/{upid}/status")).await;
    assert_eq!((wrong.status, &wrong.json()["errors"]["upid"]), (400, &json!("no such task")));
    let resources = two.get("/cluster/resources?type=vm").await.data();
    let homes: Vec<&str> = resources.as_array().unwrap().iter().map(|row| row["node"].as_str().unwrap()).collect();
    assert_eq!(homes, ["pve1", "pve1", "pve2"]);
    let status = two.get("/cluster/status").await.data();
    assert_eq!(
        (&status[0]["type"], &status[0]["nodes"], &status[0]["quorate"]),
        (&json!("cluster"), &json!(3), &json!(1))
    );
    let local: Vec<u64> = status.as_array().unwrap()[1..].iter().map(|row| row["local"].as_u64().unwrap()).collect();
    assert_eq!(local, [0, 1, 0]);
    let tasks = one.get("/cluster/tasks").await.data();
    assert!(tasks.as_array().unwrap().iter().any(|task| task["node"] == "pve2"));
}

#[tokio::test]
async fn local_storages_are_each_nodes_own_and_shared_ones_are_one() {
    let sim = cluster().await;
    let (one, two) = (root(&sim), root_at(&sim, "pve2"));
    let disk = "vmid=150&filename=vm-150-disk-0.raw&size=1024";
    for storage in ["local", "shared"] {
        assert_eq!(one.post(&format!("/nodes/pve1/storage/{storage}/content"), disk).await.status, 200);
    }
    let volumes = async |storage: &str| {
        let rows = two.get(&format!("/nodes/pve2/storage/{storage}/content?vmid=150")).await.data();
        rows.as_array().unwrap().len()
    };
    assert_eq!((volumes("local").await, volumes("shared").await), (0, 1));
    let shared: Value = two.get("/nodes/pve2/storage?storage=shared").await.data();
    assert_eq!((&shared[0]["shared"], &shared[0]["storage"]), (&json!(1), &json!("shared")));
    let refused = one.post(&format!("{QEMU}/9000/clone"), "newid=105&target=pve2&full=1").await;
    assert_eq!(refused.reason, "Can't clone VM to node 'pve2' (VM uses local storage)");
    one.done(one.post(&format!("{QEMU}/9000/clone"), "newid=105&target=pve2&full=1&storage=shared").await).await;
    assert_eq!(sim.hand().vm(105).unwrap().node, "pve2");
}

#[tokio::test]
async fn an_unreachable_node_is_595_through_the_others_and_closed_to_its_own() {
    let sim = cluster().await;
    let one = root(&sim);
    one.clone_vm(101, "").await;
    assert!(sim.hand().unreachable("pve1", true));
    let two = root_at(&sim, "pve2");
    let gone = two.get("/nodes/pve1/qemu").await;
    assert_eq!((gone.status, gone.reason.as_str(), gone.body.len()), (595, "No route to host", 0));
    let mut conn = Connection::open(&sim).await;
    conn.send(format!("GET /api2/json/version HTTP/1.1\r\n{}\r\n", one.auth).as_bytes()).await;
    assert!(conn.read().await.is_none(), "no answer from the node itself");
    let nodes = two.get("/nodes").await.data();
    assert_eq!((&nodes[0]["status"], &nodes[1]["status"]), (&json!("offline"), &json!("online")));
    let resources = two.get("/cluster/resources?type=vm").await.data();
    assert!(resources.as_array().unwrap().iter().all(|row| row["status"] == "unknown"), "{resources}");
    let status = two.get("/cluster/status").await.data();
    assert_eq!((&status[0]["quorate"], &status[1]["online"]), (&json!(1), &json!(0)));
    assert!(sim.hand().unreachable("pve2", true));
    let three = root_at(&sim, "pve3");
    assert_eq!(three.get("/cluster/status").await.data()[0]["quorate"], 0);
    let refused = three.post("/nodes/pve3/qemu", "vmid=130").await;
    assert_eq!((refused.status, refused.reason.as_str()), (500, "cluster not ready - no quorum?"));
    assert!(sim.hand().unreachable("pve1", false) && sim.hand().unreachable("pve2", false));
    assert_eq!(one.get(&format!("{QEMU}/101/status/current")).await.status, 200);
    assert!(!sim.hand().unreachable("nope", true));
}

#[tokio::test]
async fn a_fault_may_strike_at_one_node_alone() {
    let sim = cluster().await;
    let action = Action::Status { status: 500, reason: "broken".to_owned() };
    sim.faults().add_at("pve2", Fault { method: None, path: "*".into(), skip: 0, times: None, action });
    assert_eq!(root_at(&sim, "pve2").get("/nodes/pve1/status").await.reason, "broken");
    assert_eq!(root(&sim).get("/nodes/pve2/status").await.status, 200);
}

#[tokio::test]
async fn the_preconditions_name_nodes_disks_and_devices() {
    let sim = cluster().await;
    let api = root(&sim);
    local_vm(&api, 101).await;
    let path = format!("{QEMU}/101/migrate");
    let stopped = api.get(&path).await.data();
    assert_eq!(stopped["running"], 0);
    assert_eq!(stopped["allowed_nodes"], json!(["pve2", "pve3"]));
    assert_eq!(stopped["not_allowed_nodes"], json!({}));
    let disks = stopped["local_disks"].as_array().unwrap();
    let disk = disks.iter().find(|disk| disk["volid"] == "local:101/vm-101-disk-0.qcow2").unwrap();
    assert_eq!((&disk["size"], &disk["cdrom"]), (&json!(TINY_BYTES), &json!(0)));
    assert_eq!(stopped["local_resources"], json!([]));
    let root_ticket = ticket(&sim).await;
    let set = root_ticket.put(&format!("{QEMU}/101/config"), "hostpci0=0000%3A01%3A00.0&usb0=spice").await;
    assert_eq!(set.status, 200, "{}", set.reason);
    api.start_vm(101).await;
    let running = api.get(&path).await.data();
    assert_eq!((&running["running"], &running["local_resources"]), (&json!(1), &json!(["hostpci0"])));
    assert!(running.get("allowed_nodes").is_none(), "only told of a stopped VM: {running}");
    let unknown = api.get(&format!("{QEMU}/7777/migrate")).await;
    assert_eq!(unknown.reason, "Configuration file 'nodes/pve1/qemu-server/7777.conf' does not exist");
}

#[tokio::test]
async fn migrations_that_are_refused_at_once() {
    let sim = cluster().await;
    let api = root(&sim);
    local_vm(&api, 101).await;
    let path = format!("{QEMU}/101/migrate");
    let own = api.post(&path, "target=pve1").await;
    assert_eq!((own.status, &own.json()["errors"]["target"]), (400, &json!("target is local node.")));
    assert_eq!(api.post(&path, "target=nope").await.reason, "no such cluster node 'nope'");
    assert_eq!(api.post(&path, "target=pve2&nonsense=1").await.status, 400);
    let far = api.post(&path, "target=pve2&targetstorage=nope").await;
    assert_eq!(far.reason, "storage 'nope' is not available on node 'pve2'");
    let twice = api.post(&path, "target=pve2&targetstorage=shared%2Clocal").await;
    assert_eq!(twice.status, 400);
    let rooted = api.post(&path, "target=pve2&force=1").await;
    assert_eq!(rooted.json()["errors"]["force"], "Only root may use this option.");
    sim.hand().lock_vm(101, Some("backup"));
    assert_eq!(api.post(&path, "target=pve2").await.reason, "VM is locked (backup)");
    sim.hand().lock_vm(101, None);
    api.start_vm(101).await;
    assert_eq!(api.post(&path, "target=pve2").await.reason, "can't migrate running VM without --online");
    let token = sim.add_token("robot@pve", "no", "/vms", &["VM.Audit"]);
    let refused = with_token(&sim, &token).post(&path, "target=pve2").await;
    assert_eq!((refused.status, refused.reason.as_str()), (403, "Permission check failed (/vms/101, VM.Migrate)"));
}

#[tokio::test]
async fn a_stopped_vm_moves_with_its_disks() {
    let sim = cluster().await;
    let api = root(&sim);
    local_vm(&api, 101).await;
    let (exit, log) = migrate(&api, 101, "target=pve2").await;
    assert_eq!(exit, "OK", "{log:#?}");
    says(&log, " starting migration of VM 101 to node 'pve2' (192.168.77.3)");
    says(&log, " found local disk 'local:101/vm-101-disk-0.qcow2' (attached)");
    says(&log, " found generated disk 'local:101/vm-101-cloudinit.qcow2' (in current VM config)");
    assert!(log.iter().any(|line| line.contains(" migration finished successfully (duration 00:00:0")), "{log:#?}");
    let gone = api.get(&format!("{QEMU}/101/config")).await;
    assert_eq!(gone.reason, "Configuration file 'nodes/pve1/qemu-server/101.conf' does not exist");
    let there = api.get("/nodes/pve2/qemu/101/config").await.data();
    assert_eq!(there["name"], "mover");
    assert!(there.get("lock").is_none());
    let left = sim.hand().volumes_on("pve1", "local").into_iter().filter(|name| name.starts_with("101/")).count();
    assert_eq!(left, 0);
    assert!(sim.hand().volumes_on("pve2", "local").contains(&"101/vm-101-disk-0.qcow2".to_owned()));
    assert!(!sim.hand().vm(101).unwrap().running);
    assert_eq!(sim.hand().history().iter().filter(|made| made.vmid == 101).count(), 1, "it was made once");
}

#[tokio::test]
async fn a_running_vm_moves_and_runs_on() {
    let sim = cluster().await;
    let api = root(&sim);
    local_vm(&api, 101).await;
    api.start_vm(101).await;
    let (exit, log) = migrate(&api, 101, "target=pve2&online=1").await;
    assert_eq!(exit, "migration aborted");
    says(
        &log,
        "Problem found while scanning volumes - can't live migrate attached local disks without with-local-disks option",
    );
    assert!(sim.hand().vm(101).unwrap().lock.is_none());
    let (exit, log) = migrate(&api, 101, "target=pve2&online=1&with-local-disks=1&targetstorage=shared").await;
    assert_eq!(exit, "OK", "{log:#?}");
    let vm = sim.hand().vm(101).unwrap();
    assert!(vm.running && vm.node == "pve2");
    assert_eq!(vm.config["scsi0"], "shared:101/vm-101-disk-0.qcow2,size=27592K");
    // On shared storage alone nothing is copied, and no such option is needed.
    let back = root_at(&sim, "pve2").post("/nodes/pve2/qemu/101/migrate", "target=pve3&online=1").await;
    assert_eq!(api.finish(&back.upid()).await.0, "OK");
    assert_eq!(sim.hand().vm(101).unwrap().node, "pve3");
    assert!(sim.hand().volumes("shared").contains(&"101/vm-101-disk-0.qcow2".to_owned()));
}

#[tokio::test]
async fn what_blocks_a_migration_is_in_its_log() {
    let sim = cluster().await;
    let api = root(&sim);
    local_vm(&api, 101).await;
    let cd = "ide0=local%3Aiso%2Frescue.iso%2Cmedia%3Dcdrom";
    assert_eq!(api.put(&format!("{QEMU}/101/config"), cd).await.status, 200);
    let (exit, log) = migrate(&api, 101, "target=pve2").await;
    assert_eq!(exit, "migration aborted");
    says(&log, " can't migrate local disk 'local:iso/rescue.iso': local cdrom image");
    says(&log, " Problem found while scanning volumes - can't migrate VM - check log");
    assert!(sim.hand().vm(101).unwrap().lock.is_none());
    sim.hand().set_config(101, "ide0", None);
    sim.hand().set_config(101, "hostpci0", Some("0000:01:00.0"));
    let (exit, log) = migrate(&api, 101, "target=pve2").await;
    assert_eq!(exit, "migration aborted");
    says(&log, "can't migrate VM which uses local devices: hostpci0");
    sim.hand().set_config(101, "hostpci0", None);
    api.clone_vm(102, "").await;
    let (exit, log) = migrate(&api, 102, "target=pve2").await;
    assert_eq!(exit, "migration aborted");
    says(&log, "as it's a clone of 'base-9000-disk-0.qcow2'");
    sim.hand().leave_free_on("pve2", "local", 1000);
    let (exit, log) = migrate(&api, 101, "target=pve2").await;
    assert_eq!(exit, "migration aborted");
    says(&log, "No space left on device");
    sim.hand().unreachable("pve2", true);
    let (exit, log) = migrate(&api, 101, "target=pve2").await;
    assert_eq!(exit, "migration aborted");
    says(&log, "Can't connect to destination address using public key");
    let vm = sim.hand().vm(101).unwrap();
    assert_eq!((vm.node.as_str(), vm.lock), ("pve1", None));
}

#[tokio::test]
async fn a_stopped_a_failed_and_a_killed_migration_leave_the_vm_where_it_was() {
    let sim = cluster().await;
    let api = root(&sim);
    local_vm(&api, 101).await;
    sim.faults().next_task("qmigrate", TaskAction::Hold);
    let upid = api.post(&format!("{QEMU}/101/migrate"), "target=pve2").await.upid();
    sim.faults().wait_held("qmigrate").await;
    assert_eq!(sim.hand().vm(101).unwrap().lock.as_deref(), Some("migrate"));
    assert_eq!(api.delete(&format!("/nodes/pve1/tasks/{upid}")).await.status, 200);
    let (exit, log) = api.finish(&upid).await;
    assert_eq!(exit, "migration aborted");
    says(&log, "interrupted by signal");
    assert!(sim.hand().vm(101).unwrap().lock.is_none());
    api.start_vm(101).await;
    let fail = TaskAction::Fail { exit: "mirroring error: VM 101 qmp command failed".to_owned(), log: vec![] };
    sim.faults().next_task("qmigrate", fail);
    let (exit, log) = migrate(&api, 101, "target=pve2&online=1&with-local-disks=1").await;
    assert_eq!(exit, "migration problems");
    says(&log, "ERROR: online migrate failure - mirroring error: VM 101 qmp command failed");
    let vm = sim.hand().vm(101).unwrap();
    assert_eq!((vm.node.as_str(), vm.running, vm.lock), ("pve1", true, None));
    sim.faults().next_task("qmigrate", TaskAction::Kill);
    let (exit, _) = migrate(&api, 101, "target=pve2&online=1&with-local-disks=1").await;
    assert_eq!(exit, "unexpected status");
    let vm = sim.hand().vm(101).unwrap();
    assert_eq!((vm.node.as_str(), vm.running, vm.lock.as_deref()), ("pve1", true, Some("migrate")));
}

#[tokio::test]
async fn a_backup_job_leaves_other_nodes_vms_to_them() {
    let sim = cluster().await;
    let api = root(&sim);
    local_vm(&api, 101).await;
    assert!(sim.hand().move_vm(101, "pve2"));
    let silent = api.post("/nodes/pve1/vzdump", "vmid=101&storage=shared").await;
    assert_eq!(silent.data(), "OK", "no task at all");
    let log = api.done(api.post("/nodes/pve2/vzdump", "vmid=101&storage=shared&compress=zstd").await).await;
    assert!(log.iter().any(|line| line.contains("Finished Backup")));
    let seen = api.get("/nodes/pve1/storage/shared/content?content=backup").await.data();
    assert_eq!(seen.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_cluster_outlives_its_process() {
    let dir = tempfile::tempdir().unwrap();
    let sim = three().state_dir(dir.path()).start().await.unwrap();
    local_vm(&root(&sim), 101).await;
    assert!(sim.hand().move_vm(101, "pve3"));
    let fingerprints: Vec<String> = sim.nodes().into_iter().map(|node| node.fingerprint).collect();
    sim.stop().await;
    let sim = three().state_dir(dir.path()).start().await.unwrap();
    assert_eq!(sim.hand().vm(101).unwrap().node, "pve3");
    assert_eq!(sim.nodes().into_iter().map(|node| node.fingerprint).collect::<Vec<_>>(), fingerprints);
    sim.stop().await;
    let other = builder().nodes(&["pve1"]).state_dir(dir.path()).start().await;
    assert!(other.unwrap_err().to_string().contains("the state directory belongs to node"));
}

//! What is read: nodes, storages, tasks, snapshots, pools, the cluster and the guest; keys and types as recorded.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::too_many_lines, reason = "tests")]

mod common;

use std::collections::BTreeSet;

use common::{TINY_BYTES, builder, root, sim};
use pve_sim::{TaskAction, Timings};
use serde_json::{Value, json};

const QEMU: &str = "/nodes/pve1/qemu";

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn find<'a>(rows: &'a Value, key: &str, value: impl Into<Value>) -> &'a Value {
    let value = value.into();
    rows.as_array().unwrap().iter().find(|row| row[key] == value).unwrap_or_else(|| panic!("no {value} in {rows}"))
}

#[tokio::test]
async fn a_list_of_vms_has_these_fields() {
    let sim = sim().await;
    let api = root(&sim);
    let rows = api.get(QEMU).await.data();
    let stopped = [
        "mem", "maxmem", "disk", "uptime", "netout", "cpus", "template", "vmid", "name", "cpu", "status", "serial",
        "netin", "maxdisk",
    ];
    assert_eq!(keys(&rows[0]), BTreeSet::from(stopped));
    assert_eq!((&rows[0]["maxdisk"], &rows[0]["template"]), (&json!(TINY_BYTES), &json!(1)));
    api.clone_vm(101, "").await;
    api.put(&format!("{QEMU}/101/config"), "tags=ci%3Brunner").await.data();
    api.start_vm(101).await;
    let rows = api.get(QEMU).await.data();
    let row = find(&rows, "vmid", 101);
    assert!(row["pid"].is_number() && row["tags"] == "ci;runner" && row.get("qmpstatus").is_none(), "{row}");
    let rows = api.get(&format!("{QEMU}?full=1")).await.data();
    let row = find(&rows, "vmid", 101);
    for key in ["qmpstatus", "nics", "blockstat", "proxmox-support", "running-machine", "running-qemu", "diskread"] {
        assert!(row.get(key).is_some(), "{key}");
    }
}

#[tokio::test]
async fn resources_lag_behind_the_truth_and_then_agree_with_it() {
    let mut timings = Timings::fast();
    timings.resources_lag = std::time::Duration::from_secs(4);
    let sim = builder().timings(timings).start().await.unwrap();
    let api = root(&sim);
    api.clone_vm(101, "&name=lag").await;
    let row = || async {
        let rows = api.get("/cluster/resources?type=vm").await.data();
        find(&rows, "vmid", 101).clone()
    };
    let fresh = row().await;
    assert_eq!((&fresh["status"], fresh.get("name")), (&json!("unknown"), None), "a new VM is unknown at first");
    assert_eq!(find(&api.get(QEMU).await.data(), "vmid", 101)["name"], "lag", "the list is not behind");
    let mut seen = Vec::new();
    common::until("the view has gone to and fro", async || {
        let status = row().await["status"].as_str().unwrap().to_owned();
        if seen.last() != Some(&status) {
            seen.push(status);
        }
        seen.len() >= 3 && seen.last().is_some_and(|last| last == "stopped")
    })
    .await;
    assert_eq!(seen[..3], ["unknown", "stopped", "unknown"], "it goes to and fro");
    // It may be behind once more between two looks.
    common::until("the view to know the name", async || row().await["name"] == "lag").await;
}

#[tokio::test]
async fn a_power_change_shows_at_once_in_the_list_and_late_in_resources() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(101, "").await;
    let resource = || async {
        let rows = api.get("/cluster/resources?type=vm").await.data();
        find(&rows, "vmid", 101)["status"].clone()
    };
    common::until("the new VM is known", async || resource().await == "stopped").await;
    sim.hand().start_vm(101);
    assert_eq!(find(&api.get(QEMU).await.data(), "vmid", 101)["status"], "running");
    common::until("the start is known", async || resource().await == "running").await;
}

#[tokio::test]
async fn the_cluster_and_its_nodes() {
    let sim = sim().await;
    let api = root(&sim);
    let rows = api.get("/cluster/resources").await.data();
    let node = find(&rows, "id", "node/pve1");
    let wanted = [
        "cgroup-mode",
        "cpu",
        "disk",
        "id",
        "level",
        "maxcpu",
        "maxdisk",
        "maxmem",
        "mem",
        "node",
        "status",
        "type",
        "uptime",
    ];
    assert_eq!(keys(node), BTreeSet::from(wanted));
    let storage = find(&rows, "id", "storage/pve1/local");
    let wanted = ["content", "disk", "id", "maxdisk", "node", "plugintype", "shared", "status", "storage", "type"];
    assert_eq!(keys(storage), BTreeSet::from(wanted));
    assert_eq!(find(&rows, "id", "sdn/pve1/localnetwork")["status"], "ok");
    let vm = find(&rows, "id", "qemu/9000");
    assert_eq!((&vm["template"], &vm["status"], &vm["maxcpu"]), (&json!(1), &json!("stopped"), &json!(1)));
    let status = api.get("/cluster/status").await.data();
    assert_eq!(status.as_array().unwrap().len(), 1, "one node alone is no cluster");
    assert_eq!((&status[0]["online"], &status[0]["nodeid"], &status[0]["local"]), (&json!(1), &json!(0), &json!(1)));
    assert_eq!(api.get("/cluster/ha/status/current").await.data()[0]["quorate"], 1);
    assert_eq!(api.get("/cluster/config/nodes").await.data(), json!([]));
    assert_eq!(api.get("/cluster/options").await.data()["mac_prefix"], "BC:24:11");
    let status = api.get("/nodes/pve1/status").await.data();
    assert!(status["loadavg"][0].is_string() && status["cpuinfo"]["mhz"].is_string(), "{status}");
    assert_eq!(keys(&status["memory"]), BTreeSet::from(["free", "total", "used"]));
    assert_eq!(status["pveversion"], "pve-manager/8.4.21/2606ac855a3b1c4f");
    let time = api.get("/nodes/pve1/time").await.data();
    assert!(time["time"].is_number() && time["timezone"] == "Etc/UTC");
    let bridges = api.get("/nodes/pve1/network?type=any_bridge").await.data();
    assert_eq!(
        (&bridges[0]["iface"], &bridges[0]["netmask"], &bridges[0]["active"]),
        (&json!("vmbr0"), &json!("24"), &json!(1))
    );
    assert_eq!(api.get("/nodes/pve1/network").await.data().as_array().unwrap().len(), 2);
    let rrd = api.get("/nodes/pve1/rrddata?timeframe=hour").await.data();
    assert_eq!(rrd.as_array().unwrap().len(), 70);
    assert_eq!(keys(&rrd[0]), BTreeSet::from(["time"]), "before there was anything there is only the time");
    assert!(rrd[69]["memused"].is_number());
    let rrd = api.get(&format!("{QEMU}/9000/rrddata?timeframe=hour")).await.data();
    assert_eq!(keys(&rrd[69]), BTreeSet::from(["time"]));
    for path in ["version", "services", "subscription", "capabilities/qemu/cpu", "lxc"] {
        assert_eq!(api.get(&format!("/nodes/pve1/{path}")).await.status, 200, "{path}");
    }
    assert!(api.get("/nodes/pve1").await.data().as_array().unwrap().contains(&json!({ "name": "qemu" })));
}

#[tokio::test]
async fn storages_and_their_volumes() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(101, "").await;
    let rows = api.get("/nodes/pve1/storage?content=images&enabled=1").await.data();
    let wanted =
        ["active", "avail", "content", "enabled", "shared", "storage", "total", "type", "used", "used_fraction"];
    assert_eq!(keys(find(&rows, "storage", "tiny")), BTreeSet::from(wanted));
    let status = api.get("/nodes/pve1/storage/tiny/status").await.data();
    assert_eq!((&status["total"], &status["used"], &status["avail"]), (&json!(64 << 20), &json!(0), &json!(64 << 20)));
    let rows = api.get("/nodes/pve1/storage/local/content?content=images").await.data();
    let linked = find(&rows, "volid", "local:9000/base-9000-disk-0.qcow2/101/vm-101-disk-0.qcow2");
    assert_eq!((&linked["vmid"], &linked["parent"]), (&json!(101), &json!("../9000/base-9000-disk-0.qcow2")));
    let base = find(&rows, "volid", "local:9000/base-9000-disk-0.qcow2");
    assert!(base["parent"].is_null() && base["size"] == TINY_BYTES && base["format"] == "qcow2");
    let rows = api.get("/nodes/pve1/storage/local/content?content=images&vmid=9000").await.data();
    assert_eq!(rows.as_array().unwrap().len(), 2);
    let unknown = api.get("/nodes/pve1/storage/nosuch/content").await;
    assert_eq!((unknown.status, unknown.reason.as_str()), (500, "storage 'nosuch' does not exist"));
    let content = "/nodes/pve1/storage/local/content";
    let volid = api.post(content, "vmid=101&filename=vm-101-disk-7.qcow2&size=16M&format=qcow2").await.data();
    assert_eq!(volid, "local:101/vm-101-disk-7.qcow2");
    let shown = api.get(&format!("{content}/local:101/vm-101-disk-7.qcow2")).await.data();
    assert_eq!(
        (&shown["path"], &shown["size"]),
        (&json!("/var/lib/vz/images/101/vm-101-disk-7.qcow2"), &json!(16 << 20))
    );
    let over =
        api.post("/nodes/pve1/storage/tiny/content", "vmid=130&filename=vm-130-disk-9.raw&size=1G&format=raw").await;
    assert_eq!(over.data(), "tiny:130/vm-130-disk-9.raw", "a sparse volume may be larger than its storage");
    let answer = api.delete(&format!("{content}/local:101/vm-101-disk-7.qcow2")).await;
    assert!(answer.upid().contains(":imgdel:101@local:"));
    assert_eq!(api.done(answer).await, ["Removed volume 'local:101/vm-101-disk-7.qcow2'", "TASK OK"]);
    let log = api.done(api.delete(&format!("{content}/local:iso/nope.iso")).await).await;
    assert_eq!(log[0], "disk image '/var/lib/vz/template/iso/nope.iso' does not exist");
    let exit = api.failed(api.delete(&format!("{content}/local:9000/base-9000-disk-0.qcow2")).await).await;
    assert_eq!(exit, "base volume '9000/base-9000-disk-0.qcow2' is still in use by linked clones");
    let taken = api.post("/storage", "storage=local&type=dir&path=%2Fx").await;
    assert_eq!(taken.reason, "create storage failed: storage ID 'local' already defined");
    assert_eq!(api.get("/storage/local").await.data()["path"], "/var/lib/vz");
    let url = "content=iso&filename=x.iso&url=http%3A%2F%2F127.0.0.1%3A1%2Fx.iso";
    let answer = api.post("/nodes/pve1/storage/local/download-url", url).await;
    assert!(answer.upid().contains(":download:x.iso:"));
    assert_eq!(api.failed(answer).await, "download failed: Connecting to 127.0.0.1:1... failed: Connection refused.");
}

#[tokio::test]
async fn an_image_is_uploaded_in_parts() {
    let sim = sim().await;
    let api = root(&sim);
    let body = "--b\r\nContent-Disposition: form-data; name=\"content\"\r\n\r\niso\r\n--b\r\nContent-Disposition: form-data; \
                name=\"filename\"; filename=\"up.iso\"\r\nContent-Type: application/octet-stream\r\n\r\nXXXX\r\n--b--\r\n";
    let head = format!(
        "POST /api2/json/nodes/pve1/storage/local/upload HTTP/1.1\r\n{}Content-Type: multipart/form-data; boundary=b\r\n\
         Content-Length: {}\r\n\r\n{body}",
        api.auth,
        body.len()
    );
    let answer = common::raw(&sim, &head).await;
    assert!(answer.upid().contains(":imgcopy::root@pam!sim:"), "the id may be empty");
    let log = api.done(answer).await;
    assert_eq!(log[2], "target file: /var/lib/vz/template/iso/up.iso");
    let rows = api.get("/nodes/pve1/storage/local/content?content=iso").await.data();
    assert_eq!((&rows[0]["volid"], &rows[0]["size"]), (&json!("local:iso/up.iso"), &json!(4)));
}

#[tokio::test]
async fn tasks_are_listed_by_source_status_and_type() {
    let sim = sim().await;
    let api = root(&sim);
    api.failed(api.post(&format!("{QEMU}/9000/status/start"), "").await).await;
    api.clone_vm(101, "").await;
    sim.faults().next_task("qmclone", TaskAction::Hold);
    let held = api.post(&format!("{QEMU}/9000/clone"), "newid=120").await;
    let upid = sim.faults().wait_held("qmclone").await;
    let list = |query: &str| {
        let path = format!("/nodes/pve1/tasks{query}");
        let api = &api;
        async move { api.get(&path).await.json() }
    };
    let active = list("?source=active").await;
    let row = &active["data"][0];
    assert_eq!((&row["status"], &row["user"], &row["saved"]), (&json!("RUNNING"), &json!("root@pam!sim"), &json!("0")));
    assert!(row.get("endtime").is_none() && row.get("tokenid").is_none());
    let archive = list("").await;
    assert_eq!(archive["total"], 2);
    let row = &archive["data"][0];
    assert_eq!(
        (&row["status"], &row["user"], &row["tokenid"], &row["type"]),
        (&json!("OK"), &json!("root@pam"), &json!("sim"), &json!("qmclone"))
    );
    assert_eq!(list("?source=all").await["total"], 3);
    assert_eq!(list("?errors=1").await["data"][0]["status"], "you can't start a vm if it's a template");
    assert_eq!(list("?statusfilter=error&limit=2").await["total"], 1);
    assert_eq!(list("?typefilter=qmclone&limit=2").await["total"], 1);
    assert_eq!(list("?vmid=9000&limit=1").await["data"].as_array().unwrap().len(), 1);
    let all = api.get("/cluster/tasks").await.data();
    assert!(all[0].get("status").is_none() && all[0]["pid"].is_number(), "a running one has no status: {}", all[0]);
    assert_eq!((&all[1]["saved"], &all[1]["status"]), (&json!("1"), &json!("OK")));
    let status =
        api.get(&format!("/nodes/pve1/tasks/{}/status", upid.replace(':', "%3A").replace('!', "%21"))).await.data();
    assert_eq!(
        (&status["status"], &status["tokenid"], &status["id"]),
        (&json!("running"), &json!("sim"), &json!("9000"))
    );
    sim.faults().release();
    api.done(held).await;
}

#[tokio::test]
async fn a_log_gives_fifty_lines_unless_told() {
    let sim = sim().await;
    let api = root(&sim);
    let log = (0..70).map(|number| format!("line {number}")).collect();
    sim.faults().next_task("qmclone", TaskAction::Fail { exit: "told to".into(), log });
    let answer = api.post(&format!("{QEMU}/9000/clone"), "newid=101").await;
    let upid = answer.upid();
    assert_eq!(api.failed(answer).await, "clone failed: told to");
    let page = |query: &str| {
        let path = format!("/nodes/pve1/tasks/{upid}/log{query}");
        let api = &api;
        async move { api.get(&path).await.json() }
    };
    let first = page("").await;
    assert_eq!(first["data"].as_array().unwrap().len(), 50);
    let total = first["total"].as_u64().unwrap();
    let rest = page("?start=50&limit=500").await;
    assert_eq!((&rest["data"][0]["n"], rest["data"].as_array().unwrap().len() as u64), (&json!(51), total - 50));
    assert_eq!(page("?limit=0").await["data"].as_array().unwrap().len() as u64, total);
}

#[tokio::test]
async fn snapshots_form_a_line_and_take_the_vm_back() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(101, "").await;
    let path = format!("{QEMU}/101/snapshot");
    let rows = api.get(&path).await.data();
    assert_eq!(keys(&rows[0]), BTreeSet::from(["name", "description", "digest", "running"]));
    let log = api.done(api.post(&path, "snapname=clean&description=before+tests").await).await;
    assert_eq!(log[0], "snapshotting 'drive-scsi0' (local:9000/base-9000-disk-0.qcow2/101/vm-101-disk-0.qcow2)");
    assert_eq!(api.failed(api.post(&path, "snapname=clean").await).await, "snapshot name 'clean' already used");
    let reserved = api.post(&path, "snapname=current").await;
    assert_eq!(
        (reserved.status, reserved.reason.as_str()),
        (500, "unable to use snapshot name 'current' (reserved name)")
    );
    assert_eq!(api.get(&format!("{QEMU}/101/config")).await.data()["parent"], "clean");
    api.start_vm(101).await;
    let log = api.done(api.post(&path, "snapname=liveram&vmstate=1").await).await;
    assert!(log[1].starts_with("saving VM state and RAM using storage 'local'"), "{log:?}");
    let rows = api.get(&path).await.data();
    assert_eq!(find(&rows, "name", "liveram")["parent"], "clean");
    assert_eq!(
        (&find(&rows, "name", "liveram")["vmstate"], &find(&rows, "name", "clean")["vmstate"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(
        (&find(&rows, "name", "current")["running"], &find(&rows, "name", "current")["parent"]),
        (&json!(1), &json!("liveram"))
    );
    let shown = api.get(&format!("{path}/clean/config")).await.data();
    assert_eq!((&shown["description"], shown["snaptime"].is_number()), (&json!("before tests"), true));
    let unknown = api.get(&format!("{QEMU}/101/config?snapshot=nosnap")).await;
    assert_eq!((unknown.status, unknown.reason.as_str()), (500, "snapshot 'nosnap' does not exist"));
    for (method, place) in [("POST", "nosnap/rollback"), ("DELETE", "nosnap")] {
        let answer = api.call(method, &format!("{path}/{place}"), "").await;
        assert_eq!(api.failed(answer).await, "snapshot 'nosnap' does not exist");
    }
    api.done(api.post(&format!("{path}/clean/rollback"), "").await).await;
    assert!(!sim.hand().vm(101).unwrap().running, "a snapshot without RAM leaves the VM stopped");
    api.done(api.post(&format!("{path}/liveram/rollback"), "start=0").await).await;
    assert!(sim.hand().vm(101).unwrap().running, "one with RAM has it run");
    api.done(api.delete(&format!("{path}/clean")).await).await;
    let rows = api.get(&path).await.data();
    assert!(find(&rows, "name", "liveram").get("parent").is_none());
    let answer = api.post(&format!("{QEMU}/101/clone"), "newid=110&full=1&snapname=liveram&name=from-snap").await;
    api.done(answer).await;
    assert_eq!(sim.hand().vm(110).unwrap().config["scsi0"], "local:110/vm-110-disk-0.qcow2,size=27592K");
}

#[tokio::test]
async fn pools_hold_vms() {
    let sim = sim().await;
    let api = root(&sim);
    assert_eq!(api.get("/pools").await.data(), json!([]));
    assert!(api.post("/pools", "poolid=ci&comment=c").await.data().is_null());
    assert_eq!(api.post("/pools", "poolid=ci").await.reason, "create pool failed: pool 'ci' already exists");
    api.done(api.post(&format!("{QEMU}/9000/clone"), "newid=150&pool=ci&name=pooled").await).await;
    let pool = api.get("/pools/ci").await.data();
    assert_eq!((&pool["comment"], &pool["members"][0]["vmid"]), (&json!("c"), &json!(150)));
    assert_eq!(api.get("/pools?poolid=ci").await.data()[0]["poolid"], "ci");
    let full = api.delete("/pools/ci").await;
    assert_eq!(full.reason, "delete pool failed: pool 'ci' is not empty (contains VM 150)");
    assert!(api.put("/pools/ci", "vms=150&delete=1").await.data().is_null());
    assert!(api.put("/pools/ci", "vms=150").await.data().is_null());
    api.done(api.delete(&format!("{QEMU}/150")).await).await;
    assert!(api.delete("/pools/ci").await.data().is_null(), "a deleted VM left its pool");
}

#[tokio::test]
async fn the_guest_agent_answers_once_the_guest_is_up() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(101, "").await;
    api.done(api.post(QEMU, "vmid=160&memory=64").await).await;
    let ping = |vmid: u32| {
        let api = &api;
        async move { api.post(&format!("{QEMU}/{vmid}/agent/ping"), "").await }
    };
    assert_eq!(ping(160).await.reason, "No QEMU guest agent configured");
    assert_eq!(ping(101).await.reason, "VM 101 is not running");
    api.put(&format!("{QEMU}/101/config"), "ipconfig0=ip%3D10.0.0.5%2F24%2Cgw%3D10.0.0.1").await.data();
    sim.hand().guest_agent(101, false);
    api.start_vm(101).await;
    assert_eq!(ping(101).await.reason, "QEMU guest agent is not running");
    sim.hand().guest_agent(101, true);
    common::until("the guest is up", async || ping(101).await.status == 200).await;
    assert_eq!(ping(101).await.data(), json!({ "result": {} }));
    let nets = api.get(&format!("{QEMU}/101/agent/network-get-interfaces")).await.data();
    let eth = find(&nets["result"], "name", "eth0");
    assert_eq!(eth["ip-addresses"][0]["ip-address"], "10.0.0.5");
    let mac = sim.hand().vm(101).unwrap().config["net0"].as_str().unwrap()[7..24].to_lowercase();
    assert_eq!(eth["hardware-address"], mac);
    let pid = api.post(&format!("{QEMU}/101/agent/exec"), "command=%2Fbin%2Fecho").await.data()["pid"].clone();
    let status = api.get(&format!("{QEMU}/101/agent/exec-status?pid={pid}")).await.data();
    assert_eq!(status, json!({ "exited": 1, "exitcode": 0, "out-data": "\n" }));
    let wrong = api.get(&format!("{QEMU}/101/agent/exec-status?pid=99999")).await;
    assert_eq!(wrong.reason, "Agent error: PID ld does not exist");
    assert_eq!(api.post(&format!("{QEMU}/101/monitor"), "command=info+status").await.data(), "VM status: running\r\n");
    let proxy = api.post(&format!("{QEMU}/101/vncproxy"), "websocket=1").await.data();
    assert_eq!(keys(&proxy), BTreeSet::from(["cert", "password", "port", "ticket", "upid", "user"]));
    assert!(proxy["port"].is_string() && proxy["user"] == "root@pam!sim");
    let feature = api.get(&format!("{QEMU}/101/feature?feature=snapshot")).await.data();
    assert_eq!(feature, json!({ "hasFeature": 1, "nodes": ["pve1"] }));
    let migrate = api.post(&format!("{QEMU}/101/migrate"), "target=nope").await;
    assert_eq!((migrate.status, migrate.reason.as_str()), (500, "no such cluster node 'nope'"));
}

//! Privileges: which are asked for, where, and what a refusal says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::too_many_lines, reason = "tests")]

mod common;

use common::{builder, root, sim, with_token};
use pve_sim::Flavour;
use serde_json::json;

const QEMU: &str = "/nodes/pve1/qemu";
const RUNNER: &[&str] = &[
    "VM.Allocate",
    "VM.Clone",
    "VM.Config.Disk",
    "VM.Config.CPU",
    "VM.Config.Memory",
    "VM.Config.Network",
    "VM.Config.Options",
    "VM.Config.Cloudinit",
    "VM.Config.CDROM",
    "VM.Audit",
    "VM.PowerMgmt",
    "VM.Monitor",
    "VM.Snapshot",
    "Datastore.AllocateSpace",
    "Datastore.Audit",
    "SDN.Use",
    "Sys.Audit",
    "Pool.Audit",
];

#[tokio::test]
async fn without_any_right_everything_is_refused_or_empty() {
    let sim = sim().await;
    let token = sim.add_token("robot@pve", "none", "/", &[]);
    let api = with_token(&sim, &token);
    let cases = [
        ("PUT", "/access/acl", "path=%2F&roles=Administrator&users=robot%40pve", "(/, Permissions.Modify)"),
        ("POST", "/nodes/pve1/qemu/9000/clone", "newid=600", "(/vms/9000, VM.Clone)"),
        ("GET", "/nodes/pve1/qemu/9000/config", "", "(/vms/9000, VM.Audit)"),
        ("GET", "/nodes/pve1/qemu/7777/config", "", "(/vms/7777, VM.Audit)"),
        ("POST", "/nodes/pve1/qemu", "vmid=600", ""),
        ("DELETE", "/nodes/pve1/qemu/9000", "", "(/vms/9000, VM.Allocate)"),
        ("POST", "/nodes/pve1/qemu/9000/status/start", "", "(/vms/9000, VM.PowerMgmt)"),
        ("GET", "/nodes/pve1/status", "", "(/nodes/pve1, Sys.Audit)"),
        ("GET", "/nodes/pve1/storage/local/content", "", "(/storage/local, Datastore.Audit|Datastore.AllocateSpace)"),
        ("POST", "/nodes/pve1/qemu/9000/agent/ping", "", "(/vms/9000, VM.Monitor)"),
    ];
    for (method, path, body, place) in cases {
        let answer = api.call(method, path, body).await;
        let reason = format!("Permission check failed {place}");
        assert_eq!((answer.status, answer.reason.as_str()), (403, reason.trim_end()), "{method} {path}");
        assert_eq!(answer.json()["message"], format!("{}\n", reason.trim_end()));
    }
    for path in ["/nodes/pve1/qemu", "/nodes/pve1/storage", "/nodes/pve1/tasks", "/pools", "/cluster/tasks"] {
        assert_eq!(api.get(path).await.json(), json!({ "data": [] }), "{path}");
    }
    assert_eq!(api.get("/cluster/nextid").await.data(), "100");
    let node = api.get("/nodes").await.data()[0].clone();
    assert!(node.get("maxmem").is_none() && node["status"] == "online", "{node}");
    let resources = api.get("/cluster/resources").await.data();
    let ids: Vec<&str> = resources.as_array().unwrap().iter().filter_map(|row| row["id"].as_str()).collect();
    assert_eq!(ids, ["node/pve1"]);
}

#[tokio::test]
async fn each_missing_privilege_is_named_where_it_is_needed() {
    let net = "net0=virtio%2Cbridge%3Dvmbr0&memory=192&ciuser=x";
    // Missing privilege → what clone, config, status and ping answer ("" for a success).
    let cases = [
        ("VM.Clone", "(/vms/9000, VM.Clone)", "", "", ""),
        ("VM.Allocate", "bare", "", "", ""),
        ("Datastore.AllocateSpace", "(/storage/local, Datastore.AllocateSpace)", "", "", ""),
        ("SDN.Use", "(/sdn/zones/localnetwork/vmbr0, SDN.Use)", "(/sdn/zones/localnetwork/vmbr0, SDN.Use)", "", ""),
        ("VM.Audit", "", "", "(/vms/101, VM.Audit)", ""),
        ("VM.Config.Cloudinit", "", "", "", ""),
        ("VM.Config.Disk", "", "", "", ""),
        ("VM.Config.Network", "", "(/vms/101, VM.Config.Network)", "", ""),
        ("VM.Config.Memory", "", "(/vms/101, VM.Config.Memory)", "", ""),
        ("VM.PowerMgmt", "", "", "", ""),
        ("VM.Monitor", "", "", "", "(/vms/101, VM.Monitor)"),
    ];
    let sim = sim().await;
    root(&sim).clone_vm(101, "").await;
    for (number, (missing, clone, config, status, ping)) in cases.into_iter().enumerate() {
        let privileges: Vec<&str> = RUNNER.iter().copied().filter(|privilege| *privilege != missing).collect();
        let token = sim.add_token(&format!("robot{number}@pve"), "full", "/", &privileges);
        let api = with_token(&sim, &token);
        let reason = |place: &str| match place {
            "bare" => "Permission check failed".to_owned(),
            place => format!("Permission check failed {place}"),
        };
        let target = 200 + number;
        let answer = api.post(&format!("{QEMU}/9000/clone"), &format!("newid={target}&full=1")).await;
        if clone.is_empty() {
            assert!(answer.upid().contains(&format!(":qmclone:9000:robot{number}@pve!full:")));
        } else {
            assert_eq!((answer.status, answer.reason), (403, reason(clone)), "clone without {missing}");
        }
        let calls = [
            (api.put(&format!("{QEMU}/101/config"), net).await, config),
            (api.get(&format!("{QEMU}/101/status/current")).await, status),
        ];
        for (answer, place) in calls {
            if place.is_empty() {
                assert_eq!(answer.status, 200, "without {missing}: {}", answer.reason);
            } else {
                assert_eq!((answer.status, answer.reason), (403, reason(place)), "without {missing}");
            }
        }
        let answer = api.post(&format!("{QEMU}/101/agent/ping"), "").await;
        let wanted = if ping.is_empty() { (500, "VM 101 is not running".to_owned()) } else { (403, reason(ping)) };
        assert_eq!((answer.status, answer.reason), wanted, "ping without {missing}");
    }
    sim.hand().wait_idle().await;
}

#[tokio::test]
async fn a_minimal_role_takes_a_vm_through_its_life() {
    let sim = sim().await;
    let token = sim.add_token("robot@pve", "full", "/", RUNNER);
    let api = with_token(&sim, &token);
    api.done(api.post(&format!("{QEMU}/9000/clone"), "newid=193&full=1&name=by-robot").await).await;
    let body = "memory=300&ciuser=u&ipconfig0=ip%3Ddhcp&net0=virtio%2Cbridge%3Dvmbr0";
    api.put(&format!("{QEMU}/193/config"), body).await.data();
    api.start_vm(193).await;
    assert_eq!(api.get(QEMU).await.data().as_array().unwrap().len(), 2);
    api.done(api.post(&format!("{QEMU}/193/status/stop"), "").await).await;
    api.done(api.delete(&format!("{QEMU}/193")).await).await;
}

#[tokio::test]
async fn the_guest_agent_of_9_1_has_privileges_of_its_own() {
    let sim = builder().version(Flavour::V9_1).start().await.unwrap();
    root(&sim).clone_vm(101, "").await;
    let none = with_token(&sim, &sim.add_token("a@pve", "t", "/", &["VM.Audit"]));
    let refused = none.post(&format!("{QEMU}/101/agent/ping"), "").await;
    let reason = "Permission check failed (/vms/101, VM.GuestAgent.Audit|VM.GuestAgent.Unrestricted)";
    assert_eq!((refused.status, refused.reason.as_str()), (403, reason));
    let audit = with_token(&sim, &sim.add_token("b@pve", "t", "/", &["VM.GuestAgent.Audit"]));
    assert_eq!(audit.post(&format!("{QEMU}/101/agent/ping"), "").await.reason, "VM 101 is not running");
    assert_eq!(audit.post(&format!("{QEMU}/101/agent/exec"), "command=%2Fbin%2Fecho").await.status, 403);
}

#[tokio::test]
async fn users_tokens_and_roles_are_managed_as_by_hand() {
    let sim = sim().await;
    let api = root(&sim);
    let user = "userid=robot%40pve&password=PASSWORD&comment=acceptance+robot";
    assert!(api.post("/access/users", user).await.data().is_null());
    let again = api.post("/access/users", "userid=robot%40pve").await;
    assert_eq!((again.status, again.reason.as_str()), (500, "create user failed: user 'robot@pve' already exists"));
    let privileges = RUNNER.join("+");
    assert!(api.post("/access/roles", &format!("roleid=Runner&privs={privileges}")).await.data().is_null());
    let made = api.post("/access/users/robot@pve/token/full", "privsep=0").await.data();
    assert_eq!((&made["full-tokenid"], &made["info"]["privsep"]), (&json!("robot@pve!full"), &json!("0")));
    let apart = api.post("/access/users/robot@pve/token/noperm", "privsep=1&comment=no+ACL").await.data();
    assert_eq!(apart["info"], json!({ "privsep": "1", "comment": "no ACL" }));
    let twice = api.post("/access/users/robot@pve/token/full", "privsep=0").await;
    assert_eq!(twice.json()["errors"], json!({ "tokenid": "Token already exists." }));
    assert!(api.put("/access/acl", "path=%2F&users=robot%40pve&roles=Runner&propagate=1").await.data().is_null());
    let acl = api.get("/access/acl").await.data();
    let wanted = json!([{ "path": "/", "ugid": "robot@pve", "type": "user", "roleid": "Runner", "propagate": 1 }]);
    assert_eq!(acl, wanted);
    let tokens = api.get("/access/users/robot@pve/token").await.data();
    assert_eq!(tokens[0], json!({ "tokenid": "full", "privsep": 0, "expire": 0 }));
    let full = with_token(&sim, &format!("robot@pve!full={}", made["value"].as_str().unwrap()));
    let held = full.get("/access/permissions").await.data();
    let paths: Vec<&String> = held.as_object().unwrap().keys().collect();
    assert_eq!(paths, ["/", "/access", "/access/groups", "/nodes", "/pool", "/sdn", "/storage", "/vms"]);
    let names: Vec<&String> = held["/vms"].as_object().unwrap().keys().collect();
    let mut sorted = RUNNER.to_vec();
    sorted.sort_unstable();
    assert_eq!(names, sorted.iter().collect::<Vec<_>>());
    let separated = with_token(&sim, &format!("robot@pve!noperm={}", apart["value"].as_str().unwrap()));
    assert_eq!(separated.get("/access/permissions").await.data(), json!({}));
    assert!(api.delete("/access/users/robot@pve/token/full").await.data().is_null());
    assert_eq!(full.get("/version").await.status, 401);
    assert!(api.delete("/access/users/robot@pve").await.data().is_null());
    let roles = api.get("/access/roles").await.data();
    let role = |id: &str| roles.as_array().unwrap().iter().find(|role| role["roleid"] == id).unwrap().clone();
    assert_eq!((&role("Administrator")["special"], &role("Runner")["special"]), (&json!(1), &json!(0)));
    assert_eq!(role("PVETemplateUser")["privs"], "VM.Audit,VM.Clone");
}

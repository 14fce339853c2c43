//! State survives: a stop, a kill in mid-clone, and the program's own signals.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::too_many_lines, reason = "tests")]

mod common;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use common::{builder, root};
use pve_sim::{Sim, TaskAction};
use serde_json::{Value, json};

const QEMU: &str = "/nodes/pve1/qemu";

#[tokio::test]
async fn a_stopped_server_comes_back_with_everything() {
    let dir = tempfile::tempdir().unwrap();
    let first = builder().state_dir(dir.path()).start().await.unwrap();
    let fingerprint = first.fingerprint().to_owned();
    let robot = first.add_token("robot@pve", "t", "/", &["VM.Audit"]);
    root(&first).clone_vm(101, "&full=1").await;
    root(&first).start_vm(101).await;
    root(&first).put(&format!("{QEMU}/101/config"), "description=kept").await.data();
    first.faults().next_task("qmclone", TaskAction::Hold);
    let upid = root(&first).post(&format!("{QEMU}/9000/clone"), "newid=120").await.upid();
    first.faults().wait_held("qmclone").await;
    first.stop().await;

    let second = builder().state_dir(dir.path()).start().await.unwrap();
    assert_eq!(second.fingerprint(), fingerprint, "the certificate is kept");
    let kept = second.hand().vm(101).unwrap();
    assert!(kept.running && kept.config["description"] == "kept");
    let status = root(&second).get(&format!("/nodes/pve1/tasks/{upid}/status")).await.data();
    assert_eq!((&status["status"], &status["exitstatus"]), (&json!("stopped"), &json!("unexpected status")));
    assert_eq!(second.hand().vm(120).unwrap().lock.as_deref(), Some("clone"), "its lock is left over");
    let refused = root(&second).failed(root(&second).delete(&format!("{QEMU}/120")).await).await;
    assert_eq!(refused, "VM is locked (clone)");
    assert_eq!(common::with_token(&second, &robot).get(&format!("{QEMU}/101/config")).await.status, 200);
    let made: Vec<u32> = second.hand().history().iter().map(|made| made.vmid).collect();
    assert_eq!(made, [9000, 101, 120]);
}

#[tokio::test]
async fn a_state_of_another_node_or_of_nobody_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    builder().state_dir(dir.path()).start().await.unwrap().stop().await;
    let other = builder().node("pve2").state_dir(dir.path()).start().await.unwrap_err();
    assert!(other.to_string().contains("belongs to node"), "{other}");
    std::fs::write(dir.path().join("state.json"), "{").unwrap();
    let broken = builder().state_dir(dir.path()).start().await.unwrap_err();
    assert!(broken.to_string().contains("delete it to start afresh"), "{broken}");
}

struct Program {
    child: Child,
    ready: Value,
}

impl Program {
    fn start(dir: &Path, more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_pve-sim"))
            .args(["--listen", "127.0.0.1:0", "--fast", "--token", "root@pam!demo=secret", "--state"])
            .arg(dir)
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, ready: serde_json::from_str(&line).unwrap() }
    }

    async fn call(&self, dir: &Path, method: reqwest::Method, path: &str, body: &'static str) -> (u16, Value) {
        let pem = std::fs::read(dir.join("pve-ssl.pem")).unwrap();
        let certificate = reqwest::Certificate::from_pem(&pem).unwrap();
        let client = reqwest::Client::builder().tls_certs_only([certificate]).build().unwrap();
        let url = format!("{}/api2/json{path}", self.ready["url"].as_str().unwrap());
        let request = client.request(method, url).header("Authorization", "PVEAPIToken=root@pam!demo=secret");
        let request = request.header("Content-Type", "application/x-www-form-urlencoded");
        let answer = if body.is_empty() { request } else { request.body(body) }.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already, which is what the tests are about.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test]
async fn kill_9_in_mid_clone_leaves_a_dead_task_and_a_lock() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let dir = tempfile::tempdir().unwrap();
    let mut program = Program::start(dir.path(), &["--task-duration", "qmclone=600000"]);
    assert_eq!(program.ready["node"], "pve1");
    let (status, answer) =
        program.call(dir.path(), reqwest::Method::POST, &format!("{QEMU}/9000/clone"), "newid=101&full=1").await;
    assert_eq!(status, 200, "{answer}");
    let upid = answer["data"].as_str().unwrap().to_owned();
    common::until("the clone has its lock", async || {
        let path = format!("{QEMU}/101/config");
        let (status, answer) = program.call(dir.path(), reqwest::Method::GET, &path, "").await;
        status == 200 && answer["data"]["lock"] == "clone" && answer["data"].get("ide2").is_some()
    })
    .await;
    program.child.kill().unwrap();
    program.child.wait().unwrap();

    let mut program = Program::start(dir.path(), &[]);
    let path = format!("/nodes/pve1/tasks/{upid}/status");
    let (_, answer) = program.call(dir.path(), reqwest::Method::GET, &path, "").await;
    assert_eq!(answer["data"]["exitstatus"], "unexpected status");
    let (_, answer) = program.call(dir.path(), reqwest::Method::GET, &format!("{QEMU}/101/config"), "").await;
    assert_eq!(answer["data"]["lock"], "clone");

    let ended = Command::new("kill").args(["-TERM", &program.child.id().to_string()]).status().unwrap();
    assert!(ended.success());
    assert!(program.child.wait().unwrap().success(), "SIGTERM is a clean end");
}

#[tokio::test]
async fn one_program_is_a_whole_cluster() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let dir = tempfile::tempdir().unwrap();
    let more = [
        "--nodes",
        "pve1,pve2",
        "--storage",
        "local:100G",
        "--shared-storage",
        "shared:10G",
        "--iso",
        "local:rescue.iso:1M",
    ];
    let program = Program::start(dir.path(), &more);
    let nodes = program.ready["nodes"].as_array().unwrap();
    assert_eq!((&nodes[0]["node"], &nodes[1]["node"]), (&json!("pve1"), &json!("pve2")));
    assert_eq!(nodes[0]["url"], program.ready["url"]);
    assert_ne!(nodes[0]["url"], nodes[1]["url"]);
    assert_ne!(nodes[0]["fingerprint"], nodes[1]["fingerprint"]);
    let (status, answer) =
        program.call(dir.path(), reqwest::Method::GET, "/nodes/pve2/storage?content=images", "").await;
    assert_eq!(status, 200, "{answer}");
    let names: Vec<&str> =
        answer["data"].as_array().unwrap().iter().map(|row| row["storage"].as_str().unwrap()).collect();
    assert_eq!(names, ["local", "shared"]);
    let isos = "/nodes/pve1/storage/local/content?content=iso";
    let (_, answer) = program.call(dir.path(), reqwest::Method::GET, isos, "").await;
    assert_eq!(answer["data"][0]["volid"], "local:iso/rescue.iso");
}

#[test]
fn a_bad_argument_is_named() {
    for (arguments, text) in [
        (["--template", "x:y"], "must be a number"),
        (["--token", "root"], "must look like"),
        (["--storage", "local:many"], "is no size"),
        (["--flavour", "7"], "use 8.4 or 9.1"),
        (["--iso", "rescue.iso"], "it has no storage"),
        (["--nodes", "pve1,pve1"], "two nodes named 'pve1'"),
        (["--task-duration", "qmclone"], "must look like"),
    ] {
        let out = Command::new(env!("CARGO_BIN_EXE_pve-sim")).args(arguments).output().unwrap();
        assert!(!out.status.success());
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(said.contains(text), "{arguments:?}: {said}");
    }
}

#[tokio::test]
async fn what_does_not_fit_together_is_refused_at_the_start() {
    let missing = Sim::builder().template(9000, "x", 1 << 30, "nowhere").start().await.unwrap_err();
    assert_eq!(missing.to_string(), "template 9000: there is no storage 'nowhere'");
    let name = Sim::builder().node("no name").start().await.unwrap_err();
    assert!(name.to_string().contains("is no name for a node"), "{name}");
}

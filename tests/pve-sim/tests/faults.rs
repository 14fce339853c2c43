//! What tests inject: faults on requests and tasks, gates, changes by hand; through the crate and the control port.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::too_many_lines, reason = "tests")]

mod common;

use common::{Connection, builder, root, sim};
use pve_sim::{Action, Fault, TaskAction};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const QEMU: &str = "/nodes/pve1/qemu";

#[tokio::test]
async fn a_status_can_be_put_in_the_place_of_an_answer() {
    let sim = sim().await;
    let api = root(&sim);
    let cases = [
        (500, "got timeout", false),
        (595, "Connection refused", true),
        (596, "tls_process_server_certificate: certificate verify failed", false),
        (599, "Too many redirections", true),
    ];
    for (status, reason, empty) in cases {
        sim.faults().next("POST", "/nodes/*/qemu/*/clone", 1, Action::Status { status, reason: reason.into() });
        let answer = api.post(&format!("{QEMU}/9000/clone"), "newid=101").await;
        assert_eq!((answer.status, answer.reason.as_str()), (status, reason));
        assert_eq!(answer.body.is_empty(), empty);
    }
    assert!(sim.hand().vm(101).is_none(), "nothing was done");
    api.clone_vm(101, "").await;
    assert_eq!(sim.faults().count("POST", "/nodes/*/qemu/*/clone"), 5);
    sim.faults().next("GET", "/version", 1, Action::Html { status: 502 });
    let page = api.get("/version").await;
    assert_eq!((page.status, page.header("Content-Type")), (502, Some("text/html")));
    assert!(page.text().starts_with("<html>"));
}

#[tokio::test]
async fn an_answer_can_be_lost_after_the_deed() {
    let sim = sim().await;
    let api = root(&sim);
    let text = format!("POST /api2/json{QEMU}/9000/clone HTTP/1.1\r\n{}Content-Length: 9\r\n\r\nnewid=101", api.auth);
    sim.faults().next("POST", "*", 1, Action::LoseAnswer);
    let mut conn = Connection::open(&sim).await;
    conn.send(text.as_bytes()).await;
    assert!(conn.read().await.is_none(), "no answer");
    sim.hand().wait_idle().await;
    assert!(sim.hand().vm(101).is_some(), "but a VM");
    sim.faults().next("POST", "*", 1, Action::Close);
    let mut conn = Connection::open(&sim).await;
    conn.send(text.replace("newid=101", "newid=102").as_bytes()).await;
    assert!(conn.read().await.is_none());
    assert!(sim.hand().vm(102).is_none(), "closed before anything was done");
    sim.faults().next("GET", "*", 1, Action::CloseMidBody);
    let cut = api.get(QEMU).await;
    let length: usize = cut.header("Content-Length").unwrap().parse().unwrap();
    assert_eq!(cut.body.len(), length / 2);
    assert_eq!(sim.faults().calls().iter().filter(|call| call.status == 0).count(), 2);
}

#[tokio::test]
async fn a_request_can_hang_until_the_server_stops() {
    let sim = sim().await;
    sim.faults().next("GET", "/version", 1, Action::Hang);
    let mut conn = Connection::open(&sim).await;
    conn.send(format!("GET /api2/json/version HTTP/1.1\r\n{}\r\n", root(&sim).auth).as_bytes()).await;
    common::until("the call came", async || sim.faults().count("GET", "/version") == 1).await;
    sim.stop().await;
    assert!(conn.is_closed().await);
}

#[tokio::test]
async fn answers_can_be_of_a_release_nobody_knows() {
    let sim = sim().await;
    let api = root(&sim);
    sim.faults().next("GET", "*", 1, Action::UnknownFields);
    let rows = api.get(QEMU).await.data();
    assert!(rows[0]["x-new-in-next-release"].is_object() && rows[0]["vmid"] == 9000);
    sim.faults().next("GET", "*", 1, Action::NumbersAsStrings);
    assert_eq!(api.get(QEMU).await.data()[0]["vmid"], "9000");
    sim.faults().next("GET", "*", 1, Action::Garbage);
    let answer = api.get(QEMU).await;
    assert!(answer.status == 200 && serde_json::from_slice::<Value>(&answer.body).is_err());
    sim.faults().add(Fault {
        method: None,
        path: "/version".into(),
        skip: 1,
        times: None,
        action: Action::Delay { ms: 1 },
    });
    for _ in 0..3 {
        assert_eq!(api.get("/version").await.status, 200);
    }
    sim.faults().clear();
}

#[tokio::test]
async fn tasks_fail_warn_vanish_or_die_on_request() {
    let sim = sim().await;
    let api = root(&sim);
    let clone = |vmid: u32| {
        let api = &api;
        async move { api.post(&format!("{QEMU}/9000/clone"), &format!("newid={vmid}")).await }
    };
    sim.faults().next_task("qmclone", TaskAction::Fail { exit: "out of luck".into(), log: vec!["a line".into()] });
    let (exit, log) = api.finish(&clone(101).await.upid()).await;
    assert_eq!(exit, "clone failed: out of luck");
    assert!(log.contains(&"a line".to_owned()));
    assert!(sim.hand().vm(101).is_none(), "it cleaned up");
    sim.faults().next_task("qmclone", TaskAction::Warnings { count: 1 });
    let (exit, log) = api.finish(&clone(102).await.upid()).await;
    assert_eq!((exit.as_str(), log.last().unwrap().as_str()), ("WARNINGS: 1", "TASK WARNINGS: 1"));
    assert_eq!(sim.hand().vm(102).unwrap().lock, None);
    sim.faults().next_task("qmclone", TaskAction::Kill);
    let (exit, log) = api.finish(&clone(103).await.upid()).await;
    assert_eq!(exit, "unexpected status");
    assert!(!log.last().unwrap().starts_with("TASK"), "a killed worker says nothing");
    assert_eq!(sim.hand().vm(103).unwrap().lock.as_deref(), Some("clone"));
    sim.faults().next_task("qmclone", TaskAction::Vanish);
    let upid = clone(104).await.upid();
    sim.hand().wait_idle().await;
    let answer = api.get(&format!("/nodes/pve1/tasks/{upid}/status")).await;
    assert_eq!(answer.json()["errors"]["upid"], "no such task");
    assert!(sim.hand().vm(104).is_some(), "it did its work");
    sim.faults().next_task("qmclone", TaskAction::Slow { ms: 1 });
    api.done(clone(105).await).await;
}

#[tokio::test]
async fn things_happen_behind_ones_back() {
    let sim = sim().await;
    let (api, hand) = (root(&sim), sim.hand());
    assert!(hand.create_vm(101, "foreign") && !hand.create_vm(101, "again"));
    let taken = api.post(&format!("{QEMU}/9000/clone"), "newid=101").await;
    assert_eq!(taken.reason, "unable to create VM 101: config file already exists");
    assert!(hand.rename_vm(101, "other") && hand.start_vm(101));
    let shown = api.get(&format!("{QEMU}/101/status/current")).await.data();
    assert_eq!((&shown["name"], &shown["status"]), (&json!("other"), &json!("running")));
    assert!(hand.pause_vm(101, true) && hand.stop_vm(101) && hand.lock_vm(101, Some("backup")));
    let locked = api.put(&format!("{QEMU}/101/config"), "memory=64").await;
    assert_eq!(locked.reason, "VM is locked (backup)");
    assert!(hand.delete_vm(101) && !hand.delete_vm(101) && !hand.stop_vm(101));
    let how: Vec<String> = hand.history().into_iter().map(|made| made.how).collect();
    assert_eq!(how, ["template", "hand"]);
    api.clone_vm(102, "").await;
    let (upid, _) = hand.tasks().pop().unwrap();
    assert!(hand.forget_task(&upid) && !hand.forget_task(&upid));
}

async fn control(sim: &pve_sim::Sim, method: &str, path: &str, body: &str) -> (u16, Value) {
    let (address, secret) = sim.control().unwrap();
    let text = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {secret}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    plain(address, &text).await
}

async fn plain(address: std::net::SocketAddr, text: &str) -> (u16, Value) {
    let mut tcp = tokio::net::TcpStream::connect(address).await.unwrap();
    tcp.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    (status, serde_json::from_str(body).unwrap())
}

#[tokio::test]
async fn the_control_port_does_the_same_for_another_process() {
    let sim = builder().control("127.0.0.1:0").start().await.unwrap();
    let api = root(&sim);
    let (address, _) = sim.control().unwrap();
    let (status, _) = plain(address, "GET /state HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    assert_eq!(status, 401, "not without the secret");
    let fault =
        r#"{"method":"GET","path":"/version","times":1,"action":{"do":"status","status":500,"reason":"told to"}}"#;
    assert_eq!(control(&sim, "POST", "/faults", fault).await.0, 200);
    assert_eq!(api.get("/version").await.reason, "told to");
    let hold = r#"{"kind":"qmclone","times":1,"action":{"do":"hold"}}"#;
    assert_eq!(control(&sim, "POST", "/task-faults", hold).await.0, 200);
    let clone = api.post(&format!("{QEMU}/9000/clone"), "newid=101").await;
    common::until("the clone is held", async || control(&sim, "GET", "/held", "").await.1 != json!([])).await;
    assert_eq!(control(&sim, "POST", "/release", "").await.0, 200);
    api.done(clone).await;
    let (_, count) = control(&sim, "GET", "/count?method=POST&path=/nodes/*/qemu/*/clone", "").await;
    assert_eq!(count, json!({ "count": 1 }));
    for (body, status) in [
        (r#"{"do":"create","vmid":200,"name":"x"}"#, 200),
        (r#"{"do":"create","vmid":200,"name":"x"}"#, 409),
        (r#"{"do":"start","vmid":200}"#, 200),
        (r#"{"do":"lock","vmid":200,"lock":"backup"}"#, 200),
        (r#"{"do":"stop","vmid":201}"#, 404),
        (r#"{"do":"paint","vmid":200}"#, 400),
        (r#"{"do":"stop","vmid":200,"why":1}"#, 400),
    ] {
        let (got, answer) = control(&sim, "POST", "/vm", body).await;
        assert_eq!(got, status, "{body}: {answer}");
    }
    let (_, history) = control(&sim, "GET", "/history", "").await;
    assert_eq!(history.as_array().unwrap().len(), 3);
    assert_eq!(control(&sim, "POST", "/storage", r#"{"storage":"tiny","free_bytes":0}"#).await.0, 200);
    assert_eq!(api.get("/nodes/pve1/storage/tiny/status").await.data()["avail"], 0);
    let (_, state) = control(&sim, "GET", "/state", "").await;
    assert!(state["nodes"]["pve1"]["vms"]["200"].is_object());
    assert_eq!(control(&sim, "DELETE", "/faults", "").await.0, 200);
    assert_eq!(control(&sim, "GET", "/nothing", "").await.0, 404);
    let open = builder().control("0.0.0.0:0").start().await.err().map(|err| err.to_string());
    assert!(open.is_some_and(|text| text.contains("loopback")), "never on an address others can reach");
}

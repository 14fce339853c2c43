//! Consoles relayed to the control plane and back, against the simulated server's own screens and terminals.

use std::sync::Arc;

use mpanel_tests::pve_rig::{Rig, patience, run_simulated, sim_config};
use node_agent::proxmox::{Operation, Target};
use proto::agent::v1::console_frame::Body;
use proto::agent::v1::control_message::Body as Down;
use proto::agent::v1::{ConsoleFrame, ConsoleKind, ConsoleOpened, OpenConsole, Welcome};
use pve_sim::{Flavour, SimConfig};

use super::plane::{Plane, Relayed, SOON};

const SECRET: &str = "a-secret-of-this-console";

fn open(target: Target, kind: ConsoleKind) -> Down {
    Down::OpenConsole(OpenConsole {
        console_id: SECRET.to_owned(),
        vmid: target.vmid,
        pod_id: target.pod_id.to_string(),
        kind: kind.into(),
        deadline_ms: node_agent::clock::now_ms() + i64::try_from(patience().as_millis()).unwrap(),
    })
}

/// The console's first two frames.
async fn opened(plane: &mut Plane) -> (Relayed, ConsoleOpened) {
    let relayed = tokio::time::timeout(SOON, plane.relayed.recv()).await.expect("no console came");
    let mut relayed = relayed.expect("the agent goes on");
    assert_eq!(relayed.next().await.body, Some(Body::ConsoleId(SECRET.to_owned())));
    match relayed.next().await.body {
        Some(Body::Opened(opened)) => (relayed, opened),
        other => panic!("the second frame tells whether it is open: {other:?}"),
    }
}

async fn say(relayed: &Relayed, bytes: &[u8]) {
    let frame = ConsoleFrame { body: Some(Body::Data(bytes.to_vec().into())) };
    relayed.to_agent.send(Ok(frame)).await.expect("the agent listens");
}

/// Reads until as many bytes as these have come, and they are these.
async fn hears(relayed: &mut Relayed, expected: &[u8]) {
    let mut heard = Vec::new();
    while heard.len() < expected.len() {
        match relayed.next().await.body {
            Some(Body::Data(data)) => heard.extend_from_slice(&data),
            other => panic!("{other:?} after {:?}", String::from_utf8_lossy(&heard)),
        }
    }
    assert_eq!(String::from_utf8_lossy(&heard), String::from_utf8_lossy(expected));
}

async fn running(rig: &Rig) -> Target {
    let target = rig.vm().await;
    rig.drive(target, Operation::Start).await.unwrap();
    target
}

#[tokio::test]
async fn a_screen_is_relayed_both_ways_and_ends_with_the_control_planes_word() {
    run_simulated(sim_config(), async |rig: Arc<Rig>| {
        let target = running(&rig).await;
        let mut plane = Plane::start(&rig, Welcome::default()).await;
        plane.order(open(target, ConsoleKind::Vnc)).await;
        let (mut relayed, opened) = opened(&mut plane).await;
        assert!(opened.error.is_empty() && !opened.password.is_empty(), "{opened:?}");
        hears(&mut relayed, b"RFB 003.008\n").await;
        say(&relayed, b"RFB 003.008\n").await;
        hears(&mut relayed, &[1, 2]).await;
        relayed.to_agent.send(Ok(ConsoleFrame { body: Some(Body::Closed("seen enough".to_owned())) })).await.unwrap();
        assert_eq!(relayed.next().await.body, Some(Body::Closed("seen enough".to_owned())));
        assert!(relayed.from_agent.message().await.unwrap().is_none(), "nothing follows");
        // Proxmox's side is closed too: its task ends.
        tokio::time::timeout(SOON, rig.sim().hand().wait_idle()).await.expect("the proxy's task goes on");
        plane.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_terminal_is_logged_in_before_it_is_told_open() {
    run_simulated(SimConfig { flavour: Flavour::V9_1, ..sim_config() }, async |rig: Arc<Rig>| {
        let target = running(&rig).await;
        rig.sim().hand().set_config(target.vmid, "serial0", Some("socket"));
        let mut plane = Plane::start(&rig, Welcome::default()).await;
        plane.order(open(target, ConsoleKind::Terminal)).await;
        let (mut relayed, opened) = opened(&mut plane).await;
        assert!(opened.error.is_empty() && opened.password.is_empty(), "{opened:?}");
        let prompt = format!("\r\nmpanel-test-{} login: ", target.vmid);
        hears(&mut relayed, prompt.as_bytes()).await;
        say(&relayed, b"0:4:anna").await;
        hears(&mut relayed, b"anna").await;
        // When the agent stops, the console is closed in order.
        plane.stop().await;
        match relayed.next().await.body {
            Some(Body::Closed(why)) => assert!(why.contains("session"), "{why}"),
            other => panic!("{other:?}"),
        }
        tokio::time::timeout(SOON, rig.sim().hand().wait_idle()).await.expect("the proxy's task goes on");
    })
    .await;
}

#[tokio::test]
async fn a_console_that_cannot_be_opened_says_why() {
    run_simulated(sim_config(), async |rig: Arc<Rig>| {
        let (stopped, target) = (rig.vm().await, running(&rig).await);
        let mut plane = Plane::start(&rig, Welcome::default()).await;
        let cases =
            [(stopped, ConsoleKind::Vnc, "does not run"), (rig.rival(target), ConsoleKind::Vnc, "belongs to the pod")];
        for (target, kind, words) in cases {
            plane.order(open(target, kind)).await;
            let (mut relayed, opened) = opened(&mut plane).await;
            assert!(opened.error.contains(words), "{opened:?}");
            let after = tokio::time::timeout(SOON, relayed.from_agent.message()).await.unwrap().unwrap();
            assert!(after.is_none(), "{after:?}");
            drop(relayed.to_agent);
        }
        plane.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_bounded_number_of_consoles_is_open_at_once() {
    run_simulated(sim_config(), async |rig: Arc<Rig>| {
        let target = running(&rig).await;
        let mut plane = Plane::start(&rig, Welcome::default()).await;
        let mut held = Vec::new();
        for _ in 0..16 {
            plane.order(open(target, ConsoleKind::Vnc)).await;
            let (relayed, opened) = opened(&mut plane).await;
            assert!(opened.error.is_empty(), "{opened:?}");
            held.push(relayed);
        }
        plane.order(open(target, ConsoleKind::Vnc)).await;
        let (_relayed, refused) = opened(&mut plane).await;
        assert!(refused.error.contains("16 consoles"), "{refused:?}");
        drop(held);
        plane.stop().await;
    })
    .await;
}

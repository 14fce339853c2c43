//! The life of a session: welcome, heartbeats, inventory, silence, shutdown.

use std::time::Duration;

use control_plane::domain::jobs::command::NotConnected;
use control_plane::domain::jobs::{AgentCommand, AgentPort as _, CommandKind, Order};
use control_plane::domain::servers::{CheckState, ConnectionState, ProbeSpec, Prober as _};
use control_plane::ids::{CloudPodId, CommandId};
use mpanel_tests::channel::{SOON, hello};
use mpanel_tests::eventually;
use proto::agent::v1 as wire;
use proto::agent::v1::agent_message::Body as Up;
use proto::agent::v1::control_message::Body as Down;

use super::{everywhere, everywhere_with};

fn heartbeat() -> wire::Heartbeat {
    wire::Heartbeat {
        cpu_threads: 8,
        memory_total_mib: 16_384,
        memory_used_mib: 1_024,
        pve_version: "8.4.21".into(),
        node_name: "pve1".into(),
        quorate: true,
        ..Default::default()
    }
}

#[tokio::test]
async fn a_session_brings_a_server_online_and_its_end_takes_it_offline() {
    everywhere(async |plane| {
        let (server, identity) = plane.agent("pve1").await;
        assert_eq!(plane.show(&server).await.connection.state, ConnectionState::Pending);
        let (mut agent, welcome) = plane.session(&identity, hello("m")).await.unwrap();
        assert!(welcome.session_epoch > server.seen.session_epoch);
        assert_eq!((welcome.heartbeat_ms, welcome.inventory_ms), (10_000, 300_000));
        let shown = plane.show(&server).await;
        assert_eq!(shown.connection.state, ConnectionState::Online);
        assert_eq!(shown.seen.agent_version.as_deref(), Some("1.2.3"));

        let inventory = wire::Inventory { full: true, bridges: vec!["vmbr0".into()], ..Default::default() };
        agent.say(Up::Inventory(inventory)).await;
        let seen = eventually("what it told is stored", SOON, async || {
            agent.say(Up::Heartbeat(heartbeat())).await;
            agent.alive(&plane, &server).await;
            let seen = plane.show(&server).await.seen;
            (seen.cpu_threads.is_some() && !seen.bridges.is_empty()).then_some(seen)
        })
        .await;
        assert_eq!(
            (seen.cpu_threads, seen.memory_mib, seen.node_name.as_deref()),
            (Some(8), Some(16_384), Some("pve1"))
        );
        assert_eq!(seen.bridges, ["vmbr0"]);

        drop(agent);
        eventually("the server is offline", SOON, async || {
            (plane.show(&server).await.connection.state == ConnectionState::Offline).then_some(())
        })
        .await;
        assert!(!plane.hub_has(&server));
        plane.stop(()).await;
    })
    .await;
}

#[tokio::test]
async fn an_agent_that_falls_silent_loses_its_session() {
    everywhere_with(
        |config| config.heartbeat_interval = Duration::from_millis(100),
        async |plane| {
            let (server, identity) = plane.agent("pve1").await;
            // Its connection is alive and its pings are answered, but it sends no heartbeat.
            let (mut agent, _) = plane.session(&identity, hello("m")).await.unwrap();
            let (_, status) = agent.end().await;
            assert_eq!(status.unwrap().code(), tonic::Code::DeadlineExceeded);
            eventually("the server is offline", SOON, async || {
                (plane.show(&server).await.connection.state == ConnectionState::Offline).then_some(())
            })
            .await;
            plane.stop(agent).await;
        },
    )
    .await;
}

#[tokio::test]
async fn shutdown_says_when_to_come_back_takes_in_what_is_on_the_way_and_ends() {
    everywhere(async |plane| {
        let (server, identity) = plane.agent("pve1").await;
        let (mut agent, _) = plane.session(&identity, hello("m")).await.unwrap();
        plane.shutdown();
        let Down::GoAway(go_away) = agent.next().await.unwrap().unwrap() else { panic!("expected a GoAway") };
        assert_eq!(go_away.reason(), wire::GoAwayReason::Shutdown);
        agent.say(Up::Heartbeat(heartbeat())).await;
        eventually("the last heartbeat is stored", SOON, async || plane.show(&server).await.seen.node_name.map(|_| ()))
            .await;
        assert!(!plane.hub_has(&server));
        drop(agent);
        plane.stop(()).await;
    })
    .await;
}

#[tokio::test]
async fn an_agent_that_reads_nothing_loses_its_session_and_nothing_grows() {
    everywhere(async |plane| {
        let (server, identity) = plane.agent("pve1").await;
        let (agent, _) = plane.session(&identity, hello("m")).await.unwrap();
        let order = || Order {
            id: CommandId::generate(),
            epoch: 1,
            deadline: plane.clock.now(),
            command: AgentCommand {
                server: server.id,
                pod: CloudPodId::generate(),
                vmid: 100,
                kind: CommandKind::ResizeDisk { size_gib: 1 },
                timeout: Duration::from_secs(1),
            },
        };
        eventually("sending is refused", SOON, async || {
            (0..500).any(|_| plane.hub.send(order()) == Err(NotConnected)).then_some(())
        })
        .await;
        eventually("the session is gone", SOON, async || (!plane.hub_has(&server)).then_some(())).await;
        drop(agent);
        plane.stop(()).await;
    })
    .await;
}

#[tokio::test]
async fn a_probe_gathers_the_parts_of_its_answer() {
    everywhere(async |plane| {
        let (server, identity) = plane.agent("pve1").await;
        let spec = ProbeSpec { storages: vec!["local".into()], bridges: Vec::new(), templates: vec![9000] };
        assert_eq!(plane.hub.probe(server.id, spec.clone(), SOON).await, Err(NotConnected));
        let (mut agent, _) = plane.session(&identity, hello("m")).await.unwrap();
        let answer = async {
            let Down::Probe(probe) = agent.next().await.unwrap().unwrap() else { panic!("expected a probe") };
            assert_eq!((probe.storages, probe.templates), (vec!["local".to_owned()], vec![9000]));
            let part = |name: &str, state: wire::CheckState, partial| {
                let check = wire::Check { name: name.into(), state: state.into(), ..Default::default() };
                Up::ProbeResult(wire::ProbeResult { nonce: probe.nonce, checks: vec![check], clock_ms: 7, partial })
            };
            agent.say(part("proxmox", wire::CheckState::Ok, true)).await;
            agent.say(part("storage", wire::CheckState::Fail, false)).await;
        };
        let (report, ()) = tokio::join!(plane.hub.probe(server.id, spec, SOON), answer);
        let report = report.unwrap();
        let states: Vec<_> = report.checks.iter().map(|check| (check.name.as_str(), check.state)).collect();
        assert_eq!(states, [("proxmox", CheckState::Ok), ("storage", CheckState::Fail)]);
        assert!(report.complete && report.clock.is_some_and(|clock| clock.0 == 7));
        let report = plane.hub.probe(server.id, ProbeSpec::default(), Duration::from_millis(100)).await.unwrap();
        assert!(!report.complete && report.checks.is_empty());
        plane.stop(agent).await;
    })
    .await;
}

//! Over the real channel: an agent whose host was declared lost is told what to fence first, and is given no orders before.

use control_plane::domain::audit::Actor;
use control_plane::domain::jobs::AgentPort;
use control_plane::domain::servers::lost::FencedVm;
use control_plane::ids::CloudPodId;
use mpanel_tests::channel::{Agent, Plane, SOON, hello};
use mpanel_tests::{databases, eventually};
use proto::agent::v1 as wire;
use proto::agent::v1::agent_message::Body as Up;
use proto::agent::v1::control_message::Body as Down;

use crate::invariants;

async fn fence(agent: &mut Agent) -> wire::Fence {
    match agent.next().await.expect("the session goes on") {
        Some(Down::Fence(fence)) => fence,
        other => panic!("expected a fence, got {other:?}"),
    }
}

async fn answer(agent: &Agent, fence: wire::Fence, error: &str) {
    let wire::Fence { nonce, vms } = fence;
    let outcome = |wire::FencedVm { vmid, pod_id }| wire::FenceOutcome {
        vmid,
        pod_id,
        fenced: error.is_empty(),
        error: error.to_owned(),
        presence: 0,
        foreign: false,
    };
    let outcomes = vms.into_iter().map(outcome).collect();
    agent.say(Up::FenceResult(wire::FenceResult { nonce, outcomes })).await;
}

#[tokio::test]
async fn a_host_that_was_declared_lost_is_given_no_orders_before_its_vms_are_fenced() {
    for database in databases().await {
        let plane = Plane::start(database, |_| {}, Vec::new()).await;
        let (server, identity) = plane.agent("pve1").await;
        invariants::pod_insert(&plane.db, server.id).await;
        let pod: CloudPodId = invariants::POD.parse().unwrap();
        let shown = plane.show(&server).await;
        let mut tx = plane.db.begin().await.unwrap();
        let fenced = [FencedVm { pod, vmid: 100 }];
        let by = Actor::system("test");
        plane.servers.lost_declare(&mut tx, &by, &shown, "burnt", &fenced).await.unwrap();
        tx.commit().await.unwrap();

        for session in 0..2 {
            let (mut agent, _) = plane.session(&identity, hello("machine")).await.unwrap();
            let first = fence(&mut agent).await;
            assert_eq!(first.vms, [wire::FencedVm { vmid: 100, pod_id: pod.to_string() }]);
            assert!(!plane.hub.is_connected(server.id), "it is given no orders");
            if session == 0 {
                answer(&agent, first, "can't lock file").await;
                let again = fence(&mut agent).await;
                let shown = plane.show(&server).await;
                assert!(shown.problem.contains("can't lock file"), "{}", shown.problem);
                assert!(!plane.hub.is_connected(server.id));
                answer(&agent, again, "").await;
            } else {
                answer(&agent, first, "").await;
            }
            eventually("it may be given orders", SOON, async || plane.hub.is_connected(server.id).then_some(())).await;
            assert_eq!(plane.show(&server).await.problem, "");
            drop(agent);
            eventually("the session ends", SOON, async || (!plane.hub_has(&server)).then_some(())).await;
        }
        plane.stop(()).await;
    }
}

#[tokio::test]
async fn a_silent_server_is_suspect_before_it_is_offline() {
    for database in databases().await {
        let plane =
            Plane::start(database, |config| config.heartbeat_interval = std::time::Duration::from_mins(10), Vec::new())
                .await;
        let (server, identity) = plane.agent("pve1").await;
        assert!(!plane.servers.is_suspect(&plane.show(&server).await), "it never came");
        let (agent, _) = plane.session(&identity, hello("machine")).await.unwrap();
        let interval = std::time::Duration::from_mins(10);
        for (silent, suspect, online) in [(1, false, true), (1, false, true), (1, true, true), (1, false, false)] {
            plane.clock.advance((interval * silent).saturating_sub(std::time::Duration::from_secs(1)));
            plane.servers.health_run().await.unwrap();
            let shown = plane.show(&server).await;
            let state = shown.connection.state == control_plane::domain::servers::ConnectionState::Online;
            assert_eq!((plane.servers.is_suspect(&shown), state), (suspect, online));
        }
        plane.stop(agent).await;
    }
}

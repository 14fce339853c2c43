//! Fences, questions and traffic.

use std::sync::Arc;

use mpanel_tests::pve_rig::{Rig, run_simulated, sim_config};
use node_agent::proxmox::{Hypervisor, Operation, OptionsSpec, Power};
use proto::agent::v1::agent_message::Body as Up;
use proto::agent::v1::control_message::Body as Down;
use proto::agent::v1::run_command::Kind;
use proto::agent::v1::{
    Fence, FencedVm, MigrateChecks, Query, Start, StorageContent, Welcome, command_result::Outcome, query,
};

use super::plane::Plane;

#[tokio::test]
async fn traffic_is_told_for_our_running_vms_and_only_where_it_is_wanted() {
    run_simulated(sim_config(), async |rig: Arc<Rig>| {
        let (running, stopped) = (rig.vm().await, rig.vm().await);
        rig.drive(running, Operation::Start).await.unwrap();
        assert!(rig.sim().hand().set_traffic(running.vmid, 1_234, 5_678));
        rig.sim().hand().create_vm(700, "by-hand");
        rig.sim().hand().start_vm(700);
        let mut plane = Plane::start(&rig, Welcome { traffic_ms: 200, ..Welcome::default() }).await;
        let samples = plane
            .until(|body| match body {
                Up::Traffic(traffic) => Some(traffic.samples.clone()),
                _ => None,
            })
            .await;
        let [sample] = &samples[..] else { panic!("{samples:?}") };
        assert_eq!((sample.vmid, &sample.pod_id), (running.vmid, &running.pod_id.to_string()));
        assert_eq!((sample.in_bytes, sample.out_bytes), (1_234, 5_678));
        assert_ne!(sample.vmid, stopped.vmid);
        plane.stop().await;
        let mut plane = Plane::start(&rig, Welcome::default()).await;
        // The second heartbeat comes long after the first traffic would have.
        for _ in 0..2 {
            let is_traffic = plane.until(|body| match body {
                Up::Traffic(_) => Some(true),
                Up::Heartbeat(_) => Some(false),
                _ => None,
            });
            assert!(!is_traffic.await, "traffic is told where it is not wanted");
        }
        plane.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_fence_stops_the_vms_and_ends_their_commands() {
    run_simulated(sim_config(), async |rig: Arc<Rig>| {
        let (lost, other) = (rig.vm().await, rig.vm().await);
        let onboot = OptionsSpec { start_on_boot: Some(true), protection: None };
        rig.drive(lost, Operation::SetOptions(onboot)).await.unwrap();
        for target in [lost, other] {
            rig.drive(target, Operation::Start).await.unwrap();
        }
        let mut plane = Plane::start(&rig, Welcome::default()).await;
        // It waits for a power that the VM does not come to by itself.
        let wait = proto::agent::v1::WaitPower { power: proto::agent::v1::Power::Paused.into(), timeout_s: 0 };
        plane.run(1, lost, Kind::WaitPower(wait)).await;
        plane.until(|body| matches!(body, Up::Accepted(_)).then_some(())).await;
        let vms = [lost, rig.rival(other)].map(|t| FencedVm { vmid: t.vmid, pod_id: t.pod_id.to_string() });
        plane.order(Down::Fence(Fence { nonce: 7, vms: vms.to_vec() })).await;
        let (mut cancelled, mut outcomes) = (None, None);
        while cancelled.is_none() || outcomes.is_none() {
            let body = plane.until(|body| Some(body.clone())).await;
            match body {
                Up::Result(result) => cancelled = Some(result.cancelled),
                Up::FenceResult(result) => {
                    assert_eq!(result.nonce, 7);
                    outcomes = Some(result.outcomes);
                }
                _ => {}
            }
        }
        assert_eq!(cancelled, Some(true));
        let outcomes = outcomes.unwrap();
        let told: Vec<_> = outcomes.iter().map(|outcome| (outcome.fenced, outcome.foreign)).collect();
        assert_eq!(told, [(true, false), (false, true)], "{outcomes:?}");
        assert_eq!(rig.pve.inspect(lost.vmid).await.unwrap().power, Power::Stopped);
        assert_eq!(rig.pve.inspect(other.vmid).await.unwrap().power, Power::Running, "another's VM was stopped");
        // What the control plane orders afterwards is done.
        plane.run(2, lost, Kind::Start(Start {})).await;
        let outcome = plane.until(|body| match body {
            Up::Result(result) if result.command_id.ends_with('2') => result.outcome.clone(),
            _ => None,
        });
        assert!(matches!(outcome.await, Outcome::Ok(_)));
        plane.stop().await;
    })
    .await;
}

#[tokio::test]
async fn questions_are_answered_with_their_nonce() {
    let mut sim = sim_config();
    sim.more_nodes = vec!["pve2".to_owned()];
    run_simulated(sim, async |rig: Arc<Rig>| {
        let target = rig.vm().await;
        let mut plane = Plane::start(&rig, Welcome::default()).await;
        let ask = |nonce, kind| Down::Query(Query { nonce, deadline_ms: 0, kind });
        let vmids = vec![target.vmid, 799];
        let checks = query::Kind::MigrateChecks(MigrateChecks { vmids, target_node: String::new() });
        plane.order(ask(1, Some(checks))).await;
        let content = StorageContent { storage: String::new(), content: "images".to_owned() };
        plane.order(ask(2, Some(query::Kind::StorageContent(content)))).await;
        plane.order(ask(3, None)).await;
        let nowhere = StorageContent { storage: "nowhere".to_owned(), content: String::new() };
        plane.order(ask(4, Some(query::Kind::StorageContent(nowhere)))).await;
        let mut seen = 0;
        while seen < 4 {
            let answer = plane.until(|body| match body {
                Up::QueryResult(result) => Some(result.clone()),
                _ => None,
            });
            let answer = answer.await;
            seen += 1;
            match answer.nonce {
                1 => {
                    let [ours, missing] = &answer.migrate_checks[..] else { panic!("{answer:?}") };
                    assert_eq!((ours.vmid, &ours.error, ours.running), (target.vmid, &String::new(), false));
                    assert_eq!(ours.allowed_nodes, ["pve2"], "{ours:?}");
                    assert!(missing.vmid == 799 && missing.error.contains("799"), "{missing:?}");
                }
                2 => {
                    assert!(answer.error.is_empty(), "{answer:?}");
                    assert!(answer.volumes.iter().any(|v| v.volid.contains(&format!("vm-{}-", target.vmid))));
                }
                3 => assert!(answer.error.contains("update the agent"), "{answer:?}"),
                4 => assert!(answer.error.contains("nowhere"), "{answer:?}"),
                other => panic!("an answer to what was not asked: {other}"),
            }
        }
        plane.stop().await;
    })
    .await;
}

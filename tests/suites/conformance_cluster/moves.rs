//! A VM is moved once, wherever the agent dies meanwhile, and what keeps it from being moved is told.

use std::sync::Arc;

use mpanel_tests::pve_rig::{Rig, drive_request, patience, run_simulated, sim_config, watch};
use node_agent::proxmox::{
    Begun, ErrorKind, Hypervisor, Look, MigrateSpec, Operation, OptionsSpec, Power, Presence, Pve, Target, Trust,
};
use pve_sim::{Fault, SimConfig};
use tokio_util::sync::CancellationToken;

fn cluster() -> SimConfig {
    let mut sim = sim_config();
    sim.more_nodes = vec!["pve2".to_owned(), "pve3".to_owned()];
    sim.unreachable_nodes = vec!["pve9".to_owned()];
    sim
}

fn to(node: &str, online: bool) -> MigrateSpec {
    MigrateSpec { target_node: node.to_owned(), online, with_local_disks: online, ..MigrateSpec::default() }
}

/// A VM with disks of its own on the first node's storage.
async fn vm(rig: &Rig) -> Target {
    let target = rig.target().await;
    rig.drive(target, rig.clone_of_template(target, true)).await.unwrap();
    target
}

/// The agent's hypervisor on another node.
fn at(rig: &Rig, node: &str) -> Pve {
    let view = rig.sim().at(node).unwrap();
    rig.other(|config| {
        config.url = view.url.parse().unwrap();
        config.node = Some(node.to_owned());
        config.trust = Trust::Fingerprint(view.fingerprint.parse().unwrap());
    })
}

async fn check_at(rig: &Rig, target: Target, node: &str, power: Power) {
    let there = at(rig, node).inspect(target.vmid).await.unwrap();
    assert_eq!((there.presence, there.power, &there.lock), (Presence::Present, power, &None), "{there:?}");
    assert_eq!(there.stamp.map(|stamp| stamp.pod_id), Some(target.pod_id));
    let here = rig.pve.inspect(target.vmid).await.unwrap();
    assert_eq!((here.presence, here.stamp), (Presence::Present, None), "it is not on two nodes: {here:?}");
}

#[tokio::test]
async fn a_stopped_vm_is_moved_once() {
    run_simulated(cluster(), async |rig: Arc<Rig>| {
        let target = vm(&rig).await;
        let request = Rig::request(target, Operation::Migrate(to("pve2", false)));
        let done = drive_request(&*rig.pve, &request).await.unwrap();
        assert_eq!((done.outcome.node.as_deref(), done.state.presence), (Some("pve2"), Presence::Absent), "{done:?}");
        check_at(&rig, target, "pve2", Power::Stopped).await;
        let again = drive_request(&*rig.pve, &request).await.unwrap();
        assert!(again.tasks.is_empty() && again.outcome == done.outcome, "{again:?}");
        assert_eq!(rig.pve.find_task(&request, 0).await.unwrap(), done.tasks.first().cloned());
        // Elsewhere it is not to be found.
        let error = rig.drive(target, Operation::Migrate(to("pve3", false))).await.unwrap_err();
        assert_eq!((error.kind, error.presence), (ErrorKind::Refused, Presence::Present), "{error:?}");
        at(&rig, "pve2").begin(&Rig::request(target, Operation::Destroy)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_running_vm_is_moved_online_with_its_disks() {
    run_simulated(cluster(), async |rig: Arc<Rig>| {
        let target = vm(&rig).await;
        rig.drive(target, Operation::Start).await.unwrap();
        let error = rig.drive(target, Operation::Migrate(to("pve2", false))).await.unwrap_err();
        assert_eq!((error.kind, error.presence), (ErrorKind::Refused, Presence::Present), "{error:?}");
        let done = rig.drive(target, Operation::Migrate(to("pve2", true))).await.unwrap();
        assert_eq!((done.outcome.node.as_deref(), done.state.power), (Some("pve2"), Power::Running), "{done:?}");
        check_at(&rig, target, "pve2", Power::Running).await;
        // And back, as the agent there does it.
        let there = at(&rig, "pve2");
        let back = Rig::request(target, Operation::Migrate(to("pve1", true)));
        let done = drive_request(&there, &back).await.unwrap();
        assert_eq!(done.outcome.node.as_deref(), Some("pve1"), "{done:?}");
        assert_eq!(rig.pve.inspect(target.vmid).await.unwrap().power, Power::Running);
    })
    .await;
}

#[tokio::test]
async fn a_move_is_found_again_after_its_upid_was_lost() {
    run_simulated(cluster(), async |rig: Arc<Rig>| {
        let target = vm(&rig).await;
        let request = Rig::request(target, Operation::Migrate(to("pve2", false)));
        let Begun::Task(upid) = rig.pve.begin(&request).await.unwrap() else { panic!("a move is a task") };
        let reborn = rig.other(|_| {});
        assert_eq!(reborn.find_task(&request, 0).await.unwrap(), Some(upid.clone()));
        // Begun again while it runs: it is joined, or has ended and is done.
        match reborn.begin(&request).await.unwrap() {
            Begun::Step(joined) => assert_eq!(joined, upid),
            Begun::Done => {}
            Begun::Task(second) => panic!("a second move was begun: {second}"),
        }
        reborn.follow(&request, &upid, watch(patience(), &CancellationToken::new(), &|_| {})).await.unwrap();
        assert_eq!(reborn.begin(&request).await.unwrap(), Begun::Done);
        assert_eq!(reborn.outcome(&request).await.unwrap().node.as_deref(), Some("pve2"));
    })
    .await;
}

#[tokio::test]
async fn a_move_that_fails_leaves_the_vm_where_it_is() {
    run_simulated(cluster(), async |rig: Arc<Rig>| {
        let target = vm(&rig).await;
        let error = rig.drive(target, Operation::Migrate(to("pve9", false))).await.unwrap_err();
        assert_eq!(error.presence, Presence::Present, "{error:?}");
        let state = rig.pve.inspect(target.vmid).await.unwrap();
        assert_eq!((state.presence, state.lock), (Presence::Present, None), "{error:?}");
        assert_eq!(state.stamp.map(|stamp| stamp.pod_id), Some(target.pod_id));
        let error = rig.drive(target, Operation::Migrate(to("nowhere", false))).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound, "{error:?}");
    })
    .await;
}

#[tokio::test]
async fn every_blocker_of_a_move_is_told() {
    run_simulated(cluster(), async |rig: Arc<Rig>| {
        let target = vm(&rig).await;
        let check = async |spec| rig.pve.look(target, &Look::CheckMigrate(spec)).await;
        check(to("pve2", false)).await.unwrap();
        rig.drive(target, Operation::Start).await.unwrap();
        check(to("pve2", true)).await.unwrap();
        let hand = rig.sim().hand();
        assert!(hand.set_config(target.vmid, "hostpci0", Some("0000:01:00.0")));
        assert!(hand.set_config(target.vmid, "sata5", Some("local:iso/x.iso,media=cdrom")));
        let bare = MigrateSpec { with_local_disks: false, ..to("pve9", true) };
        let error = check(bare).await.unwrap_err();
        assert_eq!((error.kind, error.presence), (ErrorKind::Refused, Presence::Present), "{error:?}");
        for words in ["hostpci0", "local:iso/x.iso", "vm-", "pve9"] {
            assert!(error.message.contains(words), "{words}: {error:?}");
        }
        let told = rig.pve.migrate_checks(target.vmid, None).await.unwrap();
        assert!(told.running && told.local_disk_mib > 0 && told.blockers.len() == 2, "{told:?}");
        assert_eq!(told.allowed_nodes, ["pve2", "pve3"]);
    })
    .await;
}

#[tokio::test]
async fn a_bridge_that_the_target_lacks_is_named() {
    run_simulated(cluster(), async |rig: Arc<Rig>| {
        let target = vm(&rig).await;
        let hand = rig.sim().hand();
        assert!(hand.set_bridges("pve1", &["vmbr0", "vmbr7", "tenants"]));
        assert!(hand.set_bridges("pve2", &["vmbr0", "tenants"]));
        assert!(hand.set_config(target.vmid, "net1", Some("virtio=BC:24:11:00:00:07,bridge=vmbr7")));
        // A vnet of the SDN is a bridge like others.
        assert!(hand.set_config(target.vmid, "net2", Some("virtio=BC:24:11:00:00:08,bridge=tenants")));
        let check = async |node| rig.pve.look(target, &Look::CheckMigrate(to(node, false))).await;
        let error = check("pve2").await.unwrap_err();
        assert_eq!((error.kind, error.presence), (ErrorKind::Refused, Presence::Present), "{error:?}");
        assert!(error.message.ends_with("does not have what the VM is attached to: vmbr7"), "{error:?}");
        let told = rig.pve.migrate_checks(target.vmid, Some("pve2")).await.unwrap();
        assert!(told.blockers.len() == 1 && !told.allowed_nodes.contains(&"pve2".to_owned()), "{told:?}");
        assert!(hand.set_bridges("pve2", &["vmbr0", "vmbr7", "tenants"]));
        check("pve2").await.unwrap();
        // What the token may not see is not known to be missing.
        assert!(hand.set_bridges("pve1", &["vmbr0", "tenants"]));
        assert!(hand.set_bridges("pve2", &["vmbr0", "tenants"]));
        check("pve2").await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_lost_vms_copy_on_another_node_is_left_alone() {
    run_simulated(cluster(), async |rig: Arc<Rig>| {
        let target = vm(&rig).await;
        let onboot = OptionsSpec { start_on_boot: Some(true), protection: None };
        rig.drive(target, Operation::SetOptions(onboot)).await.unwrap();
        rig.drive(target, Operation::Migrate(to("pve2", false))).await.unwrap();
        let there = at(&rig, "pve2");
        drive_request(&there, &Rig::request(target, Operation::Start)).await.unwrap();
        let fenced = rig.pve.fence(target, tokio::time::Instant::now() + patience()).await;
        assert_eq!(fenced.error, None);
        check_at(&rig, target, "pve2", Power::Running).await;
    })
    .await;
}

#[tokio::test]
async fn a_call_without_an_answer_moves_nothing_twice() {
    run_simulated(cluster(), async |rig: Arc<Rig>| {
        let target = vm(&rig).await;
        let request = Rig::request(target, Operation::Migrate(to("pve2", false)));
        rig.sim().faults().add(Fault {
            method: Some("POST".to_owned()),
            path: format!("/nodes/pve1/qemu/{}/migrate", target.vmid),
            skip: 0,
            times: Some(1),
            action: pve_sim::Action::LoseAnswer,
        });
        let error = rig.pve.begin(&request).await.unwrap_err();
        assert!(error.is_transient(), "{error:?}");
        let upid = rig.pve.find_task(&request, 0).await.unwrap().expect("the task of the call");
        rig.pve.follow(&request, &upid, watch(patience(), &CancellationToken::new(), &|_| {})).await.unwrap();
        assert_eq!(rig.pve.begin(&request).await.unwrap(), Begun::Done);
        check_at(&rig, target, "pve2", Power::Stopped).await;
    })
    .await;
}

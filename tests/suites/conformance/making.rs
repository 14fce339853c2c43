//! Clones: made once, whatever is repeated or meets.

use std::sync::Arc;

use futures::future::join_all;
use mpanel_tests::pve_rig::{Rig, drive};
use node_agent::proxmox::{Begun, CloneSpec, ErrorKind, Hypervisor, Operation, Power, Presence, PveError, Target};

pub async fn a_linked_clone_is_made_once(rig: Arc<Rig>) {
    let target = rig.target().await;
    let request = Rig::request(target, rig.clone_of_template(target, false));
    let Begun::Task(upid) = rig.pve.begin(&request).await.unwrap() else { panic!("a new clone is a task") };
    assert_eq!(upid.kind(), "qmclone");
    // Beginning it again while it runs joins it, or finds it done.
    let done = drive(&*rig.pve, target, request.operation.clone()).await.unwrap();
    assert!(done.tasks.iter().all(|task| *task == upid), "{done:?}");
    assert_eq!((done.state.presence, done.state.power), (Presence::Present, Power::Stopped), "{done:?}");
    assert_eq!(done.state.stamp.map(|stamp| stamp.pod_id), Some(target.pod_id), "{done:?}");
    assert_eq!(done.state.stamp.and_then(|stamp| stamp.command_id), Some(request.command_id), "{done:?}");
    assert_eq!(done.state.lock, None, "{done:?}");
    assert_eq!(rig.pve.begin(&request).await.unwrap(), Begun::Done);
}

pub async fn a_full_clone_tells_its_progress(rig: Arc<Rig>) {
    let target = rig.target().await;
    let done = rig.drive(target, rig.clone_of_template(target, true)).await.unwrap();
    assert_eq!(done.tasks.len(), 1, "{done:?}");
    let lines: Vec<&String> = done.progress.iter().flat_map(|progress| &progress.log).collect();
    assert!(lines.iter().any(|line| line.contains("full clone of drive")), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("TASK OK")), "{lines:?}");
    let percents: Vec<u8> = done.progress.iter().filter_map(|progress| progress.percent).collect();
    assert!(percents.is_sorted() && percents.iter().all(|percent| *percent <= 100), "{percents:?}");
    assert_eq!(percents.last(), Some(&100), "{done:?}");
    assert!(!done.end.log.is_empty(), "{done:?}");
}

pub async fn a_taken_vmid_is_told(rig: Arc<Rig>) {
    let owner = rig.vm().await;
    let before = rig.pve.inspect(owner.vmid).await.unwrap();
    let rival = rig.rival(owner);
    let error = rig.drive(rival, rig.clone_of_template(rival, false)).await.unwrap_err();
    assert_eq!((error.kind, error.presence), (ErrorKind::VmidTaken, Presence::Present), "{error:?}");
    assert_eq!(rig.pve.inspect(owner.vmid).await.unwrap(), before);
}

pub async fn a_missing_template_or_storage_is_not_found(rig: Arc<Rig>) {
    let (target, missing) = (rig.target().await, rig.target().await.vmid);
    let spec = |template_vmid, storage: Option<&str>| {
        let storage = storage.map(str::to_owned);
        Operation::Clone(CloneSpec { template_vmid, name: "mpanel-test".to_owned(), full: true, storage, pool: None })
    };
    for operation in [spec(missing, None), spec(rig.template, Some("no-such-storage"))] {
        let error = rig.drive(target, operation).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound, "{error:?}");
        assert!(error.message.contains(&missing.to_string()) || error.message.contains("no-such-storage"), "{error:?}");
    }
    assert_eq!(rig.pve.inspect(target.vmid).await.unwrap().presence, Presence::Absent);
}

pub async fn a_bad_name_is_a_bad_parameter(rig: Arc<Rig>) {
    let target = rig.target().await;
    let spec = CloneSpec {
        template_vmid: rig.template,
        name: "no_dns_name!".to_owned(),
        full: false,
        storage: None,
        pool: None,
    };
    let error = rig.drive(target, Operation::Clone(spec)).await.unwrap_err();
    assert_eq!((error.kind, error.status), (ErrorKind::BadParameter, Some(400)), "{error:?}");
    assert!(error.message.contains("name"), "{error:?}");
}

pub async fn parallel_clones_for_one_pod_make_one_vm(rig: Arc<Rig>) {
    let target = rig.target().await;
    let clones = (0..4).map(|_| drive(&*rig.pve, target, rig.clone_of_template(target, true)));
    for outcome in join_all(clones).await {
        let done = outcome.unwrap();
        assert_eq!(done.state.stamp.map(|stamp| stamp.pod_id), Some(target.pod_id), "{done:?}");
        assert_eq!(done.state.lock, None, "{done:?}");
    }
    let vms = rig.pve.list_vms().await.unwrap();
    let ours: Vec<_> = vms.iter().filter(|vm| vm.stamp.is_some_and(|stamp| stamp.pod_id == target.pod_id)).collect();
    assert_eq!(ours.len(), 1, "{ours:?}");
}

pub async fn of_two_pods_at_one_vmid_one_wins(rig: Arc<Rig>) {
    let one = rig.target().await;
    let two = rig.rival(one);
    let clone = |target: Target| drive(&*rig.pve, target, rig.clone_of_template(target, true));
    let (first, second) = tokio::join!(clone(one), clone(two));
    let state = rig.pve.inspect(one.vmid).await.unwrap();
    let owner = state.stamp.map(|stamp| stamp.pod_id);
    let lost = |error: PveError| {
        assert_eq!(error.kind, ErrorKind::VmidTaken, "{error:?}");
    };
    match (first, second) {
        (Ok(_), Err(error)) => {
            assert_eq!(owner, Some(one.pod_id));
            lost(error);
        }
        (Err(error), Ok(_)) => {
            assert_eq!(owner, Some(two.pod_id));
            lost(error);
        }
        other => panic!("exactly one must win: {other:?}"),
    }
}

pub async fn the_inventory_shows_stamps(rig: Arc<Rig>) {
    let target = rig.vm().await;
    // Twice: the second time the description comes from memory.
    for _ in 0..2 {
        let vms = rig.pve.list_vms().await.unwrap();
        let vm = vms.iter().find(|vm| vm.vmid == target.vmid).unwrap();
        assert_eq!(vm.stamp.map(|stamp| stamp.pod_id), Some(target.pod_id), "{vm:?}");
        assert_eq!((vm.power, vm.template, vm.lock.as_deref()), (Power::Stopped, false, None), "{vm:?}");
        assert_eq!(vm.name, format!("mpanel-test-{}", target.vmid));
        assert!(vm.vcpu > 0 && vm.memory_mib > 0 && vm.disk_mib > 0, "{vm:?}");
        let template = vms.iter().find(|vm| vm.vmid == rig.template).unwrap();
        assert!(template.template && template.stamp.is_none(), "{template:?}");
    }
    rig.drive(target, Operation::Destroy).await.unwrap();
    let vms = rig.pve.list_vms().await.unwrap();
    assert!(vms.iter().all(|vm| vm.vmid != target.vmid), "{vms:?}");
}

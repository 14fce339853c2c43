//! The node itself: figures, checks, and a server that is not the one meant.

use std::sync::{Arc, Mutex};

use mpanel_tests::pve_rig::Rig;
use node_agent::proxmox::{
    ApiToken, Check, CheckState, ErrorKind, Fingerprint, Hypervisor, Operation, Power, Presence, ProbeSpec, Trust,
};

pub async fn the_node_tells_its_figures(rig: Arc<Rig>) {
    let version = rig.pve.version().await.unwrap();
    let major: u32 = version.split('.').next().unwrap().parse().unwrap();
    assert!(major >= 8, "{version}");
    let host = rig.pve.host_status().await.unwrap();
    assert_eq!(host.pve_version, version);
    assert!(
        host.cpu_threads > 0 && host.memory_total_mib > 0 && host.memory_used_mib <= host.memory_total_mib,
        "{host:?}"
    );
    assert!((0.0..=1.0).contains(&host.cpu_load), "{host:?}");

    let storages = rig.pve.storages().await.unwrap();
    let storage = storages.iter().find(|storage| storage.name == rig.storage).unwrap();
    assert!(storage.active && storage.holds_images && !storage.kind.is_empty(), "{storage:?}");
    assert!(storage.total_mib > 0 && storage.used_mib <= storage.total_mib, "{storage:?}");
    let backups = storages.iter().find(|storage| storage.name == rig.backup_storage).unwrap();
    assert!(backups.holds_backups, "{backups:?}");
    let bridges = rig.pve.bridges().await.unwrap();
    assert!(bridges.contains(&rig.bridge), "{bridges:?}");

    let cluster = rig.pve.cluster().await.unwrap();
    assert!(cluster.quorate, "{cluster:?}");
    assert!(cluster.nodes.iter().any(|(name, online)| *name == cluster.node && *online), "{cluster:?}");
    // Without a configured name the node that answers is found.
    let found = rig.other(|config| config.node = None).cluster().await.unwrap();
    assert_eq!(found, cluster);
}

async fn probe(pve: &dyn Hypervisor, spec: ProbeSpec) -> Vec<Check> {
    let checks = Mutex::new(Vec::new());
    pve.probe(&spec, &|check| checks.lock().unwrap().push(check)).await;
    checks.into_inner().unwrap()
}

pub async fn a_probe_finds_what_is_there_and_what_is_not(rig: Arc<Rig>) {
    let missing = rig.target().await.vmid;
    let spec = ProbeSpec {
        storages: vec![rig.storage.clone(), "no-such-storage".to_owned()],
        bridges: vec![rig.bridge.clone(), "vmbr4001".to_owned()],
        templates: vec![rig.template, missing],
    };
    let checks = probe(&*rig.pve, spec).await;
    let states =
        |name: &str| checks.iter().filter(|check| check.name == name).map(|check| check.state).collect::<Vec<_>>();
    assert_eq!(states("proxmox"), [CheckState::Ok], "{checks:?}");
    assert_eq!(states("permissions"), [CheckState::Ok], "{checks:?}");
    assert_eq!(states("quorum"), [CheckState::Ok], "{checks:?}");
    for name in ["storage", "bridge", "template"] {
        let [there, missing] = states(name)[..] else { panic!("{name}: {checks:?}") };
        assert_ne!(there, CheckState::Fail, "{name}: {checks:?}");
        assert_eq!(missing, CheckState::Fail, "{name}: {checks:?}");
    }
    for check in &checks {
        assert!(!check.message.is_empty(), "{check:?}");
        assert_eq!(check.advice.is_empty(), check.state == CheckState::Ok, "{check:?}");
    }
}

pub async fn a_wrong_secret_is_a_permission_error_with_proxmoxs_reason(rig: Arc<Rig>) {
    let stranger = rig.other(|config| {
        config.token = ApiToken::new(&config.token.id, "00000000-0000-0000-0000-000000000000").unwrap();
    });
    let error = stranger.version().await.unwrap_err();
    assert_eq!((error.kind, error.status), (ErrorKind::Permission, Some(401)), "{error:?}");
    assert!(error.message.to_lowercase().contains("authentication fail"), "{error:?}");
    let error = stranger.inspect(rig.template).await.unwrap_err();
    assert_eq!((error.kind, error.presence), (ErrorKind::Permission, Presence::Unknown), "{error:?}");
    let checks = probe(&stranger, ProbeSpec::default()).await;
    assert_eq!(checks.len(), 1, "{checks:?}");
    assert!(checks[0].state == CheckState::Fail && checks[0].advice.contains("token"), "{checks:?}");
}

pub async fn a_wrong_node_name_is_an_error_and_never_absent(rig: Arc<Rig>) {
    let vmid = rig.target().await.vmid;
    let lost = rig.other(|config| config.node = Some("mpanel-no-such-node".to_owned()));
    for error in [lost.host_status().await.unwrap_err(), lost.inspect(vmid).await.unwrap_err()] {
        // A resolver that answers for every name makes it unreachable rather than unknown; one that is silent, late.
        let kinds = [ErrorKind::NotFound, ErrorKind::Unavailable, ErrorKind::Timeout];
        assert!(kinds.contains(&error.kind), "{error:?}");
        assert_eq!(error.presence, Presence::Unknown, "{error:?}");
        assert!(!error.message.is_empty(), "{error:?}");
    }
}

pub async fn another_certificate_is_refused(rig: Arc<Rig>) {
    let other = rig.other(|config| config.trust = Trust::Fingerprint(Fingerprint([7; 32])));
    let error = other.version().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error:?}");
    assert!(error.message.contains("fingerprint"), "{error:?}");
}

pub async fn an_unused_vmid_is_absent(rig: Arc<Rig>) {
    let target = rig.target().await;
    let state = rig.pve.inspect(target.vmid).await.unwrap();
    assert_eq!(state.presence, Presence::Absent, "{state:?}");
    let template = rig.pve.inspect(rig.template).await.unwrap();
    assert_eq!((template.presence, template.stamp), (Presence::Present, None), "{template:?}");
    let error = rig.pve.inspect(7).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadParameter, "{error:?}");
}

pub async fn what_lies_on_a_storage_is_listed(rig: Arc<Rig>) {
    let target = rig.target().await;
    rig.drive(target, rig.clone_of_template(target, true)).await.unwrap();
    // A volume's name holds its VM's number, whatever the storage is.
    let number = format!("-{}-", target.vmid);
    for storage in [Some(rig.storage.as_str()), None] {
        let volumes = rig.pve.storage_content(storage, "images").await.unwrap();
        let own = volumes.iter().find(|volume| volume.volid.contains(&number));
        let own = own.unwrap_or_else(|| panic!("{storage:?}: no disk of {}: {volumes:?}", target.vmid));
        assert!(own.content == "images" && own.size_bytes > 0, "{own:?}");
        assert!(own.volid.starts_with(&format!("{}:", rig.storage)), "{own:?}");
    }
    let error = rig.pve.storage_content(Some("no-such-storage"), "images").await.unwrap_err();
    assert!(error.message.contains("no-such-storage"), "{error:?}");
}

pub async fn what_a_vm_sent_is_counted(rig: Arc<Rig>) {
    let target = rig.vm().await;
    let seen = async || {
        let vms = rig.pve.list_vms().await.unwrap();
        vms.into_iter().find(|vm| vm.vmid == target.vmid).expect("it is listed")
    };
    let stopped = seen().await;
    assert_eq!((stopped.power, stopped.uptime_s, stopped.in_bytes, stopped.out_bytes), (Power::Stopped, 0, 0, 0));
    rig.drive(target, Operation::Start).await.unwrap();
    let mut before = seen().await;
    assert_eq!(before.power, Power::Running);
    // Counters only grow, and so does the time since they began.
    let mut looks = 0;
    mpanel_tests::eventually("the time since its start to grow", mpanel_tests::pve_rig::patience(), async || {
        let now = seen().await;
        assert!(now.in_bytes >= before.in_bytes && now.out_bytes >= before.out_bytes, "{before:?} {now:?}");
        looks += 1;
        let grown = now.uptime_s > before.uptime_s && looks > 1;
        before = now;
        grown.then_some(())
    })
    .await;
    rig.drive(target, Operation::Stop).await.unwrap();
    assert_eq!(seen().await.in_bytes, 0, "from its next start on it counts anew");
}

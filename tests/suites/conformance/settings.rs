//! Options, passwords, CDs, templates, adoption, consoles and what would keep a VM from being moved.

use std::sync::Arc;

use mpanel_tests::pve_rig::{Rig, drive_request, patience, unseen};
use node_agent::proxmox::{
    ConfigureSpec, ErrorKind, Hypervisor, Look, MigrateSpec, Operation, OptionsSpec, Power, Presence, Secret,
};
use serde_json::Value;

async fn text(rig: &Rig, vmid: u32, key: &str) -> String {
    match &rig.pve.settings(vmid).await.unwrap()[key] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

pub async fn an_option_is_set_alone(rig: Arc<Rig>) {
    let target = rig.vm().await;
    let set = |start_on_boot, protection| Operation::SetOptions(OptionsSpec { start_on_boot, protection });
    let found = async || {
        let (onboot, protection) =
            (text(&rig, target.vmid, "onboot").await, text(&rig, target.vmid, "protection").await);
        (onboot == "1", protection == "1")
    };
    rig.drive(target, set(Some(true), None)).await.unwrap();
    assert_eq!(found().await, (true, false));
    let vms = rig.pve.list_vms().await.unwrap();
    assert!(vms.iter().any(|vm| vm.vmid == target.vmid && vm.start_on_boot), "{vms:?}");
    rig.drive(target, set(None, Some(true))).await.unwrap();
    assert_eq!(found().await, (true, true));
    let error = rig.drive(target, Operation::Destroy).await.unwrap_err();
    assert_eq!((error.kind, error.presence), (ErrorKind::Refused, Presence::Present), "{error:?}");
    let done = rig.drive(target, set(Some(false), Some(false))).await.unwrap();
    assert_eq!(found().await, (false, false));
    assert!(!done.outcome.restart_needed, "{done:?}");
    let error = rig.drive(rig.rival(target), set(Some(true), None)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ForeignVm, "{error:?}");
    assert_eq!(found().await, (false, false));
}

pub async fn what_waits_for_a_restart_is_told(rig: Arc<Rig>) {
    let target = rig.vm().await;
    let memory = |memory_mib| {
        Operation::Configure(ConfigureSpec {
            vcpu: 0,
            memory_mib,
            cloud_init_user: None,
            ssh_keys: Vec::new(),
            nics: Vec::new(),
            nameservers: Vec::new(),
            search_domain: None,
            password: None,
            start_on_boot: false,
            exact_ssh_keys: false,
            name: None,
            exact: false,
            exact_nics: false,
        })
    };
    let done = rig.drive(target, memory(192)).await.unwrap();
    assert!(!done.outcome.restart_needed, "{done:?}");
    rig.drive(target, Operation::Start).await.unwrap();
    let done = rig.drive(target, memory(224)).await.unwrap();
    assert!(done.outcome.restart_needed, "{done:?}");
    rig.drive(target, Operation::Stop).await.unwrap();
    let done = rig.drive(target, memory(224)).await.unwrap();
    assert!(!done.outcome.restart_needed, "{done:?}");
}

pub async fn a_password_needs_a_guest_agent(rig: Arc<Rig>) {
    let target = rig.vm().await;
    let set = || Operation::SetPassword { user: "root".to_owned(), password: Secret::new("correct horse") };
    let error = rig.drive(target, set()).await.unwrap_err();
    assert_eq!((error.kind, error.presence), (ErrorKind::GuestAgent, Presence::Present), "{error:?}");
    rig.drive(target, Operation::Start).await.unwrap();
    if let Some(sim) = &rig.sim {
        sim.hand().guest_agent(target.vmid, true);
    }
    let give_up = tokio::time::Instant::now() + patience();
    let set = loop {
        let done = rig.drive(target, set()).await;
        let boots = done.as_ref().is_err_and(|error| error.kind == ErrorKind::GuestAgent);
        if rig.sim.is_none() || !boots || tokio::time::Instant::now() >= give_up {
            break done;
        }
        tokio::task::yield_now().await;
    };
    match set {
        Ok(done) => assert!(done.tasks.is_empty(), "{done:?}"),
        // What runs in a real guest is not known.
        Err(error) => {
            assert!(rig.sim.is_none() && matches!(error.kind, ErrorKind::GuestAgent | ErrorKind::Refused), "{error:?}");
            assert!(!error.message.contains("correct horse"), "{error:?}");
        }
    }
}

/// A CD image of the server's, if it has one.
async fn iso(rig: &Rig) -> Option<String> {
    let isos = rig.pve.storage_content(None, "iso").await.unwrap();
    let found = isos.into_iter().next().map(|volume| volume.volid);
    if found.is_none() {
        unseen("the server has no CD image, so none was put in");
    }
    found
}

pub async fn a_cd_is_put_in_booted_from_and_taken_out(rig: Arc<Rig>) {
    let target = rig.vm().await;
    let set = |iso: Option<&str>, boot_from_cd| Operation::SetMedia { iso_volid: iso.map(str::to_owned), boot_from_cd };
    let error = rig.drive(target, set(Some("local:iso/no-such.iso"), false)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound, "{error:?}");
    let before = text(&rig, target.vmid, "boot").await;
    let Some(iso) = iso(&rig).await else { return };
    let iso = iso.as_str();
    for _ in 0..2 {
        let done = rig.drive(target, set(Some(iso), true)).await.unwrap();
        assert!(!done.outcome.restart_needed, "{done:?}");
        assert!(text(&rig, target.vmid, "sata5").await.starts_with(iso));
        assert!(text(&rig, target.vmid, "boot").await.starts_with("order=sata5;"));
    }
    rig.drive(target, set(Some(iso), false)).await.unwrap();
    assert_eq!(text(&rig, target.vmid, "boot").await, before);
    rig.drive(target, set(None, false)).await.unwrap();
    assert!(text(&rig, target.vmid, "sata5").await.starts_with("none"));
}

pub async fn a_template_is_made_once_without_its_guests_identity(rig: Arc<Rig>) {
    let target = rig.vm().await;
    let configure = ConfigureSpec {
        vcpu: 1,
        memory_mib: 192,
        cloud_init_user: Some("anna".to_owned()),
        ssh_keys: vec!["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFakeFakeFakeFakeFakeFakeFakeFakeFakeFakeFak a".to_owned()],
        nics: Vec::new(),
        nameservers: vec!["192.0.2.53".to_owned()],
        search_domain: Some("example.org".to_owned()),
        password: Some(Secret::new("correct horse")),
        start_on_boot: false,
        exact_ssh_keys: false,
        name: None,
        exact: false,
        exact_nics: false,
    };
    rig.drive(target, Operation::Configure(configure)).await.unwrap();
    // As one that is being rescued.
    let order = text(&rig, target.vmid, "boot").await;
    let iso = iso(&rig).await;
    if iso.is_some() {
        let rescue = Operation::SetMedia { iso_volid: iso.clone(), boot_from_cd: true };
        rig.drive(target, rescue).await.unwrap();
        assert_ne!(text(&rig, target.vmid, "boot").await, order);
    }
    rig.drive(target, Operation::Start).await.unwrap();
    let error = rig.drive(target, Operation::MakeTemplate).await.unwrap_err();
    assert_eq!((error.kind, error.presence), (ErrorKind::Refused, Presence::Present), "{error:?}");
    rig.drive(target, Operation::Stop).await.unwrap();
    for _ in 0..2 {
        let done = rig.drive(target, Operation::MakeTemplate).await.unwrap();
        assert_eq!(done.state.stamp.map(|stamp| stamp.pod_id), Some(target.pod_id), "{done:?}");
    }
    assert_eq!(text(&rig, target.vmid, "template").await, "1");
    for key in ["ciuser", "cipassword", "sshkeys", "ipconfig0", "nameserver", "searchdomain"] {
        assert_eq!(text(&rig, target.vmid, key).await, "", "{key} is still there");
    }
    assert_eq!(text(&rig, target.vmid, "boot").await, order, "its clones boot from their disk");
    if iso.is_some() {
        assert!(text(&rig, target.vmid, "sata5").await.starts_with("none"), "and have no CD");
    }
}

pub async fn a_vm_without_a_stamp_is_adopted_once(rig: Arc<Rig>) {
    let target = rig.vm().await;
    // The pod's own VM: nothing to do.
    let request = Rig::request(target, Operation::Adopt);
    let before = rig.pve.inspect(target.vmid).await.unwrap().stamp;
    drive_request(&*rig.pve, &request).await.unwrap();
    assert_eq!(rig.pve.inspect(target.vmid).await.unwrap().stamp, before);
    let error = rig.drive(rig.rival(target), Operation::Adopt).await.unwrap_err();
    assert_eq!((error.kind, error.presence), (ErrorKind::ForeignVm, Presence::Present), "{error:?}");
    let error = rig.drive(rig.target().await, Operation::Adopt).await.unwrap_err();
    assert_eq!((error.kind, error.presence), (ErrorKind::NotFound, Presence::Absent), "{error:?}");
    let Some(sim) = &rig.sim else { return };
    sim.hand().set_config(target.vmid, "description", Some("Anna's server\n\nwith care"));
    let done = drive_request(&*rig.pve, &request).await.unwrap();
    let stamp = done.state.stamp.unwrap();
    assert_eq!((stamp.pod_id, stamp.command_id), (target.pod_id, Some(request.command_id)));
    assert!(text(&rig, target.vmid, "description").await.starts_with("Anna's server\n\nwith care\n"));
}

pub async fn a_stamp_is_taken_off_and_nothing_else(rig: Arc<Rig>) {
    let target = rig.vm().await;
    let (rival, nobody) = (rig.rival(target), rig.target().await);
    let before = rig.pve.inspect(target.vmid).await.unwrap().stamp;
    assert!(before.is_some());
    rig.drive(rival, Operation::Release).await.unwrap();
    assert_eq!(rig.pve.inspect(target.vmid).await.unwrap().stamp, before, "another's stamp is left alone");
    let done = rig.drive(nobody, Operation::Release).await.unwrap();
    assert_eq!(done.state.presence, Presence::Absent, "{done:?}");
    if let Some(sim) = &rig.sim {
        let words = format!("Anna's server\n\nwith care\n{}", before.unwrap());
        sim.hand().set_config(target.vmid, "description", Some(&words));
    }
    let described = text(&rig, target.vmid, "description").await;
    let kept: Vec<_> = described.lines().filter(|line| !line.contains("mpanel:")).collect();
    let kept = kept.join("\n");
    for _ in 0..2 {
        let done = rig.drive(target, Operation::Release).await.unwrap();
        assert_eq!((done.state.presence, done.state.stamp), (Presence::Present, None), "{done:?}");
    }
    assert_eq!(text(&rig, target.vmid, "description").await, kept.trim_end());
    let error = rig.drive(target, Operation::Start).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ForeignVm, "it is nobody's: {error:?}");
    // Adopted again, so that it can be removed.
    rig.drive(target, Operation::Adopt).await.unwrap();
}

pub async fn a_vm_declared_lost_is_stopped_for_good_and_left(rig: Arc<Rig>) {
    let target = rig.vm().await;
    let onboot = OptionsSpec { start_on_boot: Some(true), protection: None };
    rig.drive(target, Operation::SetOptions(onboot)).await.unwrap();
    rig.drive(target, Operation::Start).await.unwrap();
    let deadline = || tokio::time::Instant::now() + patience();
    let other = rig.pve.fence(rig.rival(target), deadline()).await;
    assert_eq!((other.foreign, other.state.power), (true, Power::Running), "another's VM was stopped");
    assert!(other.error.is_some_and(|error| error.contains("left alone")), "it is not the pod's that is off");
    for _ in 0..2 {
        let fenced = rig.pve.fence(target, deadline()).await;
        assert_eq!((&fenced.error, fenced.state.power), (&None, Power::Stopped), "{fenced:?}");
        assert_ne!(text(&rig, target.vmid, "onboot").await, "1");
    }
    rig.drive(target, Operation::Destroy).await.unwrap();
    let fenced = rig.pve.fence(target, deadline()).await;
    assert_eq!((fenced.error, fenced.state.presence), (None, Presence::Absent));
}

pub async fn what_keeps_a_vm_from_being_moved_is_told(rig: Arc<Rig>) {
    let target = rig.vm().await;
    let node = rig.pve.cluster().await.unwrap().node;
    for (target_node, words) in [(node.as_str(), "already"), ("mpanel-no-such-node", "no node mpanel-no-such-node")] {
        let spec = MigrateSpec { target_node: target_node.to_owned(), ..MigrateSpec::default() };
        let error = rig.pve.look(target, &Look::CheckMigrate(spec)).await.unwrap_err();
        assert!(error.message.contains(words) || error.message.contains(target_node), "{error:?}");
        assert_ne!(error.presence, Presence::Absent, "{error:?}");
    }
    let check = rig.pve.migrate_checks(target.vmid, None).await.unwrap();
    assert!(!check.running && !check.allowed_nodes.contains(&node), "{check:?}");
    let spec = MigrateSpec { target_node: "mpanel-no-such-node".to_owned(), ..MigrateSpec::default() };
    let error = rig.drive(target, Operation::Migrate(spec)).await.unwrap_err();
    assert_eq!((error.kind, error.presence), (ErrorKind::NotFound, Presence::Unknown), "{error:?}");
    assert_eq!(rig.pve.inspect(target.vmid).await.unwrap().presence, Presence::Present);
}

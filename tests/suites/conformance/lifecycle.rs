//! What is done to a VM that exists. The guest need not boot and may ignore every signal: only power is looked at.

use std::sync::Arc;

use mpanel_tests::pve_rig::{Rig, patience, watch};
use node_agent::proxmox::{Begun, ConfigureSpec, ErrorKind, Hypervisor, Nic, Operation, Power, Presence, Secret, Upid};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFakeFakeFakeFakeFakeFakeFakeFakeFakeFakeFak mpanel+test@example.org";

fn configuration(rig: &Rig) -> ConfigureSpec {
    ConfigureSpec {
        vcpu: 1,
        memory_mib: 192,
        cloud_init_user: Some("operator".to_owned()),
        ssh_keys: vec![KEY.to_owned(), KEY.replace("mpanel+test", "second")],
        exact_ssh_keys: true,
        nics: vec![Nic {
            index: 0,
            bridge: rig.bridge.clone(),
            vlan: None,
            mac: None,
            addresses: vec!["192.0.2.10/24".to_owned(), "2001:db8::10/64".to_owned()],
            gateway4: Some("192.0.2.1".to_owned()),
            gateway6: Some("2001:db8::1".to_owned()),
            rate_mbps: Some(12.5),
        }],
        nameservers: vec!["192.0.2.53".to_owned(), "2001:db8::53".to_owned()],
        search_domain: Some("example.org".to_owned()),
        password: None,
        start_on_boot: true,
        name: Some("configured".to_owned()),
        exact: false,
        exact_nics: false,
    }
}

pub async fn a_configuration_reads_back_and_repeats(rig: Arc<Rig>) {
    let target = rig.vm().await;
    let settings = async || rig.pve.settings(target.vmid).await.unwrap();
    let text = |settings: &Value, key: &str| match &settings[key] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let before = settings().await;
    let mac = text(&before, "net0").split(',').next().unwrap().to_owned();
    let done = rig.drive(target, Operation::Configure(configuration(&rig))).await.unwrap();
    assert_eq!(done.state.presence, Presence::Present, "{done:?}");

    let after = settings().await;
    assert_eq!(
        (text(&after, "cores"), text(&after, "memory"), text(&after, "onboot")),
        ("1".into(), "192".into(), "1".into())
    );
    assert_eq!((text(&after, "ciuser"), text(&after, "searchdomain")), ("operator".into(), "example.org".into()));
    assert_eq!(text(&after, "nameserver"), "192.0.2.53 2001:db8::53");
    let addresses = "ip=192.0.2.10/24,gw=192.0.2.1,ip6=2001:db8::10/64,gw6=2001:db8::1";
    let mut expected: Vec<&str> = addresses.split(',').collect();
    let ipconfig = text(&after, "ipconfig0");
    let mut found: Vec<&str> = ipconfig.split(',').collect();
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected);
    let card = text(&after, "net0");
    let parts: Vec<&str> = card.split(',').collect();
    assert_eq!(parts[0], mac, "the card's address must stay");
    assert!(parts.contains(&format!("bridge={}", rig.bridge).as_str()) && parts.contains(&"rate=12.5"), "{card}");
    let keys = text(&after, "sshkeys");
    assert!(keys.contains("mpanel%2Btest%40example.org") && keys.contains("second%40example.org"), "{keys}");
    assert_eq!(text(&after, "description"), text(&before, "description"), "the stamp must stay");

    // The same again changes nothing; a password cannot be compared, and is stored masked.
    assert_eq!(
        rig.pve.begin(&Rig::request(target, Operation::Configure(configuration(&rig)))).await.unwrap(),
        Begun::Done
    );
    assert_eq!(settings().await["digest"], after["digest"]);
    let secret =
        ConfigureSpec { password: Some(Secret::new("not-for-logs-1")), start_on_boot: false, ..configuration(&rig) };
    rig.drive(target, Operation::Configure(secret)).await.unwrap();
    let masked = settings().await;
    assert!(!masked["cipassword"].is_null() && !masked.to_string().contains("not-for-logs-1"), "{masked}");
    assert_ne!(text(&masked, "onboot"), "1");

    assert_eq!(text(&masked, "name"), "configured");

    let keyless = ConfigureSpec { ssh_keys: Vec::new(), exact_ssh_keys: false, ..configuration(&rig) };
    rig.drive(target, Operation::Configure(keyless.clone())).await.unwrap();
    assert_eq!(text(&settings().await, "sshkeys"), keys, "no keys are said: those that are there stay");
    rig.drive(target, Operation::Configure(ConfigureSpec { exact_ssh_keys: true, ..keyless })).await.unwrap();
    assert!(settings().await["sshkeys"].is_null(), "none is wanted");

    let mut bad = configuration(&rig);
    bad.nics[0].addresses = vec!["192.0.2.300/24".to_owned()];
    let error = rig.drive(target, Operation::Configure(bad)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadParameter, "{error:?}");
    assert!(error.message.contains("nics[0].addresses"), "{error:?}");
}

pub async fn a_disk_grows_and_never_shrinks(rig: Arc<Rig>) {
    let target = rig.vm().await;
    let disk_mib =
        async || rig.pve.list_vms().await.unwrap().iter().find(|vm| vm.vmid == target.vmid).unwrap().disk_mib;
    let size_gib = disk_mib().await / 1024 + 1;
    let grow = |disk: Option<&str>, size_gib| Operation::ResizeDisk { disk: disk.map(str::to_owned), size_gib };
    let done = rig.drive(target, grow(None, size_gib)).await.unwrap();
    assert_eq!(done.tasks.len(), 1, "{done:?}");
    assert_eq!(disk_mib().await, size_gib * 1024);
    for smaller in [size_gib, size_gib - 1] {
        let done = rig.drive(target, grow(None, smaller)).await.unwrap();
        assert!(done.tasks.is_empty(), "{done:?}");
        assert_eq!(disk_mib().await, size_gib * 1024);
    }
    let error = rig.drive(target, grow(Some("scsi29"), size_gib)).await.unwrap_err();
    assert_eq!((error.kind, error.presence), (ErrorKind::NotFound, Presence::Present), "{error:?}");
}

pub async fn start_and_stop_may_be_repeated(rig: Arc<Rig>) {
    let target = rig.vm().await;
    let done = rig.drive(target, Operation::Start).await.unwrap();
    assert_eq!((done.tasks.len(), done.state.power), (1, Power::Running), "{done:?}");
    let state = rig.pve.wait_power(target, Power::Running, watch(patience(), &CancellationToken::new(), &|_| {})).await;
    assert_eq!(state.unwrap().power, Power::Running);
    let again = rig.drive(target, Operation::Start).await.unwrap();
    assert!(again.tasks.is_empty() && again.state.power == Power::Running, "{again:?}");

    let done = rig.drive(target, Operation::Stop).await.unwrap();
    assert_eq!((done.tasks.len(), done.state.power), (1, Power::Stopped), "{done:?}");
    let again = rig.drive(target, Operation::Stop).await.unwrap();
    assert!(again.tasks.is_empty() && again.state.power == Power::Stopped, "{again:?}");
}

pub async fn a_forced_shutdown_ends_in_stopped(rig: Arc<Rig>) {
    let target = rig.vm().await;
    let shutdown = || Operation::Shutdown { timeout_s: 3, force: true };
    rig.drive(target, Operation::Start).await.unwrap();
    let done = rig.drive(target, shutdown()).await.unwrap();
    assert_eq!((done.state.presence, done.state.power), (Presence::Present, Power::Stopped), "{done:?}");
    let again = rig.drive(target, shutdown()).await.unwrap();
    assert!(again.tasks.is_empty() && again.state.power == Power::Stopped, "{again:?}");
}

pub async fn a_reboot_leaves_the_vm_running(rig: Arc<Rig>) {
    let target = rig.vm().await;
    let reboot = || Operation::Reboot { timeout_s: 5 };
    let error = rig.drive(target, reboot()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::TaskFailed, "{error:?}");
    assert!(error.message.contains("not running"), "{error:?}");
    rig.drive(target, Operation::Start).await.unwrap();
    match rig.drive(target, reboot()).await {
        Ok(done) => assert_eq!(done.tasks.len(), 1, "{done:?}"),
        // A guest that ignores it: Proxmox gives up and the VM goes on.
        Err(error) => {
            assert_eq!((error.kind, error.presence), (ErrorKind::TaskFailed, Presence::Present), "{error:?}");
            assert!(error.upid.is_some() && !error.message.is_empty(), "{error:?}");
        }
    }
    let wait = watch(patience(), &CancellationToken::new(), &|_| {});
    assert_eq!(rig.pve.wait_power(target, Power::Running, wait).await.unwrap().power, Power::Running);
}

pub async fn destroy_may_be_repeated_and_stops_first(rig: Arc<Rig>) {
    let target = rig.vm().await;
    rig.drive(target, Operation::Start).await.unwrap();
    let done = rig.drive(target, Operation::Destroy).await.unwrap();
    let kinds: Vec<&str> = done.tasks.iter().map(Upid::kind).collect();
    assert_eq!((kinds, done.state.presence), (vec!["qmstop", "qmdestroy"], Presence::Absent), "{done:?}");
    let again = rig.drive(target, Operation::Destroy).await.unwrap();
    assert!(again.tasks.is_empty() && again.state.presence == Presence::Absent, "{again:?}");
}

pub async fn another_pods_vm_is_left_alone(rig: Arc<Rig>) {
    let owner = rig.vm().await;
    let before = rig.pve.settings(owner.vmid).await.unwrap();
    let rival = rig.rival(owner);
    let operations = [
        Operation::Destroy,
        Operation::Start,
        Operation::Stop,
        Operation::Shutdown { timeout_s: 1, force: true },
        Operation::Reboot { timeout_s: 1 },
        Operation::ResizeDisk { disk: None, size_gib: 64 },
        Operation::Configure(configuration(&rig)),
    ];
    for operation in operations {
        let error = rig.drive(rival, operation.clone()).await.unwrap_err();
        assert_eq!((error.kind, error.presence), (ErrorKind::ForeignVm, Presence::Present), "{operation:?}: {error:?}");
        assert!(error.message.contains(&owner.pod_id.to_string()), "{error:?}");
    }
    assert_eq!(rig.pve.settings(owner.vmid).await.unwrap(), before);
    assert_eq!(rig.pve.inspect(owner.vmid).await.unwrap().power, Power::Stopped);
}

pub async fn what_is_missing_is_told_as_absent(rig: Arc<Rig>) {
    let target = rig.target().await;
    for operation in [Operation::Start, Operation::Stop, Operation::Configure(configuration(&rig))] {
        let error = rig.drive(target, operation).await.unwrap_err();
        assert_eq!((error.kind, error.presence), (ErrorKind::NotFound, Presence::Absent), "{error:?}");
    }
    let done = rig.drive(target, Operation::Destroy).await.unwrap();
    assert!(done.tasks.is_empty() && done.state.presence == Presence::Absent, "{done:?}");
}

fn with_two_cards(rig: &Rig) -> ConfigureSpec {
    let mut full = configuration(rig);
    let addresses = vec!["192.0.2.11/24".to_owned()];
    full.nics.push(Nic { index: 1, addresses, gateway4: None, gateway6: None, ..full.nics[0].clone() });
    full
}

pub async fn what_an_exact_configuration_does_not_name_is_taken_away(rig: Arc<Rig>) {
    let target = rig.vm().await;
    let settings = async || rig.pve.settings(target.vmid).await.unwrap();
    let mut full = with_two_cards(&rig);
    full.password = Some(Secret::new("not-for-logs-2"));
    rig.drive(target, Operation::Configure(full.clone())).await.unwrap();
    let before = settings().await;
    let gone = ["net1", "ipconfig0", "ipconfig1", "nameserver", "searchdomain", "cipassword"];
    assert!(gone.iter().all(|key| !before[*key].is_null()), "{before}");

    let card = Nic { addresses: Vec::new(), gateway4: None, gateway6: None, ..full.nics[0].clone() };
    let bare = ConfigureSpec {
        nics: vec![card],
        nameservers: Vec::new(),
        search_domain: None,
        password: None,
        exact: true,
        exact_nics: false,
        ..full
    };
    let done = rig.drive(target, Operation::Configure(bare.clone())).await.unwrap();
    let after = settings().await;
    assert!(gone.iter().all(|key| after[*key].is_null()), "{after}");
    assert_eq!((&after["net0"], &after["description"]), (&before["net0"], &before["description"]));
    assert_eq!(done.state.macs.keys().collect::<Vec<_>>(), [&0], "{done:?}");
    assert_eq!(rig.pve.begin(&Rig::request(target, Operation::Configure(bare))).await.unwrap(), Begun::Done);
}

pub async fn what_exact_cards_do_not_name_is_taken_away_and_nothing_else(rig: Arc<Rig>) {
    let target = rig.vm().await;
    let settings = async || rig.pve.settings(target.vmid).await.unwrap();
    let mut full = with_two_cards(&rig);
    full.password = Some(Secret::new("not-for-logs-3"));
    rig.drive(target, Operation::Configure(full.clone())).await.unwrap();
    let before = settings().await;
    let cards = ConfigureSpec {
        vcpu: 0,
        memory_mib: 0,
        cloud_init_user: None,
        ssh_keys: Vec::new(),
        exact_ssh_keys: false,
        nics: vec![Nic { mac: Some("BC:24:11:00:0A:01".to_owned()), rate_mbps: None, ..full.nics[0].clone() }],
        nameservers: Vec::new(),
        search_domain: None,
        password: None,
        start_on_boot: true,
        name: None,
        exact: false,
        exact_nics: true,
    };
    let done = rig.drive(target, Operation::Configure(cards.clone())).await.unwrap();
    let after = settings().await;
    assert!(["net1", "ipconfig1"].iter().all(|key| !before[*key].is_null() && after[*key].is_null()), "{after}");
    for kept in
        ["ipconfig0", "nameserver", "searchdomain", "cipassword", "ciuser", "sshkeys", "cores", "memory", "onboot"]
    {
        assert_eq!(after[kept], before[kept], "{kept}");
    }
    let macs: Vec<_> = done.state.macs.into_iter().collect();
    assert_eq!(macs, [(0, "BC:24:11:00:0A:01".to_owned())]);
    assert_eq!(rig.pve.begin(&Rig::request(target, Operation::Configure(cards))).await.unwrap(), Begun::Done);
}

pub async fn a_paused_vm_is_resumed(rig: Arc<Rig>) {
    let target = rig.vm().await;
    rig.drive(target, Operation::Start).await.unwrap();
    rig.pause(target).await;
    let done = rig.drive(target, Operation::Start).await.unwrap();
    assert_eq!((done.tasks.len(), done.state.power), (1, Power::Running), "{done:?}");
    rig.pause(target).await;
    let done = rig.drive(target, Operation::Stop).await.unwrap();
    assert_eq!(done.state.power, Power::Stopped, "{done:?}");
}

//! Answers that are late, broken, strange or missing: an error of the right kind, and never "absent".

use std::time::Duration;

use mpanel_tests::eventually;
use mpanel_tests::pve_rig::{Rig, drive, run_simulated, sim_config};
use node_agent::proxmox::{
    Begun, CheckState, ConfigureSpec, ErrorKind, Hypervisor, Operation, PRIVILEGES, Power, Presence, ProbeSpec, Target,
};
use pve_sim::{Action, Fault, TaskAction};
use uuid::Uuid;

fn status(status: u16, reason: &str) -> Action {
    Action::Status { status, reason: reason.to_owned() }
}

fn always(method: &str, path: &str, action: Action) -> Fault {
    Fault { method: Some(method.to_owned()), path: path.to_owned(), skip: 0, times: None, action }
}

fn configuration() -> ConfigureSpec {
    ConfigureSpec {
        vcpu: 2,
        memory_mib: 512,
        cloud_init_user: Some("anna".to_owned()),
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
    }
}

#[tokio::test]
async fn no_broken_answer_is_ever_absent() {
    run_simulated(sim_config(), async |rig: std::sync::Arc<Rig>| {
        let (vm, missing) = (rig.vm().await, rig.target().await);
        let impatient = rig.other(|config| config.call_timeout = Duration::from_millis(300));
        let actions = [
            (status(595, "No route to host"), ErrorKind::Unavailable),
            (status(596, "Broken pipe"), ErrorKind::Unavailable),
            (status(599, "Too many redirections"), ErrorKind::Unavailable),
            (status(500, "Internal Server Error"), ErrorKind::Unavailable),
            (status(503, "Service Unavailable"), ErrorKind::Unavailable),
            (Action::Html { status: 502 }, ErrorKind::Unavailable),
            (Action::Html { status: 200 }, ErrorKind::Unavailable),
            (Action::Html { status: 404 }, ErrorKind::Unavailable),
            (Action::Garbage, ErrorKind::Unavailable),
            (Action::Close, ErrorKind::Unavailable),
            (Action::CloseMidBody, ErrorKind::Unavailable),
            (Action::Hang, ErrorKind::Timeout),
        ];
        for (action, kind) in actions {
            let mut looks = vec![
                ("/nodes/*/qemu", missing),
                ("/cluster/nextid", missing),
                ("/nodes/*/qemu/*/config", vm),
                ("/nodes/*/qemu/*/status/current", vm),
            ];
            // Of an error the status line is the whole answer: where only its body is cut, nothing is lost.
            if action != Action::CloseMidBody {
                looks.push(("/nodes/*/qemu/*/config", missing));
            }
            for (path, target) in looks {
                rig.sim().faults().add(always("GET", path, action.clone()));
                let error = impatient.inspect(target.vmid).await.unwrap_err();
                assert_eq!((error.kind, error.presence), (kind, Presence::Unknown), "{action:?} at {path}: {error:?}");
                assert!(!error.message.is_empty(), "{error:?}");
                rig.sim().faults().clear();
            }
        }
        assert_eq!(impatient.inspect(missing.vmid).await.unwrap().presence, Presence::Absent);
    })
    .await;
}

#[tokio::test]
async fn unknown_fields_and_numbers_as_strings_change_nothing() {
    for action in [Action::UnknownFields, Action::NumbersAsStrings] {
        run_simulated(sim_config(), async |rig: std::sync::Arc<Rig>| {
            let host = rig.pve.host_status().await.unwrap();
            let storages = rig.pve.storages().await.unwrap();
            rig.sim().faults().add(Fault {
                method: None,
                path: "*".to_owned(),
                skip: 0,
                times: None,
                action: action.clone(),
            });
            let vm = rig.vm().await;
            rig.drive(vm, Operation::Configure(configuration())).await.unwrap();
            rig.drive(vm, Operation::ResizeDisk { disk: None, size_gib: 4 }).await.unwrap();
            assert_eq!(rig.drive(vm, Operation::Start).await.unwrap().state.power, Power::Running);
            let vms = rig.pve.list_vms().await.unwrap();
            let listed = vms.iter().find(|listed| listed.vmid == vm.vmid).unwrap();
            assert_eq!(listed.stamp.map(|stamp| stamp.pod_id), Some(vm.pod_id), "{listed:?}");
            assert_eq!((listed.vcpu, listed.memory_mib, listed.disk_mib), (2, 512, 4096), "{listed:?}");
            assert_eq!(rig.pve.host_status().await.unwrap().memory_total_mib, host.memory_total_mib);
            assert_eq!(rig.pve.storages().await.unwrap()[0].total_mib, storages[0].total_mib);
            assert_eq!(rig.drive(vm, Operation::Destroy).await.unwrap().state.presence, Presence::Absent);
        })
        .await;
    }
}

#[tokio::test]
async fn a_clone_whose_answer_was_lost_is_found_and_not_made_twice() {
    run_simulated(sim_config(), async |rig: std::sync::Arc<Rig>| {
        for action in [Action::LoseAnswer, Action::CloseMidBody] {
            let target = rig.target().await;
            rig.sim().faults().forget_calls();
            rig.sim().faults().next("POST", "/nodes/*/qemu/*/clone", 1, action);
            let request = Rig::request(target, rig.clone_of_template(target, true));
            let error = rig.pve.begin(&request).await.unwrap_err();
            assert_eq!((error.kind, error.presence), (ErrorKind::Unavailable, Presence::Unknown), "{error:?}");
            let done = rig.drive(target, request.operation.clone()).await.unwrap();
            assert_eq!(done.state.stamp.and_then(|stamp| stamp.command_id), Some(request.command_id), "{done:?}");
            assert_eq!(rig.sim().faults().count("POST", "/nodes/*/qemu/*/clone"), 1);
        }
    })
    .await;
}

#[tokio::test]
async fn a_clone_that_waits_in_proxmox_keeps_its_vmid() {
    run_simulated(sim_config(), async |rig: std::sync::Arc<Rig>| {
        let target = rig.target().await;
        // Long enough for every answer that comes; the clone's does not before it is let go.
        let impatient = rig.other(|config| config.call_timeout = Duration::from_secs(5));
        rig.sim().faults().next("POST", "/nodes/*/qemu/*/clone", 1, Action::Hold);
        let request = Rig::request(target, rig.clone_of_template(target, true));
        let error = impatient.begin(&request).await.unwrap_err();
        assert_eq!((error.kind, error.presence), (ErrorKind::Timeout, Presence::Unknown), "{error:?}");
        assert_eq!(impatient.find_task(&request, 0).await.unwrap(), None);
        let destroy = Rig::request(target, Operation::Destroy);
        for error in [impatient.begin(&destroy).await.unwrap_err(), impatient.inspect(target.vmid).await.unwrap_err()] {
            assert_eq!((error.kind, error.presence), (ErrorKind::Locked, Presence::Unknown), "{error:?}");
            assert!(error.message.contains("may still"), "{error:?}");
        }
        // The clone comes after all, and is removed like any other.
        let arrived = async || (!rig.sim().faults().held().is_empty()).then_some(());
        eventually("the clone's call to have come", Duration::from_mins(1), arrived).await;
        rig.sim().faults().release();
        let done = drive(&impatient, target, Operation::Destroy).await.unwrap();
        assert_eq!(done.state.presence, Presence::Absent, "{done:?}");
        assert_eq!(rig.sim().hand().history().iter().filter(|made| made.vmid == target.vmid).count(), 1);
        assert!(!done.tasks.is_empty(), "{done:?}");
    })
    .await;
}

#[tokio::test]
async fn a_clone_that_has_not_made_its_vm_yet_is_waited_for() {
    run_simulated(sim_config(), async |rig: std::sync::Arc<Rig>| {
        let target = rig.target().await;
        rig.sim().faults().next_task("qmclone", TaskAction::Hold);
        let request = Rig::request(target, rig.clone_of_template(target, true));
        rig.pve.begin(&request).await.unwrap();
        rig.sim().faults().wait_held("qmclone").await;
        assert!(rig.sim().hand().delete_vm(target.vmid), "the VM is taken away from under its clone");
        let reborn = rig.other(|_| {});
        let error = reborn.begin(&Rig::request(target, Operation::Destroy)).await.unwrap_err();
        assert_eq!((error.kind, error.presence), (ErrorKind::Locked, Presence::Unknown), "{error:?}");
        // A clone that makes another VM is in nobody's way.
        let other = rig.target().await;
        assert_eq!(reborn.begin(&Rig::request(other, Operation::Destroy)).await.unwrap(), Begun::Done);
        rig.sim().faults().release();
        assert_eq!(drive(&reborn, target, Operation::Destroy).await.unwrap().state.presence, Presence::Absent);
    })
    .await;
}

#[tokio::test]
async fn a_closed_connection_is_tried_again_for_reading_only() {
    run_simulated(sim_config(), async |rig: std::sync::Arc<Rig>| {
        rig.sim().faults().next("GET", "/version", 1, Action::Close);
        rig.pve.version().await.unwrap();
        let vm = rig.vm().await;
        rig.sim().faults().forget_calls();
        rig.sim().faults().next("POST", "/nodes/*/qemu/*/status/start", 1, Action::Close);
        let error = rig.pve.begin(&Rig::request(vm, Operation::Start)).await.unwrap_err();
        assert_eq!((error.kind, error.presence), (ErrorKind::Unavailable, Presence::Unknown), "{error:?}");
        assert_eq!(rig.sim().faults().count("POST", "/nodes/*/qemu/*/status/start"), 1);
    })
    .await;
}

#[tokio::test]
async fn calls_are_bounded_in_time_and_number() {
    run_simulated(sim_config(), async |rig: std::sync::Arc<Rig>| {
        let narrow = rig.other(|config| {
            config.calls_max = 1;
            config.call_timeout = Duration::from_millis(300);
        });
        rig.sim().faults().forget_calls();
        rig.sim().faults().next("GET", "/version", 1, Action::Hang);
        let (first, second) = tokio::join!(narrow.version(), narrow.version());
        let kinds = [first, second].map(|outcome| outcome.map_err(|error| error.kind));
        assert_eq!(kinds[0], Err(ErrorKind::Timeout));
        // The second one waited for the first; then it was sent, or had waited long enough.
        assert!(kinds[1].is_ok() || kinds[1] == Err(ErrorKind::Unavailable), "{kinds:?}");
        narrow.version().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_configuration_that_changed_meanwhile_is_read_again() {
    run_simulated(sim_config(), async |rig: std::sync::Arc<Rig>| {
        let vm = rig.vm().await;
        let stale = || status(500, "checksum mismatch (file change by other user?)");
        rig.sim().faults().next("PUT", "/nodes/*/qemu/*/config", 2, stale());
        let request = Rig::request(vm, Operation::Configure(configuration()));
        assert_eq!(rig.pve.begin(&request).await.unwrap(), Begun::Done);
        rig.drive(vm, Operation::Configure(ConfigureSpec { vcpu: 1, ..configuration() })).await.unwrap();
        rig.sim().faults().add(always("PUT", "/nodes/*/qemu/*/config", stale()));
        let error = rig.pve.begin(&request).await.unwrap_err();
        assert_eq!((error.kind, error.presence), (ErrorKind::Locked, Presence::Present), "{error:?}");
    })
    .await;
}

#[tokio::test]
async fn a_disk_of_its_number_that_is_not_in_its_configuration_outlives_a_vm() {
    run_simulated(sim_config(), async |rig: std::sync::Arc<Rig>| {
        let vm = rig.vm().await;
        let (hand, others) = (rig.sim().hand(), format!("vm-{}-disk-7.qcow2", vm.vmid));
        assert!(hand.add_disk("local", vm.vmid, &others));
        rig.drive(vm, Operation::Destroy).await.unwrap();
        let left: Vec<_> =
            hand.volumes("local").into_iter().filter(|n| n.starts_with(&format!("{}/", vm.vmid))).collect();
        assert_eq!(left, [format!("{}/{others}", vm.vmid)], "it may be the disk of a VM of another cluster");
    })
    .await;
}

#[tokio::test]
async fn a_vm_without_a_stamp_is_never_written_to() {
    run_simulated(sim_config(), async |rig: std::sync::Arc<Rig>| {
        let template = Target { vmid: rig.template, pod_id: Uuid::from_u128(1) };
        rig.sim().faults().forget_calls();
        let operations = [
            Operation::Destroy,
            Operation::Start,
            Operation::Stop,
            Operation::Shutdown { timeout_s: 1, force: true },
            Operation::Reboot { timeout_s: 1 },
            Operation::ResizeDisk { disk: None, size_gib: 64 },
            Operation::Configure(configuration()),
        ];
        for operation in operations {
            let error = rig.drive(template, operation).await.unwrap_err();
            assert_eq!((error.kind, error.presence), (ErrorKind::ForeignVm, Presence::Present), "{error:?}");
        }
        let writes: Vec<_> = rig.sim().faults().calls().into_iter().filter(|call| call.method != "GET").collect();
        assert_eq!(writes, []);
    })
    .await;
}

#[tokio::test]
async fn a_token_without_rights_is_told_what_to_grant() {
    run_simulated(sim_config(), async |rig: std::sync::Arc<Rig>| {
        let vm = rig.vm().await;
        let token = rig.sim().add_token("mpanel@pve", "agent", "/pool", &["Pool.Audit"]);
        let weak = rig.other(|config| config.token = token.parse().unwrap());
        for vmid in [vm.vmid, vm.vmid + 1] {
            let error = weak.inspect(vmid).await.unwrap_err();
            assert_eq!((error.kind, error.status), (ErrorKind::Permission, Some(403)), "{error:?}");
            assert_eq!(error.presence, Presence::Unknown, "{error:?}");
        }
        let checks = std::sync::Mutex::new(Vec::new());
        weak.probe(&ProbeSpec::default(), &|check| checks.lock().unwrap().push(check)).await;
        let checks = checks.into_inner().unwrap();
        let failed = checks.iter().find(|check| check.state == CheckState::Fail).unwrap();
        for privilege in PRIVILEGES.iter().flat_map(|(_, privileges)| *privileges) {
            assert!(failed.advice.contains(privilege), "{privilege}: {failed:?}");
        }
        assert!(failed.advice.contains("pveum") && failed.advice.contains("mpanel@pve!agent"), "{failed:?}");
        assert_eq!(drive(&weak, vm, Operation::Start).await.unwrap_err().kind, ErrorKind::Permission);
    })
    .await;
}

#[tokio::test]
async fn an_inventory_reads_each_description_once() {
    run_simulated(sim_config(), async |rig: std::sync::Arc<Rig>| {
        let (one, two) = (rig.vm().await, rig.vm().await);
        rig.sim().faults().forget_calls();
        for _ in 0..3 {
            assert_eq!(rig.pve.list_vms().await.unwrap().len(), 3);
        }
        assert_eq!(rig.sim().faults().count("GET", "/nodes/*/qemu/*/config"), 3);
        let options = "/nodes/*/qemu/*/firewall/options";
        assert_eq!(rig.sim().faults().count("GET", options), 2, "of ours alone");
        rig.drive(one, Operation::Destroy).await.unwrap();
        rig.drive(two, Operation::Start).await.unwrap();
        rig.sim().faults().forget_calls();
        assert_eq!(rig.pve.list_vms().await.unwrap().len(), 2);
        assert_eq!(
            rig.sim().faults().count("GET", "/nodes/*/qemu/*/config"),
            1,
            "only the one that was worked on is read again"
        );
        assert_eq!(rig.sim().faults().count("GET", options), 1, "and its firewall with it");
    })
    .await;
}

#[tokio::test]
async fn a_firewall_that_cannot_be_read_is_told_as_it_was_and_holds_no_inventory_up() {
    run_simulated(sim_config(), async |rig: std::sync::Arc<Rig>| {
        let vm = rig.vm().await;
        let options = async || {
            rig.pve.read_anew(tokio::time::Instant::now());
            let vms = rig.pve.list_vms().await.unwrap();
            vms.into_iter().find(|found| found.vmid == vm.vmid).unwrap().firewall
        };
        let known = options().await;
        assert!(known.is_some_and(|options| !options.enabled && options.mac_filter), "{known:?}");
        let fault = always("GET", "/nodes/*/qemu/*/firewall/options", status(500, "unable to open file"));
        rig.sim().faults().add(fault.clone());
        assert_eq!(options().await, known);
        rig.drive(vm, Operation::Start).await.unwrap();
        assert_eq!(options().await, None, "an operation of ours may have changed it");
        rig.sim().faults().clear();
        let next = rig.pve.list_vms().await.unwrap().into_iter().find(|found| found.vmid == vm.vmid).unwrap();
        assert_eq!(next.firewall, known, "what could not be read is read again at the next look");
        assert!(rig.sim().hand().set_firewall_option(vm.vmid, "enable", Some("1")));
        assert!(options().await.is_some_and(|options| options.enabled));
    })
    .await;
}

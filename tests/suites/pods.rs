//! CloudPods from the request to the last thing they hold, on both databases, with agents that keep their VMs in memory.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use control_plane::db::Window;
use control_plane::domain::access::Permissions;
use control_plane::domain::audit::Scope;
use control_plane::domain::cloudpods::{CloudPodPatch, DesiredPower, Detail, Find, PlacementInput, State};
use control_plane::domain::ipam::IpPoolCreate;
use control_plane::domain::jobs::{FailureKind, JobState, Power};
use control_plane::domain::scheduling::Verdict;
use control_plane::domain::servers::InventoryVm;
use control_plane::domain::sort::AgeOrName;
use control_plane::error::Error;
use control_plane::ids::{CloudPodId, TenantId};
use mpanel_tests::databases;
use mpanel_tests::pod_bench::{PodBench, SSH_KEY, TEMPLATE, actor, request, two_stuck, vm};
use mpanel_tests::scripted_agent::Fail;

#[path = "pods/backups.rs"]
mod backups;
#[path = "pods/captures.rs"]
mod captures;
#[path = "pods/moves.rs"]
mod moves;
#[path = "pods/network.rs"]
mod network;
#[path = "pods/operations.rs"]
mod operations;
#[path = "pods/proofs.rs"]
mod proofs;
#[path = "pods/remake.rs"]
mod remake;
#[path = "pods/rest.rs"]
mod rest;
#[path = "pods/restores.rs"]
mod restores;
#[path = "pods/snapshots.rs"]
mod snapshots;
#[path = "pods/upkeep.rs"]
mod upkeep;

use proofs::{ask, done};

const NOTHING: [i64; 4] = [0; 4];
/// One pod: room, a v4 and a v6 address, a VMID, a VM.
const ONE_POD: [i64; 4] = [1, 2, 1, 1];

#[tokio::test]
async fn a_pod_runs_as_it_was_asked_for_and_leaves_nothing_behind() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let server = bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        assert_eq!(bench.held().await, ONE_POD, "{}", database.name);
        let Detail { pod, addresses } = bench.pod(pod).await;
        assert_eq!((pod.state, pod.desired_power), (State::Active, DesiredPower::Running));
        assert_eq!(pod.observed_power, Power::Running);
        assert_eq!(pod.server.as_ref().unwrap().name, "pve1");
        assert_eq!(addresses.len(), 2);
        let (at, vmid, vm) = bench.agents.vms().remove(0);
        assert_eq!((at, Some(vmid), vm.power, vm.disk_gib), (server, pod.vmid, Power::Running, 20));
        assert_eq!((vm.name.as_str(), vm.pod), ("web-1", Some(pod.id)));
        let configure = vm.configure.unwrap();
        assert_eq!((configure.vcpu, configure.memory_mib), (2, 4096));
        assert_eq!((configure.cloud_init_user.as_str(), configure.ssh_keys), ("debian", vec![SSH_KEY.to_owned()]));
        assert_eq!(configure.nameservers, ["192.0.2.53", "2001:db8::53"]);
        let [nic] = &configure.nics[..] else { panic!("{:?}", configure.nics) };
        assert_eq!((nic.index, nic.bridge.as_str(), nic.vlan), (0, "vmbr0", None));
        assert_eq!((nic.gateway4.as_str(), nic.gateway6.as_str()), ("192.0.2.1", "2001:db8::1"));
        let expected: Vec<_> = addresses.iter().map(|a| format!("{}/{}", a.address, a.prefix_length)).collect();
        assert_eq!(nic.addresses, expected);
        assert_eq!(
            bench.agents.orders(),
            ["clone", "configure", "resize_disk", "set_firewall", "start", "wait_power"],
            "one command each, in order"
        );

        done(&bench, "destroy", pod.id).await;
        assert_eq!(bench.held().await, NOTHING, "{}", database.name);
        let gone = bench.pod(pod.id).await;
        assert!(matches!(gone.pod.state, State::Deleted { .. }));
        assert_eq!((gone.pod.server, gone.pod.vmid, gone.addresses.len()), (None, None, 0));
    }
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        for kind in [FailureKind::Locked, FailureKind::Timeout, FailureKind::Lost] {
            for command in ["clone", "configure", "start"] {
                bench.agents.fail(command, 2, Fail::After, kind);
            }
            let pod = bench.active(&format!("web-{}", kind.code().len())).await;
            bench.agents.fail("destroy", 2, Fail::Before, kind);
            done(&bench, "destroy", pod).await;
            assert_eq!(bench.held().await, NOTHING, "{} {kind:?}", database.name);
        }
    }
}

#[tokio::test]
async fn what_was_stopped_by_hand_while_it_is_waited_for_is_started_again() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        bench.agents.hold("wait_power");
        let (detail, provision) = bench.create("web-1").await.unwrap();
        bench.out("wait_power").await;
        bench.agents.vm_change(detail.pod.id, |vm| vm.power = Power::Stopped);
        bench.agents.release("wait_power");
        assert_eq!(bench.over(provision.id).await.state, JobState::Succeeded, "{}", database.name);
        assert_eq!(bench.pod(detail.pod.id).await.pod.observed_power, Power::Running);
        assert_eq!(bench.agents.vms().remove(0).2.power, Power::Running, "{}", database.name);
    }
}

#[tokio::test]
async fn a_vmid_that_somebody_took_by_hand_is_left_to_them() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let server = bench.server("pve1", 16).await;
        let first = bench.active("web-1").await;
        let vmid = bench.pod(first).await.pod.vmid.unwrap();
        done(&bench, "destroy", first).await;
        let taken = [vmid, vmid + 1, vmid + 2];
        for vmid in taken {
            bench.agents.foreign_vm(server, vmid);
        }
        let pod = bench.active("web-2").await;
        let own = bench.pod(pod).await.pod.vmid.unwrap();
        assert!(!taken.contains(&own), "{}: {own}", database.name);
        assert_eq!(bench.held().await, ONE_POD);
        done(&bench, "destroy", pod).await;
        assert_eq!(bench.held().await, NOTHING);
    }
}

#[tokio::test]
async fn nothing_is_freed_before_the_vm_is_known_to_be_absent() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        bench.agents.vague();
        bench.agents.fail("start", 1, Fail::Before, FailureKind::NoSpace);
        let (detail, job) = bench.create("web-1").await.unwrap();
        let stuck = bench.over(job.id).await;
        assert_eq!(stuck.state, JobState::Stuck, "{}", database.name);
        assert_eq!(bench.held().await[..3], ONE_POD[..3], "what it holds stays held");
        let State::Failed { cause } = bench.pod(detail.pod.id).await.pod.state else { panic!("not failed") };
        assert!(cause.contains("still holds") && cause.contains("scripted"), "{cause}");

        let (_, destroy) = ask(&bench, "destroy", Some(detail.pod.id), "").await.unwrap();
        assert_eq!(bench.over(destroy.id).await.state, JobState::Failed);
        assert_eq!(bench.held().await[..3], ONE_POD[..3], "nor does a destroy free it");

        bench.agents.heal();
        done(&bench, "destroy", detail.pod.id).await;
        assert_eq!(bench.held().await, NOTHING);
        assert_eq!(bench.over(job.id).await.state, JobState::Failed, "the stuck job finds nothing left to undo");
        let mut at = bench.db.snapshot().await.unwrap();
        assert!(bench.jobs.stuck_check(at.conn()).await.unwrap().is_ok(), "{}", database.name);
        assert!(matches!(bench.pod(detail.pod.id).await.pod.state, State::Deleted { .. }));
    }
}

#[tokio::test]
async fn a_pod_deleted_while_it_is_made_is_gone_in_the_end() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        for held in [None, Some("clone"), Some("configure"), Some("wait_power")] {
            let (detail, provision) = bench.create("web-1").await.unwrap();
            if let Some(command) = held {
                bench.agents.hold(command);
                bench.out(command).await;
            }
            let (deleting, job) = ask(&bench, "destroy", Some(detail.pod.id), "").await.unwrap();
            assert_eq!(deleting.pod.state, State::Deleting);
            let (_, again) = ask(&bench, "destroy", Some(detail.pod.id), "").await.unwrap();
            assert_eq!(again.id, job.id, "a repeated DELETE gives the same job");
            let what = format!("{} {held:?}", database.name);
            assert_eq!(bench.over(provision.id).await.state, JobState::Cancelled, "{what}");
            assert_eq!(bench.over(job.id).await.state, JobState::Succeeded, "{what}");
            assert!(matches!(bench.pod(detail.pod.id).await.pod.state, State::Deleted { .. }), "{what}");
            assert_eq!(bench.held().await, NOTHING, "{what}");
            let (_, gone) = ask(&bench, "destroy", Some(detail.pod.id), "").await.unwrap();
            assert_eq!(gone.id, job.id, "{what}: also when it is over");
            held.inspect(|command| bench.agents.release(command));
        }
    }
}

#[tokio::test]
async fn a_destroy_waits_for_its_server_and_can_be_cancelled_only_before_it_begins() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let server = bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        bench.agents.hold("stop");
        let (_, stop) = ask(&bench, "stop", Some(pod), "").await.unwrap();
        bench.out("stop").await;
        let (_, destroy) = ask(&bench, "destroy", Some(pod), "").await.unwrap();
        bench.jobs.job_cancel(&actor(), Scope::Platform, destroy.id).await.unwrap();
        assert_eq!(bench.over(stop.id).await.state, JobState::Cancelled, "{}", database.name);
        let Detail { pod: restored, .. } = bench.pod(pod).await;
        assert_eq!((restored.state, restored.desired_power), (State::Active, DesiredPower::Running));

        bench.agents.disconnect(server);
        let (_, destroy) = ask(&bench, "destroy", Some(pod), "").await.unwrap();
        mpanel_tests::eventually("the destroy waits", mpanel_tests::pod_bench::SOON, async || {
            bench.engine.dispatch().await.unwrap();
            let (job, _) = bench.jobs.job_get(Scope::Platform, destroy.id).await.unwrap();
            (job.waits_for == Some(server)).then_some(())
        })
        .await;
        let late = bench.jobs.job_cancel(&actor(), Scope::Platform, destroy.id).await.unwrap_err();
        assert_eq!(late.code(), "job_past_return");
        assert_eq!(bench.held().await, ONE_POD);
        bench.engine.session_started(server, || bench.agents.connect(server)).await.unwrap();
        assert_eq!(bench.over(destroy.id).await.state, JobState::Succeeded);
        assert_eq!(bench.held().await, NOTHING);
    }
}

#[tokio::test]
async fn power_follows_the_request_and_states_that_forbid_it_say_so() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        for (kind, desired, observed) in [
            ("stop", DesiredPower::Stopped, Power::Stopped),
            ("start", DesiredPower::Running, Power::Running),
            ("reboot", DesiredPower::Running, Power::Running),
            ("shutdown", DesiredPower::Stopped, Power::Stopped),
        ] {
            done(&bench, kind, pod).await;
            let Detail { pod, .. } = bench.pod(pod).await;
            assert_eq!((pod.desired_power, pod.observed_power), (desired, observed), "{} {kind}", database.name);
        }
        let refused = |error: Error| (error.code(), error.to_string());
        let (code, text) = refused(ask(&bench, "reboot", Some(pod), "").await.unwrap_err());
        assert_eq!(code, "cloudpod_stopped", "{text}");
        let late = bench.pods.cloudpod_shutdown(&actor(), Scope::Platform, pod, 0, true).await.unwrap_err();
        assert_eq!(late.to_string(), "timeout_s: is 0; 5 to 3600 are allowed");

        bench.agents.hold("clone");
        let (new, _) = bench.create("web-2").await.unwrap();
        for kind in ["start", "stop", "shutdown", "reboot"] {
            let (code, text) = refused(ask(&bench, kind, Some(new.pod.id), "").await.unwrap_err());
            assert_eq!(code, "cloudpod_state");
            assert!(text.contains("requested") && text.contains("wait until"), "{text}");
        }
        bench.agents.release("clone");
        for _ in 0..16 {
            ask(&bench, "start", Some(pod), "").await.unwrap();
        }
        let (code, _) = refused(ask(&bench, "start", Some(pod), "").await.unwrap_err());
        assert_eq!(code, "cloudpod_busy");
        assert_eq!(ask(&bench, "start", Some(CloudPodId::generate()), "").await.unwrap_err().code(), "not_found");
    }
}

#[tokio::test]
async fn without_room_nothing_is_made_and_every_server_says_why() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let lines = |error: Error| match error {
            Error::NoCapacity(lines) => lines.into_iter().map(|l| (l.field, l.message)).collect::<Vec<_>>(),
            other => panic!("{other}"),
        };
        let none = lines(bench.create("web-1").await.unwrap_err());
        assert!(none[0].1.starts_with("no server is registered"), "{none:?}");
        let server = bench.server("pve1", 1).await;
        let small = lines(bench.create("web-1").await.unwrap_err());
        assert_eq!(small, [("pve1".to_owned(), "CPU: 2 needed, 1 free".to_owned())], "{}", database.name);
        let pods = bench.pods.cloudpod_list(Scope::Platform, Find::default(), Window { limit: 10, after: None }).await;
        assert!(pods.unwrap().is_empty(), "nothing was made");

        bench.server("pve2", 2).await;
        let (first, _) = bench.create("web-1").await.unwrap();
        let (second, job) = bench.create("web-2").await.unwrap();
        let late = bench.over(job.id).await;
        let (winner, loser) = if late.state == JobState::Failed { (first, second) } else { (second, first) };
        let error = mpanel_tests::eventually("the loser fails", mpanel_tests::pod_bench::SOON, async || {
            bench.engine.dispatch().await.unwrap();
            match bench.pod(loser.pod.id).await.pod.state {
                State::Failed { cause } => Some(cause),
                _ => None,
            }
        })
        .await;
        assert_eq!(error, "there was no room for it; its placement says why", "a customer reads it");
        let (why, _) = bench.pods.placement_get(Scope::Platform, loser.pod.id).await.unwrap();
        assert_eq!((why.server, why.explanation.fitting), (None, 0));
        let considered = format!("{:?}", why.explanation.considered);
        assert!(considered.contains("CPU: 2 needed, 1 free") && considered.contains("pve2"), "{considered}");
        let (here, _) = bench.pods.placement_get(Scope::Platform, winner.pod.id).await.unwrap();
        assert_ne!(here.server, Some(server));
        assert!(matches!(here.explanation.considered[0].verdict, Verdict::Chosen { .. }));
        let preview = bench.pods.placement_preview(Scope::Platform, request("")).await.unwrap();
        assert_eq!(preview.chosen, None);
    }
}

#[tokio::test]
async fn every_wrong_field_is_named() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let mut wrong = request("Web_1");
        wrong.plan = "huge".into();
        wrong.image = "windows".into();
        wrong.user = Some("0x".into());
        wrong.ssh_keys = vec![SSH_KEY.into(), "hello".into()];
        wrong.ip_pools = vec!["public".into(), "nowhere".into(), "public".into()];
        wrong.placement = PlacementInput {
            region: Some("x".repeat(100)),
            server: Some("pve9".into()),
            storage: Some("-".into()),
            labels: [("a b".into(), "c".into())].into(),
            anti_affinity: true,
        };
        let Error::Invalid(fields) = bench.pods.cloudpod_create(&actor(), Scope::Platform, wrong).await.unwrap_err()
        else {
            panic!("not Invalid")
        };
        let mut names: Vec<_> = fields.iter().map(|f| f.field.as_str()).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "image",
                "ip_pools[1]",
                "ip_pools[2]",
                "name",
                "placement.labels.a b",
                "placement.region",
                "placement.server",
                "placement.storage",
                "plan",
                "ssh_keys[1]",
                "user"
            ],
            "{}",
            database.name
        );
        let lan = |name: &str, cidr: &str, gateway: &str, vlan| IpPoolCreate {
            name: name.into(),
            cidr: Some(cidr.into()),
            gateway: gateway.into(),
            vlan,
            active: true,
            ..IpPoolCreate::default()
        };
        for pool in [lan("more", "10.7.0.0/24", "10.7.0.1", None), lan("inner", "10.8.0.0/24", "10.8.0.1", Some(8))] {
            bench.books.ipam.pool_create(&actor(), pool).await.unwrap();
        }
        let mut two = request("web-1");
        two.ip_pools = vec!["public".into(), "inner".into(), "more".into()];
        let error = bench.pods.cloudpod_create(&actor(), Scope::Platform, two).await.unwrap_err().to_string();
        assert!(error.starts_with("ip_pools[2]: ") && error.contains("one IPv4 address"), "{}: {error}", database.name);
        let mut stranger = request("web-1");
        stranger.tenant = Some(TenantId::generate());
        let error = bench.pods.cloudpod_create(&actor(), Scope::Platform, stranger).await.unwrap_err();
        assert_eq!(error.to_string(), "tenant_id: no such tenant");
        assert_eq!(bench.held().await, NOTHING);
    }
}

#[tokio::test]
async fn a_name_has_one_live_pod_whoever_asks_at_once() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 64).await;
        let answers = futures::future::join_all((0..8).map(|_| bench.create("web-1"))).await;
        let made: Vec<_> = answers.iter().filter_map(|a| a.as_ref().ok()).collect();
        assert_eq!(made.len(), 1, "{}", database.name);
        let id = made[0].0.pod.id;
        for refused in answers.iter().filter_map(|a| a.as_ref().err()) {
            assert_eq!(refused.code(), "cloudpod_name_taken");
            assert!(refused.to_string().contains(&id.to_string()), "{refused}");
        }
        bench.over(made[0].1.id).await;
        assert_eq!(bench.held().await, ONE_POD);
        let other = bench.active("web-2").await;
        let update = async |version, name: &str| {
            let patch = CloudPodPatch { name: Some(name.into()), server: None };
            bench.pods.cloudpod_update(&actor(), Scope::Platform, other, version, patch).await
        };
        assert_eq!(update(None, "web-1").await.unwrap_err().code(), "cloudpod_name_taken");
        let renamed = update(None, "web-3").await.unwrap();
        assert_eq!(renamed.pod.name, "web-3");
        assert_eq!(update(Some(renamed.pod.version - 1), "web-4").await.unwrap_err().code(), "stale");
        assert_eq!(update(Some(renamed.pod.version), "Web").await.unwrap_err().code(), "invalid");
        done(&bench, "destroy", id).await;
        assert_eq!(update(Some(renamed.pod.version), "web-1").await.unwrap().pod.name, "web-1");
    }
}

#[tokio::test]
async fn pods_are_listed_newest_first_page_by_page_and_only_to_their_tenant() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let server = bench.server("pve1", 64).await;
        let mut made = Vec::new();
        for i in 0..5 {
            made.push(bench.active(&format!("{}-{i}", if i % 2 == 0 { "web" } else { "db" })).await);
        }
        done(&bench, "destroy", made[0]).await;
        let list = async |scope, find: Find, limit, after: Option<CloudPodId>| {
            let after = match after {
                Some(id) => Some((bench.pod(id).await.pod.name, id)),
                None => None,
            };
            let pods = bench.pods.cloudpod_list(scope, find, Window { limit, after }).await.unwrap();
            assert!(pods.iter().all(|d| d.pod.vmid.is_none() == d.addresses.is_empty()), "addresses come along");
            pods.into_iter().map(|d| d.pod.id).collect::<Vec<_>>()
        };
        let all = Find::default;
        let newest: Vec<_> = made[1..].iter().rev().copied().collect();
        let tenant = Scope::Tenant(bench.pod(made[1]).await.pod.tenant);
        for scope in [Scope::Platform, tenant] {
            assert_eq!(list(scope, all(), 50, None).await, newest, "{}", database.name);
            assert_eq!(list(scope, all(), 2, Some(newest[0])).await, newest[1..3]);
            assert_eq!(list(scope, Find { state: Some("deleted"), ..all() }, 50, None).await, made[..1]);
            assert_eq!(list(scope, Find { state: Some("active"), ..all() }, 50, None).await, newest);
            let webs = Find { name_prefix: Some("web".into()), ..all() };
            assert_eq!(list(scope, webs, 50, None).await, [made[4], made[2]]);
            let held = bench.pod(made[2]).await.addresses[0].address.to_string();
            let at = |address: &str| Find { address: Some(address.parse().unwrap()), ..all() };
            assert_eq!(list(scope, at(&held), 50, None).await, [made[2]]);
            assert!(list(scope, Find { state: Some("deleted"), ..at(&held) }, 50, None).await.is_empty());
            assert!(list(scope, at("203.0.113.99"), 50, None).await.is_empty(), "nobody holds it");
            let here = Find { server: Some(server), plan: Some("small".into()), ..all() };
            assert_eq!(list(scope, here, 50, None).await, newest);
            let sorted = |sort| Find { sort: Some(sort), ..all() };
            let oldest: Vec<_> = newest.iter().rev().copied().collect();
            let by_name = [made[1], made[3], made[2], made[4]];
            let backwards: Vec<_> = by_name.iter().rev().copied().collect();
            for (sort, expected) in [
                (AgeOrName::Newest, newest.as_slice()),
                (AgeOrName::Oldest, &oldest),
                (AgeOrName::Name, &by_name),
                (AgeOrName::NameBackwards, &backwards),
            ] {
                assert_eq!(list(scope, sorted(sort), 50, None).await, expected, "{sort:?} on {}", database.name);
                assert_eq!(list(scope, sorted(sort), 2, Some(expected[1])).await, expected[2..], "{sort:?}");
                let active = Find { state: Some("active"), ..sorted(sort) };
                assert_eq!(list(scope, active, 50, Some(expected[0])).await, expected[1..], "{sort:?}");
            }
        }
        let stranger = Scope::Tenant(TenantId::generate());
        assert!(list(stranger, all(), 50, None).await.is_empty());
        let held = bench.pod(made[1]).await.addresses[0].address.to_string().parse().unwrap();
        assert!(list(stranger, Find { address: Some(held), ..all() }, 50, None).await.is_empty(), "nor by an address");
        assert_eq!(bench.pods.cloudpod_get(stranger, made[1]).await.unwrap_err().code(), "not_found");
        for kind in [
            bench.pods.cloudpod_stop(&actor(), stranger, made[1]).await.err(),
            bench.pods.cloudpod_destroy(&actor(), (stranger, Permissions::all()), made[1]).await.err(),
            bench.pods.placement_get(stranger, made[1]).await.err(),
        ] {
            assert_eq!(kind.unwrap().code(), "not_found");
        }
        let nowhere = Find { plan: Some("huge".into()), ..all() };
        let error = bench.pods.cloudpod_list(Scope::Platform, nowhere, Window { limit: 1, after: None }).await;
        assert_eq!(error.unwrap_err().code(), "invalid");
    }
}

#[tokio::test]
async fn an_inventory_changes_what_is_observed_and_nothing_else() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let server = bench.server("pve1", 16).await;
        let other = bench.server("pve2", 16).await;
        let id = bench.active("web-1").await;
        let before = bench.pod(id).await;
        let at = before.pod.server.as_ref().unwrap().id;
        let elsewhere = if at == server { other } else { server };
        let vmid = before.pod.vmid.unwrap();
        let observed = async || bench.pod(id).await.pod.observed_power;

        bench.inventory(at, vec![vm(vmid, Some(id), Power::Stopped, false)]).await;
        assert_eq!(observed().await, Power::Stopped, "{}", database.name);
        bench.inventory(elsewhere, vec![vm(vmid, Some(id), Power::Running, false)]).await;
        assert_eq!(observed().await, Power::Stopped, "another server does not speak for it");
        bench
            .inventory(at, vec![vm(vmid + 1, Some(id), Power::Running, false), vm(vmid, None, Power::Running, false)])
            .await;
        assert_eq!(observed().await, Power::Unknown, "a VM of another number, or without the stamp, is not it");
        bench.inventory(at, vec![vm(vmid, Some(id), Power::Running, false)]).await;
        assert_eq!(observed().await, Power::Running);
        bench.inventory(at, Vec::new()).await;
        assert_eq!(observed().await, Power::Unknown);
        let after = bench.pod(id).await;
        assert_eq!((after.pod.state, after.pod.version), (State::Active, before.pod.version));
        assert_eq!((after.pod.vmid, after.addresses), (before.pod.vmid, before.addresses));
        assert_eq!(bench.held().await, ONE_POD, "nothing is deleted to match");
    }
}

#[tokio::test]
async fn pods_that_refuse_each_other_s_company_are_kept_apart() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        bench.server("pve2", 16).await;
        let mut servers = Vec::new();
        for name in ["a", "b"] {
            let mut wanted = request(name);
            wanted.placement.anti_affinity = true;
            let (detail, job) = bench.pods.cloudpod_create(&actor(), Scope::Platform, wanted).await.unwrap();
            assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
            servers.push(bench.pod(detail.pod.id).await.pod.server.unwrap().name);
        }
        servers.sort();
        assert_eq!(servers, ["pve1", "pve2"], "{}", database.name);
        let mut third = request("c");
        third.placement.anti_affinity = true;
        let error = bench.pods.cloudpod_create(&actor(), Scope::Platform, third).await.unwrap_err();
        assert_eq!(error.code(), "no_capacity");
        assert!(error.to_string().contains("pods of the same tenant"), "{error}");
        let error = bench.pods.cloudpod_create(&actor(), Scope::Platform, request("d")).await.unwrap_err();
        assert!(error.to_string().contains("wants no other beside it"), "nor does another one come to them: {error}");
    }
}

#[tokio::test]
async fn pods_that_are_asked_for_at_once_are_kept_apart_too() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        for host in ["pve1", "pve2", "pve3", "pve4"] {
            bench.server(host, 16).await;
        }
        let mut asked = Vec::new();
        for name in ["a", "b", "c", "d"] {
            let mut wanted = request(name);
            wanted.placement.anti_affinity = true;
            asked.push(bench.pods.cloudpod_create(&actor(), Scope::Platform, wanted).await.unwrap());
        }
        let mut servers = Vec::new();
        for (detail, job) in asked {
            assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
            servers.push(bench.pod(detail.pod.id).await.pod.server.unwrap().name);
        }
        servers.sort();
        assert_eq!(servers, ["pve1", "pve2", "pve3", "pve4"], "{}", database.name);
    }
}

#[tokio::test]
async fn a_pod_is_no_smaller_than_its_template() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let server = bench.server("pve1", 16).await;
        let template = InventoryVm { disk_mib: 30 * 1024, ..vm(TEMPLATE, None, Power::Stopped, true) };
        bench.inventory(server, vec![template]).await;
        let error = bench.create("web-1").await.unwrap_err();
        assert_eq!(error.code(), "no_capacity", "{}", database.name);
        assert!(error.to_string().contains("its template of the image has a disk of 30 GiB"), "{error}");
    }
}

#[tokio::test]
async fn a_pod_with_two_stuck_jobs_can_be_deleted() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        let stuck = two_stuck(&bench, pod).await;
        bench.agents.heal();
        done(&bench, "destroy", pod).await;
        for job in stuck {
            assert_eq!(bench.over(job).await.state, JobState::Failed, "{}: nothing is left to undo", database.name);
        }
        assert!(matches!(bench.pod(pod).await.pod.state, State::Deleted { .. }));
        assert_eq!(bench.held().await, NOTHING);
    }
}

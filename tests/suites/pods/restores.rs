//! What is made of a backup beside the pod that it is of, and what a backup may not bring back.

use control_plane::domain::access::Role;
use control_plane::domain::audit::Scope;
use control_plane::domain::cloudpods::backups::Recreate;
use control_plane::domain::cloudpods::{Detail, Media, State};
use control_plane::domain::jobs::{CommandKind, FailureKind, Job, JobState, NewJob, Power};
use control_plane::domain::plans::{PlanCreate, Terms};
use control_plane::domain::servers::{SchedulingState, ServerPatch, StatusChange};
use control_plane::error::Result;
use control_plane::ids::{CloudPodId, TenantId};
use mpanel_tests::databases;
use mpanel_tests::pod_bench::{PodBench, actor, staff};
use mpanel_tests::scripted_agent::Fail;

use super::backups::{backed_up, made, newest};
use super::{NOTHING, done, remake};

/// A pod of that name, made of the newest backup of `of`, and otherwise as that is or was.
pub async fn recreate(bench: &PodBench, of: CloudPodId, name: &str) -> Result<(Detail, Job)> {
    let wanted = Recreate { name: name.into(), ..Recreate::default() };
    bench.pods.cloudpod_recreate(&actor(), staff(), newest(bench, of).await.id, wanted).await
}

#[tokio::test]
async fn a_pod_is_made_of_the_backup_of_one_that_is_gone() {
    for database in databases().await {
        let (bench, of) = backed_up(&database).await;
        let (before, backup) = (bench.pod(of).await, newest(&bench, of).await);
        let wanted = |name: &str| Recreate { name: name.into(), ..Recreate::default() };
        let ask_for =
            async |scope, wanted| bench.pods.cloudpod_recreate(&actor(), (scope, staff().1), backup.id, wanted).await;

        let stranger = Scope::Tenant(TenantId::generate());
        assert_eq!(ask_for(stranger, wanted("web-2")).await.unwrap_err().code(), "not_found", "{}", database.name);
        assert_eq!(ask_for(Scope::Platform, wanted("web-1")).await.unwrap_err().code(), "cloudpod_name_taken");
        let terms =
            Terms { vcpu: 1, memory_mib: 512, disk_gib: 19, traffic_gib: None, price_minor: 1, currency: "EUR".into() };
        let plan = PlanCreate { name: "tiny".into(), terms, active: true };
        bench.plans.plan_create(&actor(), plan).await.unwrap();
        let small = Recreate { plan: Some("tiny".into()), ..wanted("Web_2") };
        let error = ask_for(Scope::Platform, small.clone()).await.unwrap_err().to_string();
        assert!(error.starts_with("name: "), "{error}");
        let error = ask_for(Scope::Platform, Recreate { name: "web-2".into(), ..small }).await.unwrap_err().to_string();
        assert!(error.starts_with("plan: its disk of 19 GiB is smaller than the 20 GiB"), "{error}");

        // Beside the pod that it is of, which still runs.
        let (twin, job) = ask_for(Scope::Platform, wanted("web-2")).await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        done(&bench, "destroy", of).await;
        let (third, job) = ask_for(Scope::Platform, wanted("web-3")).await.unwrap();
        let job = bench.over(job.id).await;
        assert_eq!(job.state, JobState::Succeeded, "{:?}", job.error);
        for new in [twin.pod.id, third.pod.id] {
            let after = bench.pod(new).await;
            assert_eq!((&after.pod.state, after.pod.observed_power), (&State::Active, Power::Running));
            assert_eq!((after.pod.plan, after.pod.image), (before.pod.plan.clone(), before.pod.image.clone()));
            assert_eq!((after.pod.tenant, after.pod.ssh_keys), (backup.tenant, before.pod.ssh_keys.clone()));
            let (_, vmid, vm) = bench.agents.vms().into_iter().find(|(_, _, vm)| vm.pod == Some(new)).expect("its VM");
            assert_eq!((Some(vmid), vm.disk_gib, &vm.name), (after.pod.vmid, 20, &after.pod.name));
            let configured = vm.configure.expect("it is configured").nics.remove(0).addresses;
            let own: Vec<_> = after.addresses.iter().map(|a| format!("{}/{}", a.address, a.prefix_length)).collect();
            assert_eq!(configured, own, "with addresses of its own");
            let firewall = vm.firewall.expect("and a firewall");
            assert!(firewall.mac_filter && firewall.ip_filter, "{firewall:?}");
        }
        let unique = bench.agents.sent().into_iter().filter_map(|order| match order.command.kind {
            CommandKind::RestoreBackup { unique, .. } => Some(unique),
            _ => None,
        });
        assert!(unique.collect::<Vec<_>>().iter().all(|unique| *unique), "two VMs never have the same MAC address");
        for new in [twin.pod.id, third.pod.id] {
            done(&bench, "destroy", new).await;
        }
        assert_eq!(bench.held().await, NOTHING);
    }
}

#[tokio::test]
async fn a_pod_made_of_a_backup_has_none_of_the_others_addresses() {
    for database in databases().await {
        let (bench, of) = backed_up(&database).await;
        let (twin, job) = recreate(&bench, of, "twin").await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded, "{}", database.name);
        done(&bench, "restore", of).await;
        let configured = |pod: CloudPodId| {
            let vm = bench.agents.vms().into_iter().find(|(_, _, vm)| vm.pod == Some(pod)).expect("its VM").2;
            vm.configure.expect("it is configured")
        };
        // What came with the backup of another pod goes; what its own brought back is its own.
        assert!(configured(twin.pod.id).exact && !configured(of).exact, "{}", database.name);
        let own: Vec<_> =
            twin_addresses(&bench, twin.pod.id).await.into_iter().map(|address| address.to_string()).collect();
        for address in configured(twin.pod.id).nics.iter().flat_map(|nic| &nic.addresses) {
            assert!(own.iter().any(|own| address.starts_with(own)), "{address} is not of {own:?}");
        }
    }
}

async fn twin_addresses(bench: &PodBench, pod: CloudPodId) -> Vec<std::net::IpAddr> {
    bench.pod(pod).await.addresses.iter().map(|held| held.address).collect()
}

#[tokio::test]
async fn a_pod_is_made_of_a_backup_where_that_was_made_before_it_is_elsewhere() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let first = bench.server("pve1", 4).await;
        let of = bench.active("web-1").await;
        made(&bench, of).await;
        // Of the same cluster and with more room; whether it sees that storage is not known.
        bench.server("pve2", 64).await;
        let (twin, job) = recreate(&bench, of, "twin").await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded, "{}", database.name);
        assert_eq!(bench.pod(twin.pod.id).await.pod.server.unwrap().id, first, "where the backup is, it is seen");
    }
}

#[tokio::test]
async fn a_pod_is_made_of_a_backup_on_no_server_that_is_not_known_to_see_it() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let first = bench.server("pve1", 4).await;
        let of = bench.active("web-1").await;
        made(&bench, of).await;
        let far = bench.server_in("attic", "pve9", 16).await;
        let patch = ServerPatch { backup_storage: Some(None), ..ServerPatch::default() };
        bench.books.servers.server_update(&actor(), far, None, patch).await.unwrap();
        let status = async |status| {
            let change = StatusChange { status, reason: "test".into(), deadline: None };
            bench.books.servers.server_status_set(&actor(), first, None, change).await.unwrap();
        };
        status(SchedulingState::Locked).await;
        let error = recreate(&bench, of, "web-2").await.unwrap_err();
        assert_eq!(error.code(), "no_capacity", "{}: {error}", database.name);
        assert!(error.to_string().contains("pve9: it is not known to see the backup's storage `backups`"), "{error}");
        status(SchedulingState::Online).await;
        let (made, job) = recreate(&bench, of, "web-2").await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        assert_eq!(bench.pod(made.pod.id).await.pod.server.unwrap().id, first);
    }
}

#[tokio::test]
async fn a_backup_that_a_pod_is_being_made_of_is_not_deleted_and_of_one_that_is_none_is_made() {
    for database in databases().await {
        let (bench, of) = backed_up(&database).await;
        let backup = newest(&bench, of).await;
        let (_, job) = recreate(&bench, of, "web-2").await.unwrap();
        let delete = async || bench.pods.backup_delete(&actor(), Scope::Platform, of, backup.id).await;
        assert_eq!(delete().await.unwrap_err().code(), "backup_in_use", "{}", database.name);
        assert_eq!(newest(&bench, of).await.id, backup.id, "it is ready as before");
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        let (_, job) = delete().await.unwrap();
        let wanted = Recreate { name: "web-3".into(), ..Recreate::default() };
        let made = bench.pods.cloudpod_recreate(&actor(), staff(), backup.id, wanted).await;
        assert_eq!(made.unwrap_err().code(), "backup_state");
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
    }
}

#[tokio::test]
async fn what_the_platform_suspended_does_not_come_back_under_another_name() {
    for database in databases().await {
        let (bench, of) = backed_up(&database).await;
        let backup = newest(&bench, of).await;
        let by = async |grant, name: &str| {
            let wanted = Recreate { name: name.into(), ..Recreate::default() };
            bench.pods.cloudpod_recreate(&actor(), (Scope::Platform, grant), backup.id, wanted).await
        };
        let owner = Role::Owner.permissions();
        let (_, job) = bench.pods.cloudpod_suspend(&actor(), Scope::Platform, of, "unpaid", 5).await.unwrap();
        assert_eq!(by(owner, "web-2").await.unwrap_err().code(), "cloudpod_suspended", "{}: asked for", database.name);
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        assert_eq!(by(owner, "web-2").await.unwrap_err().code(), "cloudpod_suspended", "{}", database.name);
        let (_, job) = by(staff().1, "web-2").await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        let (_, job) = bench.pods.cloudpod_unsuspend(&actor(), Scope::Platform, of).await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        by(owner, "web-3").await.unwrap();

        // Nor once its host is lost, or it is deleted.
        done(&bench, "suspend", of).await;
        bench.lose(of).await;
        assert_eq!(by(owner, "web-4").await.unwrap_err().code(), "cloudpod_suspended", "{}: lost", database.name);
        done(&bench, "destroy", of).await;
        assert!(matches!(bench.pod(of).await.pod.state, State::Deleted { .. }));
        assert_eq!(by(owner, "web-4").await.unwrap_err().code(), "cloudpod_suspended", "{}: deleted", database.name);
        by(staff().1, "web-4").await.unwrap();
    }
}

#[tokio::test]
async fn a_suspended_pod_whose_host_is_lost_comes_back_suspended() {
    for database in databases().await {
        let (bench, pod) = backed_up(&database).await;
        let backup = newest(&bench, pod).await;
        done(&bench, "autostart", pod).await;
        done(&bench, "suspend", pod).await;
        bench.lose(pod).await;
        bench.agents.disconnect(backup.server);
        let second = bench.server("pve2", 16).await;
        let restore = async |grant| {
            bench.pods.backup_restore(&actor(), (Scope::Platform, grant), pod, backup.id, Some("pve2")).await
        };
        let refused = restore(Role::Owner.permissions()).await.unwrap_err();
        assert_eq!(refused.code(), "cloudpod_suspended", "{}: {refused}", database.name);
        let (_, job) = restore(staff().1).await.unwrap();
        let job = bench.over(job.id).await;
        assert_eq!(job.state, JobState::Succeeded, "{}: {:?}", database.name, job.error);
        let after = bench.pod(pod).await.pod;
        assert_eq!((&after.state, after.observed_power), (&State::Suspended, Power::Stopped), "{}", database.name);
        let its_vm = || bench.agents.vms().into_iter().find(|(at, _, _)| *at == second).expect("its VM").2;
        let vm = its_vm();
        assert!(vm.power == Power::Stopped && !vm.start_on_boot, "it does not start with its host either");
        // Whoever may, lifts that as ever.
        done(&bench, "unsuspend", pod).await;
        let after = bench.pod(pod).await.pod;
        assert_eq!((after.state, after.observed_power), (State::Active, Power::Running), "{}", database.name);
        assert!(its_vm().start_on_boot, "{}", database.name);
    }
}

#[tokio::test]
async fn a_backup_with_a_cd_is_restored_where_that_cd_is_not() {
    for database in databases().await {
        let (bench, pod) = backed_up(&database).await;
        let first = newest(&bench, pod).await.server;
        let iso = remake::cd().iso.unwrap();
        done(&bench, "media", pod).await;
        made(&bench, pod).await;
        let drive = |of| {
            let vm = bench.agents.vms().into_iter().rev().find(|(_, _, vm)| vm.pod == Some(of)).expect("its VM");
            (vm.2.media, vm.2.power)
        };
        let empty = ((String::new(), false), Power::Running);
        done(&bench, "restore", pod).await;
        assert_eq!(drive(pod), ((iso.clone(), false), Power::Running), "{}: where it is, it is", database.name);

        // Somebody removed the image from the server.
        bench.agents.iso_away(first, &iso);
        done(&bench, "restore", pod).await;
        assert_eq!((drive(pod), bench.pod(pod).await.pod.condition.media), (empty.clone(), Media::default()));

        let (twin, job) = recreate(&bench, pod, "twin").await.unwrap();
        let job = bench.over(job.id).await;
        assert_eq!(job.state, JobState::Succeeded, "{}: {:?}", database.name, job.error);
        assert_eq!(drive(twin.pod.id), empty, "{}", database.name);

        bench.agents.vm_change(pod, |vm| vm.media = (iso.clone(), true));
        made(&bench, pod).await;
        let gone = bench.pod(pod).await.pod;
        bench.agents.vm_remove(first, gone.vmid.unwrap());
        bench.lose(pod).await;
        bench.agents.disconnect(first);
        let second = bench.server("pve2", 16).await;
        bench.agents.iso_away(second, &iso);
        let backup = newest(&bench, pod).await.id;
        let asked = bench.pods.backup_restore(&actor(), staff(), pod, backup, Some("pve2")).await;
        let job = bench.over(asked.unwrap().1.id).await;
        assert_eq!(job.state, JobState::Succeeded, "{}: {:?}", database.name, job.error);
        assert_eq!((drive(pod), bench.pod(pod).await.pod.condition.media), (empty, Media::default()));
    }
}

#[tokio::test]
async fn a_backup_made_during_a_rescue_does_not_bring_the_rescue_back() {
    for database in databases().await {
        let (bench, pod) = backed_up(&database).await;
        done(&bench, "rescue", pod).await;
        made(&bench, pod).await;
        done(&bench, "unrescue", pod).await;
        done(&bench, "restore", pod).await;
        assert_eq!(bench.pod(pod).await.pod.condition.rescue, None);
        let (_, _, vm) = bench.agents.vms().remove(0);
        assert_eq!(vm.media, (String::new(), false), "{}: it boots from its disk", database.name);
    }
}

#[tokio::test]
async fn a_stuck_restore_that_is_retried_takes_nothing_of_a_pod_that_came_back_meanwhile() {
    // One pod, and the VM on the host that is lost.
    const TWO_VMS: [i64; 4] = [1, 2, 1, 2];
    for database in databases().await {
        let (bench, pod) = backed_up(&database).await;
        let backup = newest(&bench, pod).await;
        bench.lose(pod).await;
        bench.agents.disconnect(backup.server);
        let second = bench.server("pve2", 16).await;
        bench.agents.vague();
        bench.agents.fail("configure", 1, Fail::After, FailureKind::NoSpace);
        let asked = bench.pods.backup_restore(&actor(), staff(), pod, backup.id, Some("pve2")).await;
        let (_, asked) = asked.unwrap();
        let stuck = asked.id;
        assert_eq!(bench.over(stuck).await.state, JobState::Stuck, "{}", database.name);
        let left = bench.pod(pod).await.pod;
        assert!(matches!(left.state, State::Failed { .. }) && left.server.is_some_and(|server| server.id == second));

        // Another one that was asked for at the same time brings it back, into the same room and under the same number.
        bench.agents.heal();
        let (params, tenant, server) = (asked.params, asked.tenant, asked.server);
        let new = NewJob { kind: "restore", tenant, pod: Some(pod), server, params };
        let mut tx = bench.db.begin().await.unwrap();
        let other = bench.jobs.job_create(&mut tx, &actor(), new).await.unwrap();
        tx.commit().await.unwrap();
        let other = bench.over(other.id).await;
        assert_eq!(other.state, JobState::Succeeded, "{}: {:?}", database.name, other.error);
        let restored = bench.pod(pod).await;
        assert_eq!(bench.held().await, TWO_VMS, "{}", database.name);
        let orders = bench.agents.sent().len();

        bench.jobs.job_retry(&actor(), Scope::Platform, stuck).await.unwrap();
        assert_eq!(bench.over(stuck).await.state, JobState::Failed, "{}: there is nothing left to undo", database.name);
        let after = bench.pod(pod).await;
        assert_eq!((&after.pod.state, after.pod.observed_power), (&State::Active, Power::Running), "{}", database.name);
        assert_eq!((after.pod.server, after.pod.vmid), (restored.pod.server, restored.pod.vmid));
        assert_eq!((after.pod.storage, after.addresses), (restored.pod.storage, restored.addresses));
        assert_eq!(bench.held().await, TWO_VMS, "{}", database.name);
        assert_eq!(bench.agents.sent().len(), orders, "nothing is ordered of its host");
    }
}

#[tokio::test]
async fn a_restore_in_place_that_is_stuck_ends_with_its_pod() {
    for database in databases().await {
        let (bench, pod) = backed_up(&database).await;
        bench.agents.fail("restore_backup", 1, Fail::Before, FailureKind::BadParameter);
        bench.agents.fail("start", 99, Fail::Before, FailureKind::Locked);
        let backup = newest(&bench, pod).await.id;
        let (_, asked) = bench.pods.backup_restore(&actor(), staff(), pod, backup, None).await.unwrap();
        assert_eq!(bench.over(asked.id).await.state, JobState::Stuck, "{}", database.name);
        let (_, destroy) = bench.pods.cloudpod_destroy(&actor(), staff(), pod).await.unwrap();
        assert_eq!(bench.over(destroy.id).await.state, JobState::Succeeded, "{}", database.name);
        let job = bench.over(asked.id).await;
        assert_eq!((job.state, job.error.unwrap().code.as_str()), (JobState::Failed, "proxmox_bad_parameter"));
        assert!(bench.agents.vms().is_empty(), "{}", database.name);
        assert_eq!(bench.held().await, [0; 4]);
    }
}

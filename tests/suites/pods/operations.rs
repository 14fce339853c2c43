//! What is done to pods beside their power: suspension, size.

use control_plane::domain::audit::Scope;
use control_plane::domain::cloudpods::operations::Resize;
use control_plane::domain::cloudpods::{DesiredPower, Detail, RestartCause, State};
use control_plane::domain::jobs::{FailureKind, JobState, Power};
use control_plane::domain::plans::{PlanCreate, Terms};
use control_plane::domain::servers::Held;
use control_plane::error::Error;
use control_plane::ids::CloudPodId;
use mpanel_tests::databases;
use mpanel_tests::pod_bench::{PodBench, actor};
use mpanel_tests::scripted_agent::{Fail, ScriptedVm};

use super::proofs::{ask, done};
use super::{NOTHING, ONE_POD};

/// Twice the plan `small`.
pub fn larger() -> Resize {
    Resize { plan: None, vcpu: Some(4), memory_mib: Some(8192), disk_gib: Some(40), restart: true }
}

fn the_vm(bench: &PodBench) -> ScriptedVm {
    let mut vms = bench.agents.vms();
    assert_eq!(vms.len(), 1);
    vms.remove(0).2
}

async fn held(bench: &PodBench, pod: CloudPodId) -> Held {
    let mut read = bench.db.read().await.unwrap();
    let held = bench.books.servers.reservation_get(read.conn(), pod).await.unwrap().unwrap();
    drop(read);
    bench.held().await;
    held
}

async fn resize(bench: &PodBench, pod: CloudPodId, to: Resize) -> Result<JobState, Error> {
    let (_, job) = bench.pods.cloudpod_resize(&actor(), Scope::Platform, pod, &to).await?;
    Ok(bench.over(job.id).await.state)
}

const SMALL: Held = Held { vcpu: 2, memory_mib: 4096, disk_gib: 20 };
const LARGE: Held = Held { vcpu: 4, memory_mib: 8192, disk_gib: 40 };

#[tokio::test]
async fn a_suspended_pod_is_off_and_closed_to_its_customer_until_it_is_given_back() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        done(&bench, "suspend", pod).await;
        let Detail { pod: suspended, .. } = bench.pod(pod).await;
        assert_eq!((&suspended.state, suspended.desired_power), (&State::Suspended, DesiredPower::Stopped));
        assert_eq!(suspended.observed_power, Power::Stopped, "{}", database.name);
        let why = suspended.condition.suspension.unwrap();
        assert_eq!((why.reason.as_str(), why.power_before), ("unpaid", DesiredPower::Running));
        let vm = the_vm(&bench);
        assert_eq!((vm.power, vm.start_on_boot), (Power::Stopped, false));
        for kind in ["start", "stop", "shutdown", "reboot", "resize", "suspend"] {
            let error = ask(&bench, kind, Some(pod), "").await.unwrap_err();
            assert_eq!(error.code(), "cloudpod_suspended", "{kind}: {error}");
        }
        done(&bench, "unsuspend", pod).await;
        let Detail { pod: back, .. } = bench.pod(pod).await;
        assert_eq!((&back.state, back.desired_power), (&State::Active, DesiredPower::Running));
        assert_eq!(back.condition.suspension, None);
        let vm = the_vm(&bench);
        assert_eq!((vm.power, vm.start_on_boot), (Power::Running, true));
        assert_eq!(ask(&bench, "unsuspend", Some(pod), "").await.unwrap_err().code(), "cloudpod_state");

        done(&bench, "stop", pod).await;
        done(&bench, "suspend", pod).await;
        done(&bench, "unsuspend", pod).await;
        let Detail { pod: back, .. } = bench.pod(pod).await;
        assert_eq!((back.desired_power, the_vm(&bench).power), (DesiredPower::Stopped, Power::Stopped));
        assert!(the_vm(&bench).start_on_boot);

        done(&bench, "suspend", pod).await;
        assert_eq!(bench.held().await, ONE_POD);
        done(&bench, "destroy", pod).await;
        assert_eq!(bench.held().await, NOTHING, "{}: a suspended pod can be destroyed", database.name);
        let error = bench.pods.cloudpod_suspend(&actor(), Scope::Platform, pod, "", 1).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "reason: has 0 characters; 1 to 500 are allowed; timeout_s: is 1; 5 to 3600 are allowed"
        );
    }
}

#[tokio::test]
async fn a_suspension_outlasts_an_offline_host_and_cuts_the_power_of_a_guest_that_does_not_shut_down() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let server = bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        bench.agents.disconnect(server);
        let (_, job) = ask(&bench, "suspend", Some(pod), "").await.unwrap();
        mpanel_tests::eventually("it is locked at once", mpanel_tests::pod_bench::SOON, async || {
            bench.engine.dispatch().await.unwrap();
            (bench.pod(pod).await.pod.state == State::Suspended).then_some(())
        })
        .await;
        let (_, again) = ask(&bench, "suspend", Some(pod), "").await.unwrap();
        assert_eq!(again.id, job.id, "{}: asked again it is the same job", database.name);
        assert_eq!(ask(&bench, "start", Some(pod), "").await.unwrap_err().code(), "cloudpod_suspended");
        bench.agents.fail("shutdown", 1, Fail::Before, FailureKind::Deadline);
        bench.engine.session_started(server, || bench.agents.connect(server)).await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        assert!(bench.agents.orders().ends_with(&["shutdown", "stop"]), "{:?}", bench.agents.orders());
        assert_eq!(the_vm(&bench).power, Power::Stopped);

        let (_, job) = ask(&bench, "unsuspend", Some(pod), "").await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        bench.agents.fail("shutdown", 1, Fail::After, FailureKind::Permission);
        let (_, job) = ask(&bench, "suspend", Some(pod), "").await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Failed);
        let Detail { pod, .. } = bench.pod(pod).await;
        assert_eq!((&pod.state, pod.desired_power), (&State::Active, DesiredPower::Running));
        let vm = the_vm(&bench);
        assert_eq!((vm.power, vm.start_on_boot), (Power::Running, true), "{}: all of it is undone", database.name);
    }
}

#[tokio::test]
async fn a_pod_grows_and_shrinks_and_holds_what_it_may_use_at_every_moment() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        let quietly = |to: Resize| Resize { restart: false, ..to };
        assert_eq!(resize(&bench, pod, quietly(larger())).await.unwrap(), JobState::Succeeded);
        let Detail { pod: grown, .. } = bench.pod(pod).await;
        assert_eq!((grown.vcpu, grown.memory_mib, grown.disk_gib), (4, 8192, 40), "{}", database.name);
        assert_eq!(grown.condition.restart_causes, [RestartCause::Size].into());
        assert_eq!(held(&bench, pod).await, LARGE);
        done(&bench, "reboot", pod).await;
        assert!(bench.pod(pod).await.pod.condition.restart_causes.is_empty());
        assert_eq!(the_vm(&bench).started_with, (4, 8192));

        let smaller = || Resize { vcpu: Some(1), memory_mib: Some(1024), ..Resize::default() };
        assert_eq!(resize(&bench, pod, smaller()).await.unwrap(), JobState::Succeeded);
        assert_eq!(held(&bench, pod).await, LARGE, "it still runs with that");
        assert_eq!(bench.pod(pod).await.pod.memory_mib, 1024);
        done(&bench, "stop", pod).await;
        let after = Held { vcpu: 1, memory_mib: 1024, disk_gib: 40 };
        assert_eq!(held(&bench, pod).await, after, "{}: off, it is free", database.name);
        assert!(bench.pod(pod).await.pod.condition.restart_causes.is_empty());

        let figure = |vcpu| Resize { vcpu: Some(vcpu), ..Resize::default() };
        assert_eq!(resize(&bench, pod, figure(3)).await.unwrap(), JobState::Succeeded);
        assert_eq!((held(&bench, pod).await.vcpu, bench.pod(pod).await.pod.condition.restart_causes.len()), (3, 0));
        assert_eq!(resize(&bench, pod, figure(2)).await.unwrap(), JobState::Succeeded);
        assert_eq!(held(&bench, pod).await.vcpu, 2, "a stopped VM has shrunk at once");

        done(&bench, "start", pod).await;
        let restarted = Resize { restart: true, ..figure(4) };
        assert_eq!(resize(&bench, pod, restarted).await.unwrap(), JobState::Succeeded);
        assert_eq!(the_vm(&bench).started_with.0, 4, "the job restarted it");
        assert!(bench.pod(pod).await.pod.condition.restart_causes.is_empty());
        done(&bench, "destroy", pod).await;
        assert_eq!(bench.held().await, NOTHING);
    }
}

#[tokio::test]
async fn a_resize_that_is_undone_takes_back_its_own_need_of_a_restart_alone() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        let (_, job) = bench.pods.cloudpod_ssh_keys(&actor(), Scope::Platform, pod, None, &[], false).await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        let waits = async || bench.pod(pod).await.pod.condition.restart_causes;
        assert_eq!(waits().await, [RestartCause::SshKeys].into(), "{}", database.name);

        bench.agents.fail("resize_disk", 1, Fail::Before, FailureKind::NoSpace);
        assert_eq!(resize(&bench, pod, larger()).await.unwrap(), JobState::Failed);
        assert_eq!(waits().await, [RestartCause::SshKeys].into(), "{}: the keys still wait", database.name);
        assert_eq!(held(&bench, pod).await, SMALL, "and nothing more is held for that");

        let quietly = Resize { restart: false, ..larger() };
        assert_eq!(resize(&bench, pod, quietly).await.unwrap(), JobState::Succeeded);
        assert_eq!(waits().await, [RestartCause::Size, RestartCause::SshKeys].into());
        done(&bench, "reboot", pod).await;
        assert!(waits().await.is_empty(), "{}: a restart is for all", database.name);
        assert_eq!(held(&bench, pod).await, LARGE);
    }
}

#[tokio::test]
async fn no_pod_grows_beyond_its_server_and_what_failed_is_given_back() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 4).await;
        let pod = bench.active("web-1").await;
        let second = bench.active("web-2").await;
        let Error::NoCapacity(lacks) = resize(&bench, pod, larger()).await.unwrap_err() else { panic!("it fits") };
        let lacks: Vec<_> = lacks.iter().map(|l| l.message.as_str()).collect();
        assert_eq!(lacks, ["CPU: 2 more needed, 0 free"]);
        let disk = Resize { disk_gib: Some(2000), ..Resize::default() };
        let error = resize(&bench, pod, disk).await.unwrap_err();
        assert!(error.to_string().contains("pve1: disk: 1980 GiB more needed, 960 GiB free"), "{error}");

        done(&bench, "destroy", second).await;
        // Both look while there is room for one, and then both want it.
        let third = bench.active("web-3").await;
        done(&bench, "destroy", third).await;
        bench.agents.fail("resize_disk", 1, Fail::Before, FailureKind::NoSpace);
        assert_eq!(resize(&bench, pod, larger()).await.unwrap(), JobState::Failed);
        assert_eq!(held(&bench, pod).await, SMALL, "{}: all is given back", database.name);
        let Detail { pod: same, .. } = bench.pod(pod).await;
        assert_eq!((same.vcpu, same.memory_mib, same.disk_gib), (2, 4096, 20));
        assert_eq!(the_vm(&bench).configure.unwrap().memory_mib, 4096);
        assert!(same.condition.restart_causes.is_empty());

        bench.agents.fail("resize_disk", 1, Fail::After, FailureKind::Permission);
        assert_eq!(resize(&bench, pod, larger()).await.unwrap(), JobState::Failed);
        let disk_alone = Held { disk_gib: 40, ..SMALL };
        assert_eq!(held(&bench, pod).await, disk_alone, "what may have grown stays held");
        assert_eq!(bench.pod(pod).await.pod.disk_gib, 40);

        bench.agents.fail("reboot", 1, Fail::After, FailureKind::Timeout);
        assert_eq!(resize(&bench, pod, larger()).await.unwrap(), JobState::Failed);
        assert_eq!(held(&bench, pod).await, LARGE, "it may run with it");
        assert_eq!(bench.pod(pod).await.pod.memory_mib, 8192, "the new size stands");
    }
}

#[tokio::test]
async fn a_disk_that_one_try_may_have_grown_stays_held_whatever_the_last_try_says() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        bench.agents.hold("resize_disk");
        bench.agents.fail("resize_disk", 1, Fail::After, FailureKind::Timeout);
        let disk = Resize { disk_gib: Some(40), ..Resize::default() };
        let (_, job) = bench.pods.cloudpod_resize(&actor(), Scope::Platform, pod, &disk).await.unwrap();
        bench.out("resize_disk").await;
        bench.agents.release("resize_disk");
        bench.agents.fail("resize_disk", 9, Fail::Before, FailureKind::NoSpace);
        let job = bench.over(job.id).await;
        assert_eq!((job.state, job.error.unwrap().code.as_str()), (JobState::Failed, "storage_full"));
        assert_eq!(held(&bench, pod).await, Held { disk_gib: 40, ..SMALL }, "{}", database.name);
        assert_eq!(bench.pod(pod).await.pod.disk_gib, 40);
    }
}

#[tokio::test]
async fn two_that_want_the_last_room_do_not_both_get_it() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 6).await;
        let pods = [bench.active("web-1").await, bench.active("web-2").await];
        let wanted = Resize { vcpu: Some(4), ..Resize::default() };
        let mut jobs = Vec::new();
        for pod in pods {
            jobs.push(bench.pods.cloudpod_resize(&actor(), Scope::Platform, pod, &wanted).await.unwrap().1);
        }
        let mut ends = Vec::new();
        for job in jobs {
            ends.push(bench.over(job.id).await);
        }
        let failed: Vec<_> = ends.iter().filter(|job| job.state == JobState::Failed).collect();
        assert_eq!(failed.len(), 1, "{}: {ends:?}", database.name);
        assert_eq!(failed[0].error.as_ref().unwrap().code, "no_capacity");
        let sum = held(&bench, pods[0]).await.vcpu + held(&bench, pods[1]).await.vcpu;
        assert_eq!(sum, 6);
    }
}

#[tokio::test]
async fn a_wrong_size_is_named_field_by_field() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let terms =
            Terms { vcpu: 1, memory_mib: 512, disk_gib: 10, traffic_gib: None, price_minor: 1, currency: "EUR".into() };
        for (name, terms) in [("tiny", terms.clone()), ("huge", Terms { vcpu: 8, disk_gib: 30, ..terms })] {
            bench.plans.plan_create(&actor(), PlanCreate { name: name.into(), terms, active: true }).await.unwrap();
        }
        let pod = bench.active("web-1").await;
        let named = |plan: &str| Resize { plan: Some(plan.into()), ..Resize::default() };
        for (wrong, says) in [
            (Resize::default(), "plan: is missing: give a plan, or at least one of"),
            (Resize { disk_gib: Some(19), ..Resize::default() }, "disk_gib: 19 GiB is less than the 20 GiB"),
            (
                Resize { vcpu: Some(0), memory_mib: Some(1), ..Resize::default() },
                "vcpu: is 0; 1 to 512 are allowed; memory_mib",
            ),
            (named("tiny"), "plan: 10 GiB is less than the 20 GiB"),
            (named("none"), "plan: "),
            (Resize { vcpu: Some(1), ..named("huge") }, "plan: has a size of its own"),
        ] {
            let error = resize(&bench, pod, wrong.clone()).await.unwrap_err();
            assert_eq!(error.code(), "invalid", "{wrong:?}");
            assert!(error.to_string().contains(says), "{wrong:?}: {error}");
        }
        assert_eq!(resize(&bench, pod, named("huge")).await.unwrap(), JobState::Succeeded);
        let Detail { pod, .. } = bench.pod(pod).await;
        assert_eq!((pod.plan.name.as_str(), pod.vcpu, pod.disk_gib), ("huge", 8, 30), "{}", database.name);
    }
}

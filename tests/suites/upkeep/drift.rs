//! What somebody did by hand on a host is shown within one inventory, can be taken or put right, and nothing is ever deleted to
//! match.

use control_plane::db::Window;
use control_plane::domain::audit::Scope;
use control_plane::domain::cloudpods::operations::Resize;
use control_plane::domain::cloudpods::{DesiredPower, State};
use control_plane::domain::drift::{Drift, Filter, Kind};
use control_plane::domain::jobs::{FailureKind, Job, JobState, Power};
use control_plane::domain::servers::InventoryVm;
use control_plane::ids::{CloudPodId, JobId, ServerId};
use mpanel_tests::databases;
use mpanel_tests::pod_bench::{PodBench, actor, two_stuck, vm};
use mpanel_tests::scripted_agent::Fail;

const ONE_POD: [i64; 4] = [1, 2, 1, 1];

pub(super) async fn open(bench: &PodBench) -> Vec<Drift> {
    let window = Window { limit: 50, after: None };
    let mut drifts = bench.drift.drift_list(&Filter::default(), window).await.unwrap();
    drifts.reverse();
    drifts
}

pub(super) async fn kinds(bench: &PodBench) -> Vec<Kind> {
    open(bench).await.into_iter().map(|drift| drift.kind).collect()
}

/// An active pod, the server that it is on, its VM as the server shows it.
pub(super) async fn placed(bench: &PodBench, name: &str) -> (CloudPodId, ServerId, InventoryVm) {
    let id = bench.active(name).await;
    let pod = bench.pod(id).await.pod;
    let mut seen = vm(pod.vmid.unwrap(), Some(id), Power::Running, false);
    seen.name = name.to_owned();
    let server = pod.server.unwrap().id;
    bench.inventory(server, vec![seen.clone()]).await;
    assert_eq!(open(bench).await, [], "as it was made");
    (id, server, seen)
}

pub(super) async fn over(bench: &PodBench, job: &Job) {
    let job = bench.over(job.id).await;
    assert_eq!(job.state, JobState::Succeeded, "{}: {:?}", job.kind, job.error);
}

#[tokio::test]
async fn what_is_done_by_hand_is_shown_within_one_inventory_and_nothing_is_deleted_to_match() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let (id, server, seen) = placed(&bench, "web-1").await;
        let before = bench.pod(id).await.pod;
        let changed = |change: fn(&mut InventoryVm)| {
            let mut changed = seen.clone();
            change(&mut changed);
            vec![changed]
        };
        for (vms, kind) in [
            (changed(|vm| vm.power = Power::Stopped), Kind::Power),
            (changed(|vm| vm.memory_mib = 8192), Kind::Size),
            (changed(|vm| vm.name = "mine".into()), Kind::Renamed),
            (changed(|vm| vm.start_on_boot = false), Kind::Autostart),
            (changed(|vm| vm.lock = "snapshot".into()), Kind::Locked),
            (changed(|vm| vm.vmid += 1), Kind::Moved),
            (Vec::new(), Kind::VmMissing),
        ] {
            bench.inventory(server, vms.clone()).await;
            let first = open(&bench).await;
            assert_eq!(kinds(&bench).await, [kind], "{} {vms:?}", database.name);
            assert_eq!((first[0].pod, first[0].server, first[0].pod_name.as_deref()), (id, server, Some("web-1")));
            assert_ne!(first[0].expected, first[0].seen);
            bench.inventory(server, vms).await;
            assert_eq!(open(&bench).await, first, "seen again, and nothing is written: it is the same one");
            bench.inventory(server, vec![seen.clone()]).await;
            assert_eq!(open(&bench).await, [], "{kind:?} is over");
            let closed = bench.drift.drift_get(first[0].id).await.unwrap();
            assert!(closed.closed_at.is_some());
        }
        let after = bench.pod(id).await.pod;
        assert_eq!((after.state, after.version, after.vmid), (before.state, before.version, before.vmid));
        assert_eq!(bench.held().await, ONE_POD, "{}: nothing is deleted to match", database.name);
    }
}

#[tokio::test]
async fn a_name_is_known_of_a_vm_that_was_last_told_of_before_its_pod_was_ready() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let server = bench.server("pve1", 16).await;
        bench.agents.hold("wait_power");
        let (detail, job) = bench.create("web-1").await.unwrap();
        bench.out("wait_power").await;
        let id = detail.pod.id;
        let mut seen = vm(bench.pod(id).await.pod.vmid.unwrap(), Some(id), Power::Running, false);
        seen.name = "web-1".into();
        bench.inventory(server, vec![seen.clone()]).await;
        bench.agents.release("wait_power");
        over(&bench, &job).await;
        // An agent tells what changes: of a VM that stays as it is it says nothing more.
        seen.name = "mine".into();
        bench.inventory(server, vec![seen]).await;
        assert_eq!(kinds(&bench).await, [Kind::Renamed], "{}", database.name);
    }
}

#[tokio::test]
async fn what_a_job_is_doing_is_no_drift() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let (id, server, seen) = placed(&bench, "web-1").await;
        bench.agents.hold("stop");
        let (_, stop) = bench.pods.cloudpod_stop(&actor(), Scope::Platform, id).await.unwrap();
        bench.out("stop").await;
        // It is wanted stopped, and still runs.
        bench.inventory(server, vec![seen.clone()]).await;
        bench.inventory(server, Vec::new()).await;
        assert_eq!(kinds(&bench).await, [], "{}", database.name);
        bench.agents.release("stop");
        over(&bench, &stop).await;
        bench.inventory(server, vec![seen.clone()]).await;
        assert_eq!(kinds(&bench).await, [Kind::Power], "now it is");
        let mut stopped = seen;
        stopped.power = Power::Stopped;
        bench.inventory(server, vec![stopped]).await;
        assert_eq!(kinds(&bench).await, []);
    }
}

#[tokio::test]
async fn what_a_job_may_be_doing_is_not_taken_and_the_refusal_says_how_that_job_ends() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let (id, server, seen) = placed(&bench, "web-1").await;
        bench.inventory(server, vec![InventoryVm { vmid: 150, ..seen }]).await;
        assert_eq!(kinds(&bench).await, [Kind::Moved], "{}", database.name);
        let drift = open(&bench).await[0].id;
        let refused = async |job: JobId, way_out: &str| {
            let error = bench.drift.drift_accept(&actor(), drift).await.unwrap_err();
            let detail = error.to_string();
            assert_eq!(error.code(), "cloudpod_busy", "{}: {error}", database.name);
            assert!(detail.contains(&job.to_string()) && detail.contains(way_out), "{}: {detail}", database.name);
        };
        let (_, queued) = bench.pods.cloudpod_start(&actor(), Scope::Platform, id).await.unwrap();
        refused(queued.id, "wait for it, or cancel it").await;
        over(&bench, &queued).await;
        // Neither is of use with one that is stuck.
        let [stuck, _] = two_stuck(&bench, id).await;
        refused(stuck, &format!("`mpanel job retry {stuck}`")).await;
    }
}

#[tokio::test]
async fn what_was_changed_by_hand_during_a_job_is_shown_when_that_is_over() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let (id, server, seen) = placed(&bench, "web-1").await;
        bench.drift.reconcile().await.unwrap();
        bench.agents.hold("reboot");
        let (_, reboot) = bench.pods.cloudpod_reboot(&actor(), Scope::Platform, id, 60).await.unwrap();
        bench.out("reboot").await;
        bench.inventory(server, vec![InventoryVm { name: "mine".into(), ..seen.clone() }]).await;
        bench.drift.reconcile().await.unwrap();
        assert_eq!(kinds(&bench).await, [], "{}: a job may be doing it", database.name);
        bench.agents.release("reboot");
        over(&bench, &reboot).await;
        // The agent tells what changes, and nothing does.
        assert_eq!(bench.drift.reconcile().await.unwrap().compared, 1);
        assert_eq!(kinds(&bench).await, [Kind::Renamed], "{}", database.name);
        bench.inventory(server, vec![seen]).await;
        assert_eq!(bench.drift.reconcile().await.unwrap().compared, 0, "once a job's end");
    }
}

#[tokio::test]
async fn what_a_capture_is_making_is_no_orphan() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let (id, server, seen) = placed(&bench, "web-1").await;
        bench.agents.hold("make_template");
        let (_, job) = bench.pods.image_capture(&actor(), Scope::Platform, id, "golden", None).await.unwrap();
        bench.out("make_template").await;
        let (_, vmid, made) = bench.agents.vms().into_iter().find(|(.., vm)| vm.pod != Some(id)).unwrap();
        let stamp = made.pod.unwrap();
        let stranger = vm(vmid + 1, Some(CloudPodId::generate()), Power::Stopped, false);
        bench.inventory(server, vec![seen.clone(), vm(vmid, Some(stamp), Power::Stopped, false), stranger]).await;
        assert_eq!(kinds(&bench).await, [Kind::Orphan], "{}", database.name);
        assert_eq!(open(&bench).await[0].vmid, vmid + 1, "the other one is");
        for refused in [
            bench.pods.orphan_destroy(&actor(), stamp, server, vmid).await.unwrap_err(),
            bench.pods.orphan_release(&actor(), stamp, server, vmid).await.unwrap_err(),
        ] {
            assert_eq!(refused.code(), "vm_of_image", "{refused}");
            assert!(refused.to_string().contains("delete the image"), "{refused}");
        }
        bench.agents.release("make_template");
        over(&bench, &job).await;
    }
}

#[tokio::test]
async fn what_is_seen_can_be_taken_for_what_is_wanted() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let (id, server, mut seen) = placed(&bench, "web-1").await;
        seen.power = Power::Stopped;
        (seen.vcpu, seen.memory_mib, seen.disk_mib) = (4, 8192, 30 * 1024);
        seen.name = "mine".into();
        bench.inventory(server, vec![seen.clone()]).await;
        assert_eq!(kinds(&bench).await, [Kind::Power, Kind::Size, Kind::Renamed], "{}", database.name);
        for drift in open(&bench).await {
            let (after, job) = bench.drift.drift_accept(&actor(), drift.id).await.unwrap();
            assert!(job.is_none() && after.closed_at.is_some(), "{after:?}");
            let again = bench.drift.drift_accept(&actor(), drift.id).await.unwrap_err();
            assert_eq!(again.code(), "drift_over");
        }
        let pod = bench.pod(id).await.pod;
        assert_eq!(pod.desired_power, DesiredPower::Stopped);
        assert_eq!((pod.vcpu, pod.memory_mib, pod.disk_gib, pod.name.as_str()), (4, 8192, 30, "web-1"));
        let reserved = bench.books.servers.server_show("pve1").await.unwrap().reserved;
        assert_eq!((reserved.vcpu, reserved.memory_mib, reserved.pods), (4, 8192, 1), "its reservation is as large");
        bench.held().await;
        bench.inventory(server, vec![seen]).await;
        assert_eq!(kinds(&bench).await, []);
    }
}

#[tokio::test]
async fn a_pod_s_power_is_put_right_by_itself_a_bounded_number_of_times() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let (id, server, seen) = placed(&bench, "web-1").await;
        let mut stopped = seen.clone();
        stopped.power = Power::Stopped;
        bench.agents.vm_change(id, |vm| vm.power = Power::Stopped);
        // The host goes on saying that it is stopped, whatever is done.
        let mut healed = 0;
        for _ in 0..4 {
            bench.inventory(server, vec![stopped.clone()]).await;
            healed += bench.drift.reconcile().await.unwrap().healed;
            let drift = open(&bench).await.remove(0);
            assert_eq!(drift.kind, Kind::Power);
            let (job, _) = bench.jobs.job_get(Scope::Platform, drift.heal_job.unwrap()).await.unwrap();
            assert_eq!(job.kind, "start");
            over(&bench, &job).await;
        }
        assert_eq!(healed, 2, "{}", database.name);
        assert_eq!(bench.agents.vms()[0].2.power, Power::Running);
        bench.inventory(server, vec![seen]).await;
        assert_eq!(kinds(&bench).await, []);

        // By hand it can be done all the same.
        bench.inventory(server, vec![stopped]).await;
        let drift = open(&bench).await.remove(0);
        let (_, job) = bench.drift.drift_heal(&actor(), drift.id).await.unwrap();
        over(&bench, &job).await;
    }
}

#[tokio::test]
async fn whether_a_vm_starts_with_its_host_is_put_right_or_taken() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let (id, server, seen) = placed(&bench, "web-1").await;
        let off = || InventoryVm { start_on_boot: false, ..seen.clone() };
        bench.agents.vm_change(id, |vm| vm.start_on_boot = false);
        bench.inventory(server, vec![off()]).await;
        let drift = open(&bench).await.remove(0);
        assert_eq!(drift.kind, Kind::Autostart, "{}", database.name);
        let (_, job) = bench.drift.drift_heal(&actor(), drift.id).await.unwrap();
        over(&bench, &job).await;
        assert!(bench.agents.vms()[0].2.start_on_boot, "it was put right");
        bench.inventory(server, vec![seen.clone()]).await;
        assert_eq!(kinds(&bench).await, []);

        bench.inventory(server, vec![off()]).await;
        let drift = open(&bench).await.remove(0);
        let (after, job) = bench.drift.drift_accept(&actor(), drift.id).await.unwrap();
        assert!(job.is_none() && after.closed_at.is_some(), "{after:?}");
        assert!(!bench.pod(id).await.pod.start_on_boot, "and stays so:");
        let resize = Resize { vcpu: Some(1), ..Resize::default() };
        let (_, job) = bench.pods.cloudpod_resize(&actor(), Scope::Platform, id, &resize).await.unwrap();
        over(&bench, &job).await;
        let (_, job) = bench.pods.cloudpod_suspend(&actor(), Scope::Platform, id, "unpaid", 60).await.unwrap();
        over(&bench, &job).await;
        let (_, job) = bench.pods.cloudpod_unsuspend(&actor(), Scope::Platform, id).await.unwrap();
        over(&bench, &job).await;
        assert!(!bench.agents.vms()[0].2.start_on_boot, "no other job changes it");
    }
}

/// Beside the pod's own VM a second one with its stamp, and one with the stamp of a pod that never was.
fn strays(bench: &PodBench, server: ServerId, pod: CloudPodId, vmid: u32) -> [InventoryVm; 2] {
    [(vmid + 100, pod), (vmid + 200, CloudPodId::generate())].map(|(vmid, pod)| {
        bench.agents.vm_copy(server, vmid, pod);
        vm(vmid, Some(pod), Power::Running, false)
    })
}

#[tokio::test]
async fn an_orphan_is_listed_and_removed_only_on_a_typed_confirmation() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let (id, server, seen) = placed(&bench, "web-1").await;
        let [second, nobody] = strays(&bench, server, id, seen.vmid);
        let (copy, orphan, stranger) = (second.vmid, nobody.vmid, nobody.pod);
        let template = vm(orphan + 1, stranger, Power::Stopped, true);
        bench.inventory(server, vec![seen.clone(), second, nobody, template]).await;
        assert_eq!(kinds(&bench).await, [Kind::Duplicate, Kind::Orphan], "{}", database.name);
        bench.drift.reconcile().await.unwrap();
        assert_eq!(bench.agents.vms().len(), 3, "nothing is removed by itself");
        let drifts = open(&bench).await;
        let accept = bench.drift.drift_accept(&actor(), drifts[1].id).await.unwrap_err();
        assert_eq!(accept.code(), "cloudpod_gone");
        for (drift, vmid) in drifts.iter().zip([copy, orphan]) {
            let wrong = bench.drift.drift_destroy(&actor(), drift.id, "pve1/1").await.unwrap_err();
            assert!(wrong.to_string().contains(&format!("must be pve1/{vmid}")), "{wrong}");
            let (_, job) = bench.drift.drift_destroy(&actor(), drift.id, &format!("pve1/{vmid}")).await.unwrap();
            over(&bench, &job).await;
        }
        assert_eq!(bench.held().await, ONE_POD, "the pod's own VM is left alone");
        bench.inventory(server, vec![seen]).await;
        assert_eq!(kinds(&bench).await, []);
    }
}

#[tokio::test]
async fn an_orphan_is_let_go_only_on_a_typed_confirmation_and_is_a_foreign_vm_afterwards() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let (id, server, seen) = placed(&bench, "web-1").await;
        let [second, nobody] = strays(&bench, server, id, seen.vmid);
        let (copy, orphan) = (second.vmid, nobody.vmid);
        bench.inventory(server, vec![seen.clone(), second, nobody]).await;
        let drifts = open(&bench).await;
        for (drift, vmid) in drifts.iter().zip([copy, orphan]) {
            let wrong = bench.drift.drift_release(&actor(), drift.id, "pve1/1").await.unwrap_err();
            assert!(wrong.to_string().contains(&format!("must be pve1/{vmid}")), "{wrong}");
            let (_, job) = bench.drift.drift_release(&actor(), drift.id, &format!("pve1/{vmid}")).await.unwrap();
            over(&bench, &job).await;
        }
        assert_eq!(bench.held().await, ONE_POD, "{}: the pod's own VM keeps its stamp", database.name);
        let theirs: Vec<_> = bench.agents.vms_all().into_iter().filter(|(.., vm)| vm.pod.is_none()).collect();
        assert_eq!(theirs.len(), 2, "nothing is removed");
        assert_eq!(bench.audited("server.orphan_released").await, 2);
        let foreign = |vmid| vm(vmid, None, Power::Running, false);
        bench.inventory(server, vec![seen.clone(), foreign(copy), foreign(orphan)]).await;
        assert_eq!(kinds(&bench).await, []);

        // A pod's own VM is not let go, whatever was seen of it before.
        let own = bench.pods.orphan_release(&actor(), id, server, seen.vmid).await.unwrap();
        let own = bench.over(own.id).await;
        assert_eq!((own.state, own.error.unwrap().code.as_str()), (JobState::Failed, "vm_not_orphan"));
        bench.agents.fail("release", 9, Fail::Before, FailureKind::Unsupported);
        bench.agents.vm_copy(server, copy, id);
        let job = bench.pods.orphan_release(&actor(), id, server, copy).await.unwrap();
        assert_eq!(
            bench.over(job.id).await.error.unwrap().code,
            "agent_unsupported",
            "no agent is believed to know it"
        );
    }
}

#[tokio::test]
async fn a_moved_vm_is_taken_at_its_new_place_only_when_both_hosts_confirm_it() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let first = bench.server("pve1", 16).await;
        let second = bench.server("pve2", 16).await;
        let (id, from, seen) = placed(&bench, "web-1").await;
        let to = if from == first { second } else { first };
        bench.inventory(to, vec![seen.clone()]).await;
        // What the old host last told is out of date: within a cluster a number is one VM.
        assert_eq!(kinds(&bench).await, [Kind::Moved], "{}", database.name);
        bench.inventory(from, Vec::new()).await;
        bench.drift.reconcile().await.unwrap();
        assert_eq!(kinds(&bench).await, [Kind::Moved]);
        let drift = open(&bench).await.remove(0);

        let (_, job) = bench.drift.drift_accept(&actor(), drift.id).await.unwrap();
        let failed = bench.over(job.unwrap().id).await;
        assert_eq!((failed.state, failed.error.unwrap().code.as_str()), (JobState::Failed, "vm_not_there"));
        assert_eq!(bench.pod(id).await.pod.server.unwrap().id, from);

        bench.agents.vm_move((from, seen.vmid), (to, seen.vmid));
        let (_, job) = bench.drift.drift_accept(&actor(), drift.id).await.unwrap();
        over(&bench, &job.unwrap()).await;
        let pod = bench.pod(id).await.pod;
        assert_eq!((pod.state, pod.server.unwrap().id, pod.vmid), (State::Active, to, Some(seen.vmid)));
        assert_eq!(pod.observed_power, Power::Running, "as its new host said");
        assert_eq!(bench.held().await, ONE_POD);
        let reserved = bench.books.servers.server_get(bench.db.read().await.unwrap().conn(), from).await.unwrap();
        assert_eq!(reserved.reserved.pods, 0);
        bench.drift.reconcile().await.unwrap();
        assert_eq!(kinds(&bench).await, []);
    }
}

#[tokio::test]
async fn a_heal_does_not_undo_a_newer_wish() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let (id, server, mut seen) = placed(&bench, "web-1").await;
        seen.power = Power::Stopped;
        bench.inventory(server, vec![seen]).await;
        let drift = open(&bench).await.remove(0);
        assert_eq!(drift.expected["power"], "running", "{}", database.name);
        let (_, stop) = bench.pods.cloudpod_stop(&actor(), Scope::Platform, id).await.unwrap();
        over(&bench, &stop).await;
        let late = bench.drift.drift_heal(&actor(), drift.id).await.unwrap_err();
        assert_eq!(late.code(), "drift_over", "{late}");
        assert_eq!(bench.pod(id).await.pod.desired_power, DesiredPower::Stopped, "{}", database.name);
    }
}

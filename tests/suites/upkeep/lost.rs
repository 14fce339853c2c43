//! A host that will not come back: a declaration alone frees what it held, and when it returns it is fenced first.

use control_plane::db::Window;
use control_plane::domain::audit::Scope;
use control_plane::domain::cloudpods::State;
use control_plane::domain::cloudpods::backups::BackupCreate;
use control_plane::domain::drift::{Action, Drift, Filter, Kind};
use control_plane::domain::jobs::command::BackupMode;
use control_plane::domain::jobs::{FailureKind, JobState, Power};
use control_plane::domain::servers::lost::{FenceOutcome, FencedVm};
use control_plane::domain::servers::{InventoryVm, SchedulingState, StatusChange};
use control_plane::ids::{BackupId, CloudPodId, JobId, ServerId};
use mpanel_tests::pod_bench::{PodBench, SOON, TEMPLATE, actor, staff, two_stuck, vm};
use mpanel_tests::scripted_agent::Fail;
use mpanel_tests::{databases, eventually};

const WHY: &str = "the mainboard burnt";

async fn declare(bench: &PodBench, server: ServerId) {
    bench.losses.server_declare_lost(&actor(), server, WHY, "pve1").await.unwrap();
}

async fn backup(bench: &PodBench, pod: CloudPodId) -> BackupId {
    let wanted = BackupCreate {
        storage: None,
        mode: BackupMode::Snapshot,
        note: String::new(),
        protected: false,
        keep_days: None,
    };
    let (_, job) = bench.pods.backup_create(&actor(), Scope::Platform, pod, wanted).await.unwrap();
    assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
    let window = Window { limit: 9, after: None };
    bench.pods.backup_list(Scope::Platform, Some(pod), window).await.unwrap()[0].id
}

async fn waits_for(bench: &PodBench, job: JobId, server: ServerId) {
    eventually("the job to wait for the host", SOON, async || {
        bench.engine.dispatch().await.unwrap();
        let (job, _) = bench.jobs.job_get(Scope::Platform, job).await.unwrap();
        (job.waits_for == Some(server)).then_some(())
    })
    .await;
}

async fn drifts(bench: &PodBench) -> Vec<Drift> {
    let window = Window { limit: 9, after: None };
    bench.drift.drift_list(&Filter::default(), window).await.unwrap()
}

async fn state(bench: &PodBench, id: CloudPodId) -> State {
    bench.pod(id).await.pod.state
}

#[tokio::test]
async fn only_a_declaration_frees_what_an_unreachable_host_held() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let server = bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        let online = bench.losses.server_declare_lost(&actor(), server, WHY, "pve1").await.unwrap_err();
        assert_eq!(online.code(), "server_online", "{}", database.name);
        bench.offline(server).await;
        for (reason, confirm, says) in [("", "pve1", "reason"), (WHY, "pve2", "confirm"), (WHY, "PVE1", "confirm")] {
            let refused = bench.losses.server_declare_lost(&actor(), server, reason, confirm).await.unwrap_err();
            assert!(refused.to_string().starts_with(says), "{refused}");
        }
        let (_, destroy) = bench.pods.cloudpod_destroy(&actor(), staff(), pod).await.unwrap();
        waits_for(&bench, destroy.id, server).await;
        let waiting = bench.jobs.waiting_counts(bench.db.read().await.unwrap().conn()).await.unwrap();
        assert_eq!(waiting.get(&server), Some(&1), "what waits for it is shown");
        assert_eq!(bench.held().await, [1, 2, 1, 1], "unreachable is not dead: it holds what it held");

        let declared = bench.losses.server_declare_lost(&actor(), server, WHY, "pve1").await.unwrap();
        assert_eq!((declared.cloudpods, declared.jobs, declared.server.generation), (1, 1, 1));
        assert!(declared.server.lost_at.is_some() && declared.server.problem.contains(WHY), "{declared:?}");
        assert_eq!(declared.server.scheduling.state, SchedulingState::Locked, "it takes nothing new by itself");
        assert_eq!(bench.over(destroy.id).await.state, JobState::Succeeded, "no agent is needed");
        assert!(matches!(state(&bench, pod).await, State::Deleted { .. }));
        assert_eq!(bench.held().await, [0, 0, 0, 1], "all is free, and its VM may still run");

        let again = bench.losses.server_declare_lost(&actor(), server, "again", "pve1").await.unwrap();
        assert_eq!(
            (again.already, again.cloudpods),
            (declared.server.lost_at.map(|at| (at, 1)), 0),
            "{}",
            database.name
        );
        assert_eq!(again.server, declared.server, "nothing of it is said anew");
        assert_eq!(bench.audited("server.declared_lost").await, 1);
    }
}

#[tokio::test]
async fn a_pod_on_a_lost_host_is_failed_and_keeps_its_addresses() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let server = bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        let addresses = bench.pod(pod).await.addresses;
        bench.offline(server).await;
        declare(&bench, server).await;
        let lost = bench.pod(pod).await;
        assert!(matches!(&lost.pod.state, State::Failed { cause } if cause.contains(WHY)), "{:?}", lost.pod.state);
        assert_eq!((lost.pod.server, lost.pod.vmid, &lost.addresses), (None, None, &addresses), "{}", database.name);
        assert_eq!(bench.held().await, [0, 2, 0, 1], "for a restore elsewhere");
        let (_, job) = bench.pods.cloudpod_destroy(&actor(), staff(), pod).await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        assert_eq!(bench.held().await, [0, 0, 0, 1]);
    }
}

#[tokio::test]
async fn jobs_under_way_on_a_lost_host_end_with_a_clear_code() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let server = bench.server("pve1", 16).await;
        let running = bench.active("web-1").await;
        bench.agents.hold("clone");
        bench.agents.hold("stop");
        let (made, provision) = bench.create("web-2").await.unwrap();
        let (_, stop) = bench.pods.cloudpod_stop(&actor(), Scope::Platform, running).await.unwrap();
        bench.out("clone").await;
        bench.out("stop").await;
        bench.offline(server).await;
        declare(&bench, server).await;
        for job in [provision, stop] {
            let job = bench.over(job.id).await;
            assert_eq!(job.state, JobState::Failed, "{} {}", database.name, job.kind);
            let error = job.error.unwrap();
            assert_eq!((error.code.as_str(), error.detail.contains(WHY)), ("server_lost", true), "{error:?}");
        }
        assert!(matches!(state(&bench, made.pod.id).await, State::Failed { .. }));
        assert_eq!(bench.held().await, [0, 2, 0, 1], "what was being made holds nothing");
    }
}

#[tokio::test]
async fn what_was_stuck_of_a_pod_ends_when_its_host_is_declared_lost() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let server = bench.server("pve1", 16).await;
        bench.agents.vague();
        bench.agents.fail("start", 1, Fail::Before, FailureKind::NoSpace);
        let (made, job) = bench.create("web-1").await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Stuck, "{}", database.name);
        bench.offline(server).await;
        declare(&bench, server).await;
        assert_eq!(bench.over(job.id).await.state, JobState::Failed, "{}", database.name);
        assert!(matches!(state(&bench, made.pod.id).await, State::Failed { .. }));
        let mut at = bench.db.snapshot().await.unwrap();
        assert!(bench.jobs.stuck_check(at.conn()).await.unwrap().is_ok(), "{}", database.name);
    }
}

#[tokio::test]
async fn a_lost_host_that_returns_is_fenced_before_it_is_given_orders_and_its_copies_are_orphans() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let server = bench.server("pve1", 16).await;
        let servers = &bench.books.servers;
        let pod = bench.active("web-1").await;
        let vmid = bench.pod(pod).await.pod.vmid.unwrap();
        bench.offline(server).await;
        declare(&bench, server).await;
        bench.online(server, "pve1").await;
        let fences = async || servers.fences(bench.db.read().await.unwrap().conn(), server).await.unwrap();
        assert_eq!(fences().await, [FencedVm { pod, vmid }], "{}", database.name);
        let vm_of = FencedVm { pod, vmid };
        let answer = |error: Option<&str>| FenceOutcome { vm: vm_of, error: error.map(str::to_owned), foreign: false };
        assert!(!servers.fences_record(server, &[]).await.unwrap(), "silence fences nothing");
        assert!(!servers.fences_record(server, &[answer(Some("VM is locked"))]).await.unwrap());
        let shown = servers.server_show("pve1").await.unwrap();
        assert!(shown.problem.contains("VM is locked") && shown.lost_at.is_some(), "{}", shown.problem);
        assert!(servers.fences_record(server, &[answer(None)]).await.unwrap());
        let shown = servers.server_show("pve1").await.unwrap();
        assert_eq!((shown.problem.as_str(), shown.lost_at), ("", None));

        // Its number is given to nobody while the copy is there.
        let online = StatusChange { status: SchedulingState::Online, reason: String::new(), deadline: None };
        servers.server_status_set(&actor(), server, None, online).await.unwrap();
        let copy = vm(vmid, Some(pod), Power::Stopped, false);
        bench.inventory(server, vec![vm(TEMPLATE, None, Power::Stopped, true), copy]).await;
        let drifts = drifts(&bench).await;
        assert_eq!(drifts.iter().map(|d| (d.kind, d.vmid)).collect::<Vec<_>>(), [(Kind::Orphan, vmid)]);
        assert_ne!(bench.pod(bench.active("web-2").await).await.pod.vmid, Some(vmid));
        assert_eq!(fences().await.len(), 1, "it is fenced again at each session, while it is there");

        // It was not lost after all: its pod gets it back.
        let (_, job) = bench.drift.drift_accept(&actor(), drifts[0].id).await.unwrap();
        let job = bench.over(job.unwrap().id).await;
        assert_eq!(job.state, JobState::Succeeded, "{:?}", job.error);
        let back = bench.pod(pod).await.pod;
        assert_eq!((back.state, back.vmid, back.server.unwrap().id), (State::Active, Some(vmid), server));
        assert_eq!(fences().await, [], "and is not stopped when the agent comes back the next time");
        assert_eq!(bench.held().await, [2, 4, 2, 2]);
    }
}

#[tokio::test]
async fn a_fenced_number_that_is_another_vms_now_is_told_and_keeps_the_host_from_nothing() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let server = bench.server("pve1", 16).await;
        let servers = &bench.books.servers;
        let pod = bench.active("web-1").await;
        let vmid = bench.pod(pod).await.pod.vmid.unwrap();
        bench.offline(server).await;
        declare(&bench, server).await;
        bench.online(server, "pve1").await;
        let error = Some("VM 100 (theirs) bears no stamp of mPanel's; it was left alone".to_owned());
        let answer = FenceOutcome { vm: FencedVm { pod, vmid }, error, foreign: true };
        assert!(servers.fences_record(server, &[answer]).await.unwrap(), "{}: it may be given orders", database.name);
        let problem = async || servers.server_show("pve1").await.unwrap().problem;
        let (shown, lost_at) = (problem().await, servers.server_show("pve1").await.unwrap().lost_at);
        assert!(lost_at.is_none() && shown.contains("was not stopped") && shown.contains("(theirs)"), "{shown}");

        let theirs = vm(vmid, None, Power::Running, false);
        bench.inventory(server, vec![vm(TEMPLATE, None, Power::Stopped, true), theirs]).await;
        assert!(!problem().await.is_empty(), "as long as it is there");
        let online = StatusChange { status: SchedulingState::Online, reason: String::new(), deadline: None };
        servers.server_status_set(&actor(), server, None, online).await.unwrap();
        assert_ne!(bench.pod(bench.active("web-2").await).await.pod.vmid, Some(vmid), "its number is taken");
        bench.inventory(server, vec![vm(TEMPLATE, None, Power::Stopped, true)]).await;
        assert_eq!(problem().await, "", "until it is gone");
    }
}

#[tokio::test]
async fn an_orphan_on_a_lost_host_is_not_called_destroyed() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let server = bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        let own = vm(bench.pod(pod).await.pod.vmid.unwrap(), Some(pod), Power::Running, false);
        bench.agents.vm_copy(server, 170, pod);
        let seen = vec![own, vm(170, Some(pod), Power::Stopped, false)];
        bench.inventory(server, seen).await;
        let copy = drifts(&bench).await.into_iter().find(|drift| drift.vmid == 170).unwrap();
        bench.offline(server).await;
        let (_, job) = bench.drift.drift_destroy(&actor(), copy.id, "pve1/170").await.unwrap();
        waits_for(&bench, job.id, server).await;
        declare(&bench, server).await;
        let job = bench.over(job.id).await;
        assert_eq!(
            (job.state, job.error.unwrap().code.as_str()),
            (JobState::Failed, "server_lost"),
            "{}",
            database.name
        );
        let late = bench.drift.drift_destroy(&actor(), copy.id, "pve1/170").await.unwrap().1;
        assert_eq!(bench.over(late.id).await.error.unwrap().code, "server_lost", "nor when it is asked for after that");
        bench.online(server, "pve1").await;
        bench.inventory(server, vec![vm(170, Some(pod), Power::Stopped, false)]).await;
        let listed: Vec<_> = drifts(&bench).await.into_iter().map(|drift| (drift.kind, drift.vmid)).collect();
        assert_eq!(listed, [(Kind::Orphan, 170)], "the host is back, and it is there");
    }
}

#[tokio::test]
async fn a_vm_that_came_up_on_another_node_is_given_back_to_its_lost_pod_and_not_doubled() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let first = bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        let before = bench.pod(pod).await;
        let vmid = before.pod.vmid.unwrap();
        let second = bench.server("pve2", 16).await;
        let made = backup(&bench, pod).await;
        let template = || vm(TEMPLATE, None, Power::Stopped, true);
        bench.offline(first).await;
        // Proxmox's HA, or somebody who moved its configuration, brought it up elsewhere.
        bench.agents.vm_move((first, vmid), (second, vmid));
        bench.inventory(second, vec![template(), vm(vmid, Some(pod), Power::Running, false)]).await;
        let moved = drifts(&bench).await.remove(0);
        assert_eq!((moved.kind, moved.server), (Kind::Moved, second), "{}", database.name);
        let early = bench.drift.drift_accept(&actor(), moved.id).await.unwrap().1.unwrap();
        waits_for(&bench, early.id, first).await;
        bench.jobs.job_cancel(&actor(), Scope::Platform, early.id).await.unwrap();
        assert_eq!(bench.over(early.id).await.state, JobState::Cancelled);

        declare(&bench, first).await;
        bench.drift.reconcile().await.unwrap();
        let orphan = drifts(&bench).await.into_iter().find(|drift| drift.kind == Kind::Orphan).unwrap();
        assert!(orphan.server == second && orphan.kind.actions().contains(&Action::Accept), "{orphan:?}");
        // It may run: neither is the pod made a second time, nor are its addresses given away.
        let twice = bench.pods.backup_restore(&actor(), staff(), pod, made, None).await.unwrap_err();
        assert_eq!(twice.code(), "cloudpod_vm_found", "{twice}");
        let (_, destroy) = bench.pods.cloudpod_destroy(&actor(), staff(), pod).await.unwrap();
        let destroy = bench.over(destroy.id).await;
        assert_eq!(destroy.state, JobState::Failed);
        assert!(destroy.error.unwrap().detail.contains("may run"));
        assert_eq!(bench.pod(pod).await.addresses, before.addresses);

        let job = bench.drift.drift_accept(&actor(), orphan.id).await.unwrap().1.unwrap();
        let job = bench.over(job.id).await;
        assert_eq!(job.state, JobState::Succeeded, "{:?}", job.error);
        let after = bench.pod(pod).await;
        assert_eq!((after.pod.state, after.pod.server.unwrap().id), (State::Active, second));
        assert_eq!(
            (after.pod.vmid, after.pod.storage, &after.addresses),
            (Some(vmid), before.pod.storage, &before.addresses)
        );
        assert_eq!(bench.held().await, [1, 2, 1, 1]);

        // The old host returns: it is asked for its own VMs alone.
        bench.online(first, "pve1").await;
        let servers = &bench.books.servers;
        let fences = async |server| servers.fences(bench.db.read().await.unwrap().conn(), server).await.unwrap();
        assert_eq!((fences(first).await, fences(second).await), (vec![FencedVm { pod, vmid }], vec![]));
        let gone = FenceOutcome { vm: FencedVm { pod, vmid }, error: None, foreign: false };
        assert!(servers.fences_record(first, &[gone]).await.unwrap());
        bench.inventory(first, vec![template()]).await;
        bench.drift.reconcile().await.unwrap();
        assert_eq!((drifts(&bench).await, fences(first).await), (vec![], vec![]));
        assert_eq!(bench.held().await, [1, 2, 1, 1], "{}", database.name);
    }
}

#[tokio::test]
async fn a_rehome_that_waits_for_a_host_goes_on_when_that_is_declared_lost() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let first = bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        let vmid = bench.pod(pod).await.pod.vmid.unwrap();
        let second = bench.server("pve2", 16).await;
        bench.offline(first).await;
        bench.agents.vm_move((first, vmid), (second, vmid));
        bench.inventory(second, vec![vm(vmid, Some(pod), Power::Running, false)]).await;
        let job = bench.drift.drift_accept(&actor(), drifts(&bench).await[0].id).await.unwrap().1.unwrap();
        waits_for(&bench, job.id, first).await;
        declare(&bench, first).await;
        let job = bench.over(job.id).await;
        assert_eq!(job.state, JobState::Succeeded, "{}: {:?}", database.name, job.error);
        let after = bench.pod(pod).await.pod;
        assert_eq!((after.state, after.server.unwrap().id), (State::Active, second));
        assert_eq!(bench.held().await, [1, 2, 1, 1]);
    }
}

#[tokio::test]
async fn what_was_only_half_made_is_not_taken_for_its_pod() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let server = bench.server("pve1", 16).await;
        bench.agents.hold("clone");
        let (made, provision) = bench.create("web-1").await.unwrap();
        bench.out("clone").await;
        let (pod, vmid) = (made.pod.id, bench.pod(made.pod.id).await.pod.vmid.unwrap());
        bench.offline(server).await;
        declare(&bench, server).await;
        assert_eq!(bench.over(provision.id).await.state, JobState::Failed);
        bench.online(server, "pve1").await;
        let fenced = FenceOutcome { vm: FencedVm { pod, vmid }, error: None, foreign: false };
        assert!(bench.books.servers.fences_record(server, &[fenced]).await.unwrap());
        let half = InventoryVm { lock: "clone".into(), ..vm(vmid, Some(pod), Power::Stopped, false) };
        bench.inventory(server, vec![half]).await;
        let orphan = drifts(&bench).await.into_iter().find(|drift| drift.kind == Kind::Orphan).unwrap();
        let refused = bench.drift.drift_accept(&actor(), orphan.id).await.unwrap_err();
        assert_eq!(refused.code(), "vm_locked", "{}", database.name);
        assert!(refused.to_string().contains("only half made: destroy it"), "{refused}");
        assert!(matches!(state(&bench, pod).await, State::Failed { .. }));
    }
}

#[tokio::test]
async fn two_stuck_jobs_of_a_pod_end_when_its_host_is_declared_lost() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let server = bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        let stuck = two_stuck(&bench, pod).await;
        bench.offline(server).await;
        declare(&bench, server).await;
        for job in stuck {
            assert_eq!(bench.over(job).await.state, JobState::Failed, "{}", database.name);
        }
    }
}

#[tokio::test]
async fn a_host_that_never_returns_is_removed_and_leaves_no_drift() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let server = bench.server("pve1", 16).await;
        let servers = &bench.books.servers;
        let pod = bench.active("web-1").await;
        let vmid = bench.pod(pod).await.pod.vmid.unwrap();
        let seen = vec![vm(TEMPLATE, None, Power::Stopped, true), vm(vmid, Some(pod), Power::Running, false)];
        bench.inventory(server, seen).await;
        let early = servers.server_delete(&actor(), server, None, Some("pve1")).await.unwrap_err();
        assert_eq!(early.code(), "server_in_use");
        bench.offline(server).await;
        declare(&bench, server).await;
        bench.drift.reconcile().await.unwrap();
        assert_eq!(drifts(&bench).await, [], "{}: nobody knows what is on it", database.name);
        for typed in [None, Some("pve2")] {
            let refused = servers.server_delete(&actor(), server, None, typed).await.unwrap_err();
            assert!(refused.to_string().starts_with("confirm: must be pve1: 1 VM(s)"), "{refused}");
        }
        servers.server_delete(&actor(), server, None, Some("pve1")).await.unwrap();
        assert!(servers.server_show("pve1").await.is_err(), "{}", database.name);
        let (_, job) = bench.pods.cloudpod_destroy(&actor(), staff(), pod).await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        assert_eq!(bench.held().await, [0, 0, 0, 1], "{}: its VM may still be there", database.name);
    }
}

#[tokio::test]
async fn a_host_that_is_back_is_not_deleted_before_it_is_fenced() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let server = bench.server("pve1", 16).await;
        let servers = &bench.books.servers;
        bench.active("web-1").await;
        bench.offline(server).await;
        declare(&bench, server).await;
        let refused = servers.server_delete(&actor(), server, None, None).await.unwrap_err();
        assert!(
            refused.to_string().starts_with("confirm: must be pve1: 1 VM(s)"),
            "no inventory told of it: {refused}"
        );
        bench.online(server, "pve1").await;
        let refused = servers.server_delete(&actor(), server, None, Some("pve1")).await.unwrap_err();
        assert_eq!(refused.code(), "server_online", "{}", database.name);
        assert_eq!(servers.fences(bench.db.read().await.unwrap().conn(), server).await.unwrap().len(), 1);
        bench.offline(server).await;
        servers.server_delete(&actor(), server, None, Some("pve1")).await.unwrap();
    }
}

//! A host that will not come back: a declaration alone frees what it held, and when it returns it is fenced first.

use control_plane::db::Window;
use control_plane::domain::audit::Scope;
use control_plane::domain::cloudpods::State;
use control_plane::domain::drift::{Filter, Kind};
use control_plane::domain::jobs::{JobState, Power};
use control_plane::domain::servers::lost::{FenceOutcome, FencedVm};
use control_plane::domain::servers::{SchedulingState, StatusChange};
use control_plane::ids::{CloudPodId, ServerId};
use mpanel_tests::databases;
use mpanel_tests::pod_bench::{PodBench, TEMPLATE, actor, vm};

const WHY: &str = "the mainboard burnt";

async fn declare(bench: &PodBench, server: ServerId) {
    bench.losses.server_declare_lost(&actor(), server, WHY, "pve1").await.unwrap();
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
        let (_, destroy) = bench.pods.cloudpod_destroy(&actor(), Scope::Platform, pod).await.unwrap();
        mpanel_tests::eventually("the destroy waits", mpanel_tests::pod_bench::SOON, async || {
            bench.engine.dispatch().await.unwrap();
            let (job, _) = bench.jobs.job_get(Scope::Platform, destroy.id).await.unwrap();
            (job.waits_for == Some(server)).then_some(())
        })
        .await;
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
        let (_, job) = bench.pods.cloudpod_destroy(&actor(), Scope::Platform, pod).await.unwrap();
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
        let answer = |error: Option<&str>| FenceOutcome { vm: FencedVm { pod, vmid }, error: error.map(str::to_owned) };
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
        let window = Window { limit: 9, after: None };
        let drifts = bench.drift.drift_list(&Filter::default(), window).await.unwrap();
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

//! Drains: a server is emptied pod by pod, and whatever interrupts that, every pod is on one server and the plan says where.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use control_plane::clock::{Clock, Ms};
use control_plane::domain::audit::Scope;
use control_plane::domain::drains::service::{Service as Drains, StatusWish};
use control_plane::domain::drains::{Detail, DrainState, Kind, Limits, Options, PodState};
use control_plane::domain::jobs::{FailureKind, JobState, Power};
use control_plane::domain::servers::{SchedulingState, StatusChange};
use control_plane::ids::{CloudPodId, ServerId};
use mpanel_tests::pod_bench::{PodBench, SOON, actor, vm};
use mpanel_tests::scripted_agent::Fail;
use mpanel_tests::{TestDatabase, databases, eventually};

#[path = "drain/blockers.rs"]
mod blockers;
#[path = "drain/fill_back.rs"]
mod fill_back;
#[path = "drain/people.rs"]
mod people;
#[path = "drain/processes.rs"]
mod processes;
#[path = "drain/remote.rs"]
mod remote;
#[path = "drain/rest.rs"]
mod rest;

/// A bench with drains, and pods on its first server.
struct Rig {
    bench: PodBench,
    drains: Drains,
    first: ServerId,
    pods: Vec<CloudPodId>,
    database: &'static str,
}

fn drains_of(bench: &PodBench) -> Drains {
    Drains::new(
        bench.db.clone(),
        Clock::system(),
        bench.books.servers.clone(),
        Arc::new(bench.pods.clone()),
        Arc::new(bench.jobs.clone()),
        bench.agents.clone(),
        Limits { at_once: 2, per_target: 2, tries_max: 3 },
    )
}

fn options() -> Options {
    Options { allow_shutdown: false, shutdown_s: 60 }
}

impl Rig {
    async fn new(database: &TestDatabase, pods: usize) -> Self {
        let bench = PodBench::new(database).await;
        let first = bench.server("pve1", 32).await;
        let mut made = Vec::new();
        for n in 0..pods {
            made.push(bench.active(&format!("web-{n}")).await);
        }
        let drains = drains_of(&bench);
        Self { bench, drains, first, pods: made, database: database.name }
    }

    async fn status(&self, status: SchedulingState, deadline: Option<Ms>, options: Options, fill_back: bool) {
        let change = StatusChange { status, reason: "new RAM".into(), deadline };
        let wish = StatusWish { change, options, fill_back };
        self.drains.status_set(&actor(), self.first, None, wish).await.unwrap();
    }

    async fn drain(&self) {
        self.status(SchedulingState::Draining, None, options(), false).await;
    }

    async fn plan(&self) -> Detail {
        self.drains.drain_get(self.first).await.unwrap()
    }

    async fn work(&self) {
        self.drains.drains_run().await.unwrap();
        self.bench.engine.dispatch().await.unwrap();
    }

    /// Works until the plan is so.
    async fn until(&self, what: &str, so: impl Fn(&Detail) -> bool) -> Detail {
        eventually(what, SOON, async || {
            self.work().await;
            let plan = self.plan().await;
            so(&plan).then_some(plan)
        })
        .await
    }

    async fn until_state(&self, state: DrainState) -> Detail {
        self.until(&format!("the drain to be {state:?} on {}", self.database), |plan| {
            plan.drain.state == state && !plan.pods.iter().any(|pod| pod.state == PodState::Moving)
        })
        .await
    }

    /// Where every pod is: in its record, in the plan, and on the hosts, which have one VM of each.
    async fn places(&self) -> Vec<ServerId> {
        let (vms, plan) = (self.bench.agents.vms(), self.plan().await);
        let mut places = Vec::new();
        for pod in &self.pods {
            let record = self.bench.pod(*pod).await.pod.server.unwrap().id;
            let on: Vec<_> = vms.iter().filter(|(_, _, vm)| vm.pod == Some(*pod)).map(|(at, ..)| *at).collect();
            assert_eq!(on, [record], "{}: one VM, where its record says", self.database);
            let row = plan.pods.iter().find(|row| row.pod == *pod).expect("it is in the plan");
            assert_eq!(row.at, Some(record), "and the plan says so too");
            places.push(record);
        }
        places
    }

    async fn is_empty(&self) -> bool {
        !self.places().await.contains(&self.first)
    }

    /// How many jobs that move a pod were made.
    async fn moves(&self) -> usize {
        let filter =
            control_plane::domain::jobs::service::JobFilter { kind: Some("migrate".into()), ..Default::default() };
        let window = control_plane::db::Window { limit: 100, after: None };
        self.bench.jobs.job_list(Scope::Platform, &filter, window).await.unwrap().len()
    }

    /// How many moves were ordered; one that is sent again is the same.
    fn migrations(&self) -> usize {
        let sent = self.bench.agents.sent();
        let moves = sent.iter().filter(|order| order.command.kind.name() == "migrate");
        moves.map(|order| order.id).collect::<BTreeSet<_>>().len()
    }
}

fn count(plan: &Detail, state: PodState) -> usize {
    plan.pods.iter().filter(|pod| pod.state == state).count()
}

#[tokio::test]
async fn a_server_without_the_vms_bridge_is_no_target_and_the_plan_says_so() {
    for database in databases().await {
        let rig = Rig::new(&database, 2).await;
        let second = rig.bench.server("pve2", 8).await;
        rig.bench.bridges(second, &["vmbr7"]).await;
        rig.drain().await;
        let plan = rig.until_state(DrainState::Blocked).await;
        for row in &plan.pods {
            assert!(row.blocker.contains("pve2: it has no bridge `vmbr0`"), "{}: {row:?}", database.name);
        }
        assert_eq!(rig.migrations(), 0, "nothing is tried that its agent would refuse");
        let third = rig.bench.server("pve3", 8).await;
        let plan = rig.until_state(DrainState::Done).await;
        assert!(plan.pods.iter().all(|row| row.at == Some(third)), "{plan:?}");
        let (why, _) = rig.bench.pods.placement_get(Scope::Platform, rig.pods[0]).await.unwrap();
        assert_eq!(why.explanation.rejected_by_reason.get("bridge"), Some(&1), "{why:?}");
        rig.places().await;
    }
}

#[tokio::test]
async fn a_preview_plans_with_the_room_there_is_and_writes_nothing() {
    for database in databases().await {
        let rig = Rig::new(&database, 4).await;
        rig.bench.server("pve2", 4).await;
        rig.bench.agents.pin(rig.pods[0]);
        let rows = rig.drains.drain_preview(rig.first, &options()).await.unwrap();
        assert_eq!(rows.len(), 4, "{}", database.name);
        assert!(rows[0].blocker.contains("passed-through") && rows[0].method.is_none(), "{:?}", rows[0]);
        for row in &rows[1..3] {
            assert_eq!((row.target.as_ref().unwrap().name.as_str(), row.bytes), ("pve2", Some(20 << 30)), "{row:?}");
        }
        assert!(rows[3].blocker.contains("CPU: 2 needed, 0 free"), "those before it take the room: {:?}", rows[3]);
        assert_eq!(rig.drains.drain_get(rig.first).await.unwrap_err().code(), "not_found", "nothing was written");
        assert_eq!(rig.drains.drains_run().await.unwrap(), 0);
        assert_eq!(rig.migrations(), 0);
    }
}

#[tokio::test]
async fn a_server_is_emptied_a_few_at_a_time_and_filled_again() {
    for database in databases().await {
        let rig = Rig::new(&database, 5).await;
        let (second, third) = (rig.bench.server("pve2", 32).await, rig.bench.server("pve3", 32).await);
        rig.bench.agents.hold("migrate");
        rig.drain().await;
        rig.drain().await;
        let plan = rig.until("two to be moved at once", |plan| count(plan, PodState::Moving) == 2).await;
        for _ in 0..5 {
            rig.work().await;
        }
        assert_eq!((count(&rig.plan().await, PodState::Moving), plan.pods.len()), (2, 5), "{}", database.name);
        rig.bench.agents.release("migrate");
        let done = rig.until_state(DrainState::Done).await;
        assert_eq!(count(&done, PodState::Moved), 5);
        assert!(rig.is_empty().await && done.drain.finished_at.is_some());
        assert_eq!(rig.migrations(), 5, "each was moved once");
        assert!(rig.places().await.iter().all(|at| [second, third].contains(at)));
        rig.bench.held().await;

        rig.status(SchedulingState::Online, None, options(), true).await;
        let back = rig.until_state(DrainState::Done).await;
        assert_eq!((back.drain.kind, count(&back, PodState::Moved)), (Kind::FillBack, 5));
        assert!(rig.places().await.iter().all(|at| *at == rig.first), "all are back");
        assert!(rig.bench.agents.vms().iter().all(|(_, _, vm)| vm.power == Power::Running));
    }
}

#[tokio::test]
async fn without_room_it_is_blocked_until_there_is_some() {
    for database in databases().await {
        let rig = Rig::new(&database, 3).await;
        rig.bench.server("pve2", 2).await;
        rig.drain().await;
        let blocked = rig.until_state(DrainState::Blocked).await;
        assert_eq!((count(&blocked, PodState::Moved), count(&blocked, PodState::Blocked)), (1, 2), "{}", database.name);
        let stays = blocked.pods.iter().find(|pod| pod.state == PodState::Blocked).unwrap();
        assert!(stays.blocker.contains("pve2: CPU: 2 needed, 0 free"), "{}", stays.blocker);
        assert!(blocked.drain.note.contains("2 pod(s) cannot be moved"), "{}", blocked.drain.note);
        rig.bench.server("pve3", 32).await;
        rig.until_state(DrainState::Done).await;
        assert!(rig.is_empty().await);
    }
}

#[tokio::test]
async fn one_that_cannot_be_moved_is_shown_and_shut_down_only_if_that_is_allowed() {
    for database in databases().await {
        let rig = Rig::new(&database, 3).await;
        rig.bench.server("pve2", 32).await;
        rig.bench.agents.pin(rig.pods[1]);
        rig.drain().await;
        let blocked = rig.until_state(DrainState::Blocked).await;
        assert_eq!((count(&blocked, PodState::Moved), count(&blocked, PodState::Blocked)), (2, 1), "{}", database.name);
        assert!(blocked.pods[1].blocker.contains("passed-through"), "{:?}", blocked.pods[1]);
        let powers: BTreeSet<_> = rig.bench.agents.vms().iter().map(|(_, _, vm)| vm.power.as_str()).collect();
        assert_eq!(powers, ["running"].into(), "nothing was powered off");
        assert!(!rig.bench.agents.orders().contains(&"shutdown"));
        let allowed = Options { allow_shutdown: true, shutdown_s: 60 };
        rig.status(SchedulingState::Draining, None, allowed, false).await;
        let done = rig.until_state(DrainState::Done).await;
        assert_eq!((done.drain.id, count(&done, PodState::Moved)), (blocked.drain.id, 3), "the same drain went on");
        assert!(rig.is_empty().await);
        eventually("it to run again", SOON, async || {
            rig.work().await;
            rig.bench.agents.vms().iter().all(|(_, _, vm)| vm.power == Power::Running).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn what_no_drain_moves_is_named_and_templates_keep_none_from_its_end() {
    for database in databases().await {
        let rig = Rig::new(&database, 1).await;
        rig.bench.server("pve2", 32).await;
        let (pod, vmid) = (rig.pods[0], rig.bench.pod(rig.pods[0]).await.pod.vmid.unwrap());
        let own = vm(vmid, Some(pod), Power::Running, false);
        let copy = vm(501, Some(pod), Power::Stopped, false);
        let stray = vm(502, Some(CloudPodId::generate()), Power::Running, false);
        let image = || vm(503, Some(CloudPodId::generate()), Power::Stopped, true);
        rig.bench.inventory(rig.first, vec![own.clone(), image()]).await;
        rig.drain().await;
        rig.until("its pod to be moved", |plan| count(plan, PodState::Moved) == 1).await;
        let waits = rig.until("the host's word to be waited for", |plan| !plan.drain.note.is_empty()).await;
        assert_eq!(waits.drain.state, DrainState::Running, "{}: {}", database.name, waits.drain.note);

        rig.bench.inventory(rig.first, vec![own, copy, stray, image()]).await;
        let blocked = rig.until_state(DrainState::Blocked).await.drain.note;
        assert!(blocked.contains("501") && blocked.contains("502 (vm502)"), "{}: {blocked}", database.name);
        assert!(!blocked.contains(&format!("{vmid} ")) && !blocked.contains("503"), "{blocked}");
        rig.bench.inventory(rig.first, vec![image()]).await;
        rig.until_state(DrainState::Done).await;
    }
}

#[tokio::test]
async fn a_cancelled_drain_begins_nothing_more_and_a_repeated_one_ends_what_is_left() {
    for database in databases().await {
        let rig = Rig::new(&database, 5).await;
        rig.bench.server("pve2", 32).await;
        rig.bench.agents.hold("migrate");
        rig.drain().await;
        rig.until("moves to be under way", |plan| count(plan, PodState::Moving) == 2).await;
        rig.bench.out("migrate").await;
        let cancelled = rig.drains.drain_cancel(&actor(), rig.first).await.unwrap();
        assert_eq!((cancelled.drain.state, count(&cancelled, PodState::Left)), (DrainState::Cancelled, 3));
        assert_eq!(rig.drains.drain_cancel(&actor(), rig.first).await.unwrap_err().code(), "no_drain");
        rig.bench.agents.release("migrate");
        let over = rig.until_state(DrainState::Cancelled).await;
        for _ in 0..5 {
            rig.work().await;
        }
        assert_eq!(rig.plan().await, over, "{}: it sticks", database.name);
        let stayed = rig.places().await.iter().filter(|at| **at == rig.first).count();
        assert_eq!((stayed, count(&over, PodState::Moved)), (count(&over, PodState::Left), 5 - stayed));
        assert!(stayed >= 3, "no further move began");
        let mut read = rig.bench.db.read().await.unwrap();
        let server = rig.bench.books.servers.server_get(read.conn(), rig.first).await.unwrap();
        assert_eq!(server.scheduling.state, SchedulingState::Locked, "it stays closed");
        drop(read);

        rig.drain().await;
        let done = rig.until_state(DrainState::Done).await;
        assert_ne!(done.drain.id, over.drain.id);
        let places: Vec<_> = rig.bench.agents.vms().iter().map(|(at, ..)| *at).collect();
        assert!(places.len() == 5 && !places.contains(&rig.first));
        assert_eq!(rig.migrations(), 5, "each was moved once");
    }
}

#[tokio::test]
async fn several_control_planes_move_each_pod_once() {
    for database in databases().await {
        let rig = Rig::new(&database, 6).await;
        rig.bench.server("pve2", 32).await;
        rig.drain().await;
        let others = [drains_of(&rig.bench), drains_of(&rig.bench), drains_of(&rig.bench)];
        eventually("the drain's end", SOON, async || {
            for run in futures::future::join_all(others.iter().map(Drains::drains_run)).await {
                run.unwrap();
            }
            rig.bench.engine.dispatch().await.unwrap();
            (rig.plan().await.drain.state == DrainState::Done).then_some(())
        })
        .await;
        assert!(rig.is_empty().await);
        assert_eq!(rig.migrations(), 6, "{}", database.name);
        let filter =
            control_plane::domain::jobs::service::JobFilter { kind: Some("migrate".into()), ..Default::default() };
        let window = control_plane::db::Window { limit: 100, after: None };
        let jobs = rig.bench.jobs.job_list(Scope::Platform, &filter, window).await.unwrap();
        assert_eq!(jobs.iter().filter(|job| job.state == JobState::Succeeded).count(), 6);
        assert_eq!(jobs.len(), 6, "no pod has a second job");
    }
}

#[tokio::test]
async fn at_its_deadline_it_is_blocked_and_not_done() {
    for database in databases().await {
        let rig = Rig::new(&database, 4).await;
        rig.bench.server("pve2", 32).await;
        rig.bench.agents.hold("migrate");
        let deadline = Clock::system().now().plus(Duration::from_secs(3));
        rig.status(SchedulingState::Draining, Some(deadline), options(), false).await;
        rig.until("two to be moved", |plan| count(plan, PodState::Moving) == 2).await;
        rig.bench.out("migrate").await;
        rig.until("the deadline to pass", |plan| plan.drain.state == DrainState::Blocked).await;
        rig.bench.agents.release("migrate");
        let blocked = rig.until_state(DrainState::Blocked).await;
        assert!(blocked.drain.note.contains("deadline has passed"), "{}", blocked.drain.note);
        assert_eq!((count(&blocked, PodState::Moved), count(&blocked, PodState::Planned)), (2, 2), "{}", database.name);
        assert_eq!(rig.migrations(), 2, "no move began after it");
        rig.drain().await;
        rig.until_state(DrainState::Done).await;
        assert!(rig.is_empty().await);
    }
}

#[tokio::test]
async fn a_move_that_fails_is_tried_elsewhere_and_no_more_often_than_allowed() {
    for database in databases().await {
        let rig = Rig::new(&database, 1).await;
        rig.bench.server("pve2", 32).await;
        rig.bench.server("pve3", 32).await;
        rig.bench.agents.fail("migrate", 1, Fail::Before, FailureKind::TaskFailed);
        rig.drain().await;
        let done = rig.until_state(DrainState::Done).await;
        let row = &done.pods[0];
        assert_eq!((row.attempts, row.avoid.len()), (1, 1), "{}", database.name);
        assert!(!row.avoid.contains(&row.target.as_ref().unwrap().id) && row.error.contains("scripted"), "{row:?}");
        assert!(rig.is_empty().await);

        let another = TestDatabase::sqlite();
        let rig = Rig::new(&another, 1).await;
        for name in ["pve2", "pve3", "pve4", "pve5"] {
            rig.bench.server(name, 32).await;
        }
        rig.bench.agents.fail("migrate", 9, Fail::Before, FailureKind::TaskFailed);
        rig.drain().await;
        let blocked = rig.until_state(DrainState::Blocked).await;
        assert_eq!((blocked.pods[0].attempts, rig.migrations()), (3, 3));
        assert!(blocked.pods[0].blocker.contains("scripted"), "{:?}", blocked.pods[0]);
        assert!(!rig.is_empty().await);
    }
}

#[tokio::test]
async fn a_move_that_is_queued_at_the_deadline_does_not_begin() {
    for database in databases().await {
        let rig = Rig::new(&database, 1).await;
        rig.bench.server("pve2", 32).await;
        rig.bench.agents.hold("reboot");
        rig.bench.pods.cloudpod_reboot(&actor(), Scope::Platform, rig.pods[0], 60).await.unwrap();
        rig.bench.out("reboot").await;
        let deadline = Clock::system().now().plus(Duration::from_secs(2));
        rig.status(SchedulingState::Draining, Some(deadline), options(), false).await;
        rig.until("its move to be queued", |plan| count(plan, PodState::Moving) == 1).await;
        let late = rig.until_state(DrainState::Blocked).await;
        assert_eq!(count(&late, PodState::Planned), 1, "{}: {:?}", database.name, late.pods);
        assert!(late.drain.note.contains("deadline has passed"), "{}", late.drain.note);
        rig.bench.agents.release("reboot");
        for _ in 0..5 {
            rig.work().await;
        }
        assert_eq!((rig.migrations(), rig.moves().await), (0, 1), "no move began after it, nor is one asked for");
        rig.drain().await;
        rig.until_state(DrainState::Done).await;
        assert!(rig.is_empty().await, "{}", database.name);
    }
}

#[tokio::test]
async fn moves_that_stand_still_take_no_place_of_a_target() {
    for database in databases().await {
        let rig = Rig::new(&database, 3).await;
        rig.bench.server("pve2", 32).await;
        rig.bench.agents.vague();
        rig.bench.agents.fail("migrate", 2, Fail::Before, FailureKind::TaskFailed);
        rig.bench.agents.hold("check_migrate");
        rig.drain().await;
        rig.until("two to be under way", |plan| count(plan, PodState::Moving) == 2).await;
        rig.bench.agents.release("check_migrate");
        rig.until("two to be stuck", |plan| plan.pods.iter().filter(|pod| pod.is_stuck()).count() == 2).await;
        rig.bench.agents.heal();
        let plan = rig.until("the third to be moved", |plan| count(plan, PodState::Moved) == 1).await;
        assert_eq!(plan.pods.iter().filter(|pod| pod.is_stuck()).count(), 2, "{}", database.name);
    }
}

//! A host that is declared lost in the midst of a move from it or to it: at each step the job ends or goes on by what is known of
//! the other side, nothing is doubled, and nothing is freed that may still run.

use control_plane::domain::audit::Scope;
use control_plane::domain::cloudpods::State;
use control_plane::domain::cloudpods::moves::Migrate;
use control_plane::domain::jobs::{FailureKind, Job, JobState};
use control_plane::domain::secrets::Secret;
use control_plane::domain::servers::endpoint::EndpointInput;
use control_plane::domain::servers::lost::FencedVm;
use control_plane::ids::{CloudPodId, ServerId};
use mpanel_tests::pod_bench::{PodBench, actor};
use mpanel_tests::scripted_agent::Fail;
use mpanel_tests::{TestDatabase, databases};

/// How far a move is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Its target is held, and the source's agent is asked whether it can be moved.
    Prepared,
    /// The source moves it.
    Running,
    /// The source has moved it, and the target is asked for it.
    Moved,
    /// The target has it, and the source is asked whether it is gone.
    Seen,
}

/// A pod in the midst of a move from the first server to the second.
struct Midway {
    bench: PodBench,
    pod: CloudPodId,
    vmid: u32,
    first: ServerId,
    second: ServerId,
    job: Job,
    what: String,
    _database: TestDatabase,
}

impl Midway {
    /// One on each database.
    async fn at(stage: Stage) -> Vec<Self> {
        let mut each = Vec::new();
        for database in databases().await {
            each.push(Self::on(database, stage).await);
        }
        each
    }

    async fn on(database: TestDatabase, stage: Stage) -> Self {
        let bench = PodBench::new(&database).await;
        let first = bench.server("pve1", 8).await;
        let pod = bench.active("web-1").await;
        let second = bench.server("pve2", 8).await;
        let vmid = bench.pod(pod).await.pod.vmid.unwrap();
        let agents = bench.agents.clone();
        agents.hold(if stage == Stage::Prepared { "check_migrate" } else { "migrate" });
        let wish = Migrate {
            server: None,
            storage: None,
            method: None,
            with_local_disks: true,
            allow_shutdown: false,
            shutdown_s: 60,
        };
        let (_, job) = bench.pods.cloudpod_migrate(&actor(), Scope::Platform, pod, wish).await.unwrap();
        bench.out(if stage == Stage::Prepared { "check_migrate" } else { "migrate" }).await;
        if matches!(stage, Stage::Moved | Stage::Seen) {
            agents.hold("inspect");
            agents.release("migrate");
            bench.out("inspect").await;
        }
        if stage == Stage::Seen {
            let (before, target) = (agents.sent().len(), agents.sent().pop().unwrap().command.server);
            assert_eq!(target, second, "the target is asked first");
            agents.release("inspect");
            agents.hold("inspect");
            bench.out("inspect").await;
            assert_eq!(agents.sent()[before].command.server, first, "then the source");
        }
        let what = format!("{} {stage:?}", database.name);
        Self { bench, pod, vmid, first, second, job, what, _database: database }
    }

    async fn declare(&self, lost: ServerId) {
        self.bench.offline(lost).await;
        let name = if lost == self.first { "pve1" } else { "pve2" };
        self.bench.losses.server_declare_lost(&actor(), lost, "burnt", name).await.unwrap();
    }

    /// The VM came to the target before its host was lost.
    fn arrived(&self) {
        self.bench.agents.vm_move((self.first, self.vmid), (self.second, self.vmid));
    }

    /// What the source's agent was asked ends now.
    fn answer(&self) {
        for command in ["check_migrate", "migrate", "inspect"] {
            self.bench.agents.release(command);
        }
    }

    async fn over(&self) -> (JobState, String) {
        let job = self.bench.over(self.job.id).await;
        (job.state, job.error.map(|error| error.code).unwrap_or_default())
    }

    async fn rooms(&self) -> Vec<u64> {
        let mut held = Vec::new();
        for server in [self.first, self.second] {
            let mut read = self.bench.db.read().await.unwrap();
            held.push(self.bench.books.servers.server_get(read.conn(), server).await.unwrap().reserved.pods);
        }
        held
    }

    async fn fences(&self, server: ServerId) -> Vec<FencedVm> {
        self.bench.books.servers.fences(self.bench.db.read().await.unwrap().conn(), server).await.unwrap()
    }

    async fn is_on(&self, server: ServerId) {
        let pod = self.bench.pod(self.pod).await.pod;
        assert_eq!((&pod.state, &pod.moving_to), (&State::Active, &None), "{}", self.what);
        assert_eq!((pod.server.unwrap().id, pod.vmid), (server, Some(self.vmid)), "{}", self.what);
        let rooms = if server == self.first { [1, 0] } else { [0, 1] };
        assert_eq!((self.bench.held().await, self.rooms().await), ([1, 2, 1, 1], rooms.into()), "{}", self.what);
    }

    /// It is nowhere, keeps its addresses, and its number is nobody's while its VM may be on the lost host.
    async fn is_lost(&self, server: ServerId) {
        let pod = self.bench.pod(self.pod).await;
        assert!(matches!(&pod.pod.state, State::Failed { cause } if cause.contains("lost")), "{}: {pod:?}", self.what);
        assert_eq!((&pod.pod.server, pod.pod.vmid, &pod.pod.moving_to), (&None, None, &None), "{}", self.what);
        assert_eq!((self.bench.held().await, self.rooms().await), ([0, 2, 0, 1], vec![0, 0]), "{}", self.what);
        assert_eq!(self.fences(server).await, [FencedVm { pod: self.pod, vmid: self.vmid }], "{}", self.what);
    }
}

fn failed(code: &str) -> (JobState, String) {
    (JobState::Failed, code.to_owned())
}

#[tokio::test]
async fn a_source_that_is_lost_takes_the_pod_with_it_only_where_the_target_has_no_vm() {
    for stage in [Stage::Prepared, Stage::Running] {
        for midway in Midway::at(stage).await {
            midway.declare(midway.first).await;
            assert_eq!(midway.over().await, failed("server_lost"), "{}", midway.what);
            midway.is_lost(midway.first).await;
            midway.answer();
            midway.is_lost(midway.first).await;
        }
    }
    for midway in Midway::at(Stage::Running).await {
        midway.arrived();
        midway.declare(midway.first).await;
        assert_eq!(midway.over().await, failed("server_lost"), "{}", midway.what);
        midway.is_on(midway.second).await;
    }
    for stage in [Stage::Moved, Stage::Seen] {
        for midway in Midway::at(stage).await {
            midway.declare(midway.first).await;
            midway.answer();
            assert_eq!(midway.over().await, (JobState::Succeeded, String::new()), "{}", midway.what);
            midway.is_on(midway.second).await;
            assert_eq!(midway.fences(midway.second).await, [], "{}: the good one is not stopped", midway.what);
        }
    }
}

#[tokio::test]
async fn a_target_that_is_lost_takes_the_pod_with_it_only_where_the_source_has_no_vm() {
    for midway in Midway::at(Stage::Prepared).await {
        midway.declare(midway.second).await;
        midway.answer();
        assert_eq!(midway.over().await, failed("server_lost"), "{}", midway.what);
        midway.is_on(midway.first).await;
        assert!(!midway.bench.agents.orders().contains(&"migrate"), "{}: it is not sent there", midway.what);
    }
    for midway in Midway::at(Stage::Running).await {
        midway.bench.agents.fail("migrate", 1, Fail::Before, FailureKind::TaskFailed);
        midway.declare(midway.second).await;
        midway.answer();
        assert_eq!(midway.over().await, failed("proxmox_task_failed"), "{}", midway.what);
        midway.is_on(midway.first).await;
    }
    for stage in [Stage::Running, Stage::Moved, Stage::Seen] {
        for midway in Midway::at(stage).await {
            midway.declare(midway.second).await;
            midway.answer();
            assert_eq!(midway.over().await, failed("server_lost"), "{}", midway.what);
            midway.is_lost(midway.second).await;
        }
    }
}

#[tokio::test]
async fn a_source_that_returns_before_the_target_was_seen_counts_for_nothing() {
    for arrived in [false, true] {
        for midway in Midway::at(Stage::Running).await {
            if arrived {
                midway.arrived();
            }
            midway.bench.offline(midway.second).await;
            midway.declare(midway.first).await;
            assert_eq!(midway.rooms().await, [1, 1], "{}: the target may have it", midway.what);
            midway.bench.online(midway.first, "pve1").await;
            midway.bench.engine.dispatch().await.unwrap();
            midway.bench.online(midway.second, "pve2").await;
            assert_eq!(midway.over().await, failed("server_lost"), "{}", midway.what);
            if arrived {
                midway.is_on(midway.second).await;
            } else {
                midway.is_lost(midway.first).await;
            }
        }
    }
}

#[tokio::test]
async fn a_stuck_move_ends_when_the_host_that_it_waited_for_is_declared_lost() {
    for midway in Midway::at(Stage::Running).await {
        let agents = &midway.bench.agents;
        agents.vague();
        agents.fail("migrate", 1, Fail::Before, FailureKind::TaskFailed);
        midway.answer();
        assert_eq!(midway.over().await.0, JobState::Stuck, "{}", midway.what);
        midway.declare(midway.second).await;
        agents.heal();
        assert_eq!(midway.over().await.0, JobState::Failed, "{}", midway.what);
        midway.is_on(midway.first).await;
    }
}

/// The numbers of a server that are kept for what was declared lost there.
const KEPT: &str = "SELECT COUNT(*) FROM vmids v JOIN fences f ON f.server_id = v.server_id AND f.vmid = v.vmid
                    WHERE v.pod_id IS NULL AND v.server_id = $1";

#[tokio::test]
async fn a_number_on_a_lost_host_of_another_cluster_is_fenced_and_given_to_nobody() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let first = bench.server_in("lab", "pve1", 8).await;
        let pod = bench.active("web-1").await;
        let second = bench.server_in("attic", "pve9", 8).await;
        let endpoint = EndpointInput {
            host: "pve9".into(),
            port: 8006,
            fingerprint: "ab".repeat(32),
            token: Secret::new("mpanel@pve!move=s3cret".into()),
        };
        bench.books.servers.endpoint_set(&actor(), &bench.books.secrets, second, endpoint).await.unwrap();
        bench.agents.hold("remote_migrate");
        let wish = Migrate {
            server: None,
            storage: None,
            method: None,
            with_local_disks: true,
            allow_shutdown: false,
            shutdown_s: 60,
        };
        let (_, job) = bench.pods.cloudpod_migrate(&actor(), Scope::Platform, pod, wish).await.unwrap();
        bench.out("remote_migrate").await;
        bench.offline(second).await;
        bench.losses.server_declare_lost(&actor(), second, "burnt", "pve9").await.unwrap();
        bench.agents.fail("remote_migrate", 1, Fail::Before, FailureKind::TaskFailed);
        bench.agents.release("remote_migrate");
        assert_eq!(bench.over(job.id).await.state, JobState::Failed, "{}", database.name);
        let back = bench.pod(pod).await.pod;
        assert_eq!((back.state, back.server.unwrap().id), (State::Active, first));
        assert_eq!(bench.held().await, [1, 2, 1, 1]);
        let mut read = bench.db.read().await.unwrap();
        let (kept,) = control_plane::fetch_one!(read.conn(), (i64,), KEPT, second).unwrap();
        assert_eq!(kept, 1, "{}: a copy may have come there", database.name);
    }
}

//! Many jobs at once, each with a result of its own; and each attempt keeps its log.

use control_plane::db::Window;
use control_plane::domain::audit::Scope;
use control_plane::domain::jobs::bulk::{JOBS_MAX, Operation, Selection};
use control_plane::domain::jobs::service::JobFilter;
use control_plane::domain::jobs::{FailureKind, JobState};
use control_plane::ids::JobId;
use mpanel_tests::databases;
use mpanel_tests::pod_bench::{PodBench, actor, staff};
use mpanel_tests::scripted_agent::Fail;

#[tokio::test]
async fn stuck_jobs_are_retried_in_bulk_with_a_result_per_item() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        bench.agents.vague();
        let mut stuck = Vec::new();
        for name in ["web-1", "web-2", "web-3"] {
            bench.agents.fail("start", 1, Fail::Before, FailureKind::NoSpace);
            let (_, job) = bench.create(name).await.unwrap();
            assert_eq!(bench.over(job.id).await.state, JobState::Stuck, "{}", database.name);
            stuck.push(job.id);
        }
        bench.agents.heal();
        let operate =
            async |operation, selection| bench.jobs.jobs_operate(&actor(), staff(), operation, selection).await;
        let unknown = JobId::generate();
        let (done, more) = operate(Operation::Retry, Selection::Ids(vec![unknown, stuck[0], stuck[0]])).await.unwrap();
        assert!(!more);
        let results: Vec<_> = done
            .iter()
            .map(|done| {
                (done.id, done.outcome.as_ref().map_or_else(control_plane::error::Error::code, |j| j.state.as_str()))
            })
            .collect();
        assert_eq!(results, [(stuck[0], "undoing"), (unknown, "not_found")], "each once, each with its result");

        let filter = |state| Selection::Filter(JobFilter { state, ..JobFilter::default() });
        let (done, more) = operate(Operation::Retry, filter(Some(JobState::Stuck))).await.unwrap();
        let mut ids: Vec<_> = done.iter().map(|done| done.id).collect();
        ids.sort();
        assert_eq!((ids, more), (stuck[1..].to_vec(), false));
        for job in &stuck {
            assert_eq!(bench.over(*job).await.state, JobState::Failed, "undone in the end");
        }
        assert_eq!(bench.held().await, [0; 4]);
        let (done, _) = operate(Operation::Cancel, Selection::Ids(stuck.clone())).await.unwrap();
        assert!(done.iter().all(|done| done.outcome.as_ref().unwrap_err().code() == "job_over"));
        for (selection, says) in [
            (Selection::Ids(Vec::new()), "ids: has 0"),
            (Selection::Ids(vec![unknown; JOBS_MAX + 1]), "ids: has 201"),
            (filter(None), "filter.state"),
            (filter(Some(JobState::Failed)), "filter.state"),
        ] {
            let refused = operate(Operation::Retry, selection).await.unwrap_err();
            assert!(refused.to_string().starts_with(says), "{refused}");
        }
    }
}

#[tokio::test]
async fn jobs_of_one_kind_are_cancelled_in_bulk() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let server = bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        bench.agents.disconnect(server);
        let (_, stop) = bench.pods.cloudpod_stop(&actor(), Scope::Platform, pod).await.unwrap();
        let (_, start) = bench.pods.cloudpod_start(&actor(), Scope::Platform, pod).await.unwrap();
        let filter = JobFilter {
            state: Some(JobState::Queued),
            kind: Some("start".into()),
            server: Some(server),
            ..JobFilter::default()
        };
        let cancelled = bench.jobs.jobs_operate(&actor(), staff(), Operation::Cancel, Selection::Filter(filter)).await;
        let (done, _) = cancelled.unwrap();
        assert_eq!(done.iter().map(|done| done.id).collect::<Vec<_>>(), [start.id], "{}", database.name);
        assert_eq!(bench.over(start.id).await.state, JobState::Cancelled);
        bench.engine.session_started(server, || bench.agents.connect(server)).await.unwrap();
        assert_eq!(bench.over(stop.id).await.state, JobState::Succeeded);
    }
}

#[tokio::test]
async fn each_attempt_keeps_its_log() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        bench.agents.fail("clone", 2, Fail::Before, FailureKind::Locked);
        let (_, job) = bench.create("web-1").await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        let window = Window { limit: 200, after: None };
        let log = bench.jobs.job_log(Scope::Platform, job.id, true, window).await.unwrap();
        let clone: Vec<_> = log.iter().filter(|line| line.step == "clone").collect();
        let of = |attempt: u32, level: &str| clone.iter().any(|l| l.attempt == attempt && l.level == level);
        assert!(of(1, "info") && of(1, "error") && of(2, "info") && of(2, "error"), "{} {clone:#?}", database.name);
        assert!(of(3, "info") && !of(3, "error"), "the third is told apart: {clone:#?}");
    }
}

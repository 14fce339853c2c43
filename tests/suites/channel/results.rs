//! Orders on their way to agents and results on their way back.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use control_plane::db::Tx;
use control_plane::domain::audit::{Actor, Scope};
use control_plane::domain::jobs::service::Service as Jobs;
use control_plane::domain::jobs::{
    Action, AgentCommand, CommandKind, End, Job, JobState, NewJob, Registry, Saga, Step,
};
use control_plane::error::Result;
use control_plane::ids::{CloudPodId, JobId};
use mpanel_tests::channel::{Agent, Plane, SOON, hello};
use mpanel_tests::{databases, eventually};
use proto::agent::v1 as wire;
use proto::agent::v1::agent_message::Body as Up;
use proto::agent::v1::control_message::Body as Down;

use super::audited;

/// One command to the agent of the job's server.
struct Errand(Vec<Box<dyn Step>>);

struct StartIt;

#[async_trait]
impl Step for StartIt {
    fn name(&self) -> &'static str {
        "start"
    }

    async fn begin(&self, _tx: &mut Tx, job: &Job) -> Result<Action> {
        Ok(Action::Command(AgentCommand {
            server: job.server.expect("the job has a server"),
            pod: CloudPodId(job.id.0),
            vmid: 100,
            kind: CommandKind::Start,
            timeout: Duration::from_mins(1),
        }))
    }
}

#[async_trait]
impl Saga for Errand {
    fn kind(&self) -> &'static str {
        "errand"
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.0
    }

    async fn ended(&self, _tx: &mut Tx, _job: &Job, _end: &End) -> Result<()> {
        Ok(())
    }
}

struct Bench {
    plane: Plane,
    jobs: Jobs,
}

impl Bench {
    async fn everywhere(proof: impl AsyncFn(Self)) {
        for database in databases().await {
            let saga: Arc<dyn Saga> = Arc::new(Errand(vec![Box::new(StartIt)]));
            let plane = Plane::start(database, |_| {}, vec![saga.clone()]).await;
            let registry = Registry::new(vec![saga]);
            let jobs = Jobs::new(plane.db.clone(), plane.clock.clone(), registry, plane.hub.clone());
            proof(Self { plane, jobs }).await;
        }
    }

    async fn errand(&self, server: &control_plane::domain::servers::Server) -> JobId {
        let params = serde_json::json!({});
        let new = NewJob { kind: "errand", tenant: None, pod: None, server: Some(server.id), params };
        let mut tx = self.plane.db.begin().await.unwrap();
        let job = self.jobs.job_create(&mut tx, &Actor::system("test"), new).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(self.plane.engine.dispatch().await.unwrap(), 1);
        job.id
    }

    /// The order that goes out, once it is known everywhere that the session is there.
    async fn order_of(&self, agent: &mut Agent) -> wire::RunCommand {
        eventually("an order to be out", SOON, async || {
            self.plane.engine.dispatch().await.unwrap();
            let next = tokio::time::timeout(Duration::from_millis(50), agent.next()).await.ok()?;
            match next.unwrap() {
                Some(Down::Run(run)) => Some(run),
                other => panic!("expected an order, got {other:?}"),
            }
        })
        .await
    }

    async fn state(&self, job: JobId) -> JobState {
        self.jobs.job_get(Scope::Platform, job).await.unwrap().0.state
    }
}

fn done(run: &wire::RunCommand) -> Up {
    Up::Result(wire::CommandResult {
        command_id: run.command_id.clone(),
        epoch: run.epoch,
        outcome: Some(wire::command_result::Outcome::Ok(wire::CommandOutput { vmid: run.vmid, ..Default::default() })),
        ..Default::default()
    })
}

#[tokio::test]
async fn a_result_is_acknowledged_once_it_is_stored_and_so_is_its_repetition() {
    Bench::everywhere(async |bench| {
        let (server, identity) = bench.plane.agent("pve1").await;
        let (mut agent, _) = bench.plane.session(&identity, hello("m")).await.unwrap();
        let job = bench.errand(&server).await;
        let mut run = bench.order_of(&mut agent).await;
        assert!(matches!(run.kind, Some(wire::run_command::Kind::Start(_))));
        let progress = wire::CommandProgress {
            command_id: run.command_id.clone(),
            epoch: run.epoch,
            percent: 40,
            ..Default::default()
        };
        agent.say(Up::Progress(progress)).await;
        for _ in 0..2 {
            agent.say(done(&run)).await;
            let ack = loop {
                match agent.next().await.unwrap() {
                    Some(Down::Ack(ack)) if ack.epoch == run.epoch => break ack,
                    // Of an epoch that is over.
                    Some(Down::Ack(_)) => {}
                    // It went out while the session was just beginning, which sends again what is out.
                    Some(Down::Run(again)) if again.command_id == run.command_id => {
                        run = again;
                        agent.say(done(&run)).await;
                    }
                    other => panic!("expected an acknowledgement, got {other:?}"),
                }
            };
            assert_eq!((ack.command_id, ack.epoch), (run.command_id.clone(), run.epoch));
            // Acknowledged means stored.
            let (stored, _) = bench.jobs.job_get(Scope::Platform, job).await.unwrap();
            assert!(stored.command.is_none());
        }
        eventually("the job succeeds", SOON, async || (bench.state(job).await == JobState::Succeeded).then_some(()))
            .await;
        bench.plane.stop(agent).await;
    })
    .await;
}

#[tokio::test]
async fn an_agent_cannot_speak_for_another_server() {
    Bench::everywhere(async |bench| {
        let (server, one) = bench.plane.agent("pve1").await;
        let (other, two) = bench.plane.agent("pve2").await;
        let (mut agent, _) = bench.plane.session(&one, hello("m1")).await.unwrap();
        let (mut intruder, _) = bench.plane.session(&two, hello("m2")).await.unwrap();
        let job = bench.errand(&server).await;
        let run = bench.order_of(&mut agent).await;
        intruder.say(done(&run)).await;
        // It is to forget what counts for nothing, and may go on.
        let Some(Down::Ack(ack)) = intruder.next().await.unwrap() else { panic!("expected an acknowledgement") };
        assert_eq!(ack.command_id, run.command_id);
        intruder.alive(&bench.plane, &other).await;
        assert_eq!(audited(&bench.plane.db, "job.result_refused").await, 1);
        assert_eq!(bench.state(job).await, JobState::Running);
        agent.say(done(&run)).await;
        assert!(matches!(agent.next().await.unwrap(), Some(Down::Ack(_))));
        eventually("the job succeeds", SOON, async || (bench.state(job).await == JobState::Succeeded).then_some(()))
            .await;
        bench.plane.stop((agent, intruder)).await;
    })
    .await;
}

#[tokio::test]
async fn what_was_out_when_the_session_broke_is_sent_again_in_the_next() {
    Bench::everywhere(async |bench| {
        let (server, identity) = bench.plane.agent("pve1").await;
        let (mut agent, _) = bench.plane.session(&identity, hello("m")).await.unwrap();
        let job = bench.errand(&server).await;
        let first = bench.order_of(&mut agent).await;
        drop(agent);
        eventually("the session is gone", SOON, async || (!bench.plane.hub_has(&server)).then_some(())).await;
        let (mut agent, _) = bench.plane.session(&identity, hello("m")).await.unwrap();
        let again = bench.order_of(&mut agent).await;
        assert_eq!(again.command_id, first.command_id);
        assert!(again.epoch > first.epoch);
        agent.say(done(&again)).await;
        eventually("the job succeeds", SOON, async || (bench.state(job).await == JobState::Succeeded).then_some(()))
            .await;
        bench.plane.stop(agent).await;
    })
    .await;
}

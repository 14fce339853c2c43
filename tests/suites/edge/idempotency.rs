use std::sync::Arc;
use std::time::Duration;

use control_plane::clock::{Clock, Ms};
use control_plane::db::Db;
use control_plane::domain::audit::{Actor, ActorKind, Record, audit_append};
use control_plane::domain::cluster::service::Service as Cluster;
use control_plane::domain::idempotency::service::Service;
use control_plane::domain::idempotency::{Answer, Begun, Claim, Effect, Request};
use control_plane::error::Error;
use control_plane::ids::{InstanceId, TokenId};
use mpanel_tests::databases;
use serde_json::json;

const LEASE: Duration = Duration::from_secs(45);

struct Setup {
    db: Db,
    clock: Clock,
    actor: Actor,
}

impl Setup {
    async fn new(url: &str) -> Self {
        let db = Db::open(url).await.unwrap();
        let kind = ActorKind::PlatformToken(TokenId::generate());
        Self { db, clock: Clock::manual(Ms(1_700_000_000_000)), actor: Actor::new(kind) }
    }

    /// A control plane over that database.
    async fn process(&self) -> Service {
        let instance = InstanceId::generate();
        let cluster = Arc::new(Cluster::new(self.db.clone(), self.clock.clone(), instance, LEASE, String::new()));
        cluster.instance_seen().await.unwrap();
        Service::new(self.db.clone(), self.clock.clone(), instance, LEASE, cluster)
    }

    async fn begin(&self, process: &Service, hash: u8) -> Begun {
        let actor = self.actor.to_string();
        process.key_begin(&Request { actor: &actor, key: "key", hash: [hash; 32], hash_before: [0; 32] }).await.unwrap()
    }

    /// What a service does under a claim: one transaction that is audited.
    async fn act(&self, claim: &Claim, kind: &str, id: &str) -> Result<(), Error> {
        let actor = Actor { idempotency_key: Some(claim.clone()), ..self.actor.clone() };
        let mut tx = self.db.begin().await?;
        let target_id = id.to_owned();
        let record = Record { actor: &actor, tenant: None, action: "thing.done", target_kind: kind, target_id };
        audit_append(&mut tx, self.clock.now(), record, &json!({})).await?;
        tx.commit().await
    }

    /// How often it was done.
    async fn done(&self) -> i64 {
        const SQL: &str = "SELECT count(*) FROM audit_records WHERE action = 'thing.done'";
        let mut read = self.db.read().await.unwrap();
        let (count,) = control_plane::fetch_one!(read.conn(), (i64,), SQL).unwrap();
        count
    }

    fn answer() -> Answer {
        Answer { status: 201, headers: vec![("etag".to_owned(), "\"1\"".to_owned())], body: vec![1, 2, 3] }
    }
}

fn claimed(begun: Begun) -> Claim {
    match begun {
        Begun::Run(claim) => claim,
        other => panic!("not claimed: {other:?}"),
    }
}

#[tokio::test]
async fn the_first_answer_is_given_again_and_another_request_is_refused() {
    for database in databases().await {
        let setup = Setup::new(&database.url).await;
        let process = setup.process().await;
        let claim = claimed(setup.begin(&process, 1).await);
        assert!(matches!(setup.begin(&process, 1).await, Begun::Running));
        assert!(matches!(setup.begin(&process, 2).await, Begun::Reused));
        setup.act(&claim, "server", "s1").await.unwrap();
        assert!(matches!(setup.begin(&process, 1).await, Begun::Running), "until the answer is known");
        process.key_finish(&setup.actor.to_string(), &claim, &Setup::answer()).await.unwrap();
        for _ in 0..2 {
            let Begun::Replay(answer) = setup.begin(&process, 1).await else { panic!("not replayed") };
            assert_eq!(answer, Setup::answer());
        }
        assert!(matches!(setup.begin(&process, 2).await, Begun::Reused));
        setup.db.close().await;
    }
}

#[tokio::test]
async fn at_once_only_one_is_claimed() {
    for database in databases().await {
        let setup = Setup::new(&database.url).await;
        let process = setup.process().await;
        let begun = futures::future::join_all((0..16).map(|_| setup.begin(&process, 1))).await;
        assert_eq!(begun.iter().filter(|begun| matches!(begun, Begun::Run(_))).count(), 1, "{}", database.name);
        setup.db.close().await;
    }
}

#[tokio::test]
async fn a_refusal_gives_the_key_back() {
    for database in databases().await {
        let setup = Setup::new(&database.url).await;
        let process = setup.process().await;
        let claim = claimed(setup.begin(&process, 1).await);
        process.key_release(&setup.actor.to_string(), &claim).await.unwrap();
        claimed(setup.begin(&process, 2).await);
        setup.db.close().await;
    }
}

#[tokio::test]
async fn an_error_after_the_effect_leads_to_the_effect_and_never_to_a_second() {
    for database in databases().await {
        let setup = Setup::new(&database.url).await;
        let process = setup.process().await;
        let claim = claimed(setup.begin(&process, 1).await);
        setup.act(&claim, "cloudpod", "p1").await.unwrap();
        setup.act(&claim, "job", "j1").await.unwrap();
        setup.act(&claim, "address", "a1").await.unwrap();
        // The answer to COMMIT was lost, so the handler answered with an error.
        process.key_release(&setup.actor.to_string(), &claim).await.unwrap();
        let Begun::Recover(first, effect) = setup.begin(&process, 1).await else { panic!("not recovered") };
        assert_eq!(
            (first, effect),
            (claim, Effect { kind: "job".to_owned(), id: "j1".to_owned() }),
            "the job tells most"
        );
        setup.db.close().await;
    }
}

#[tokio::test]
async fn a_process_that_died_leaves_its_key_to_the_next() {
    for database in databases().await {
        let setup = Setup::new(&database.url).await;
        let claim = claimed(setup.begin(&setup.process().await, 1).await);
        let next = setup.process().await;
        if !setup.db.is_embedded() {
            // It may be alive, on another machine, until its lease is over.
            assert!(matches!(setup.begin(&next, 1).await, Begun::Running));
            setup.clock.advance(LEASE);
        }
        let second = claimed(setup.begin(&next, 1).await);
        // It was only asleep: what it does now is fenced, together with all else of its transaction.
        let late = setup.act(&claim, "server", "s1").await.unwrap_err();
        assert_eq!(late.code(), "idempotency_superseded");
        assert_eq!(setup.done().await, 0, "{}", database.name);
        setup.act(&second, "server", "s2").await.unwrap();
        next.key_finish(&setup.actor.to_string(), &claim, &Setup::answer()).await.unwrap();
        assert!(matches!(setup.begin(&next, 1).await, Begun::Running), "an old claim cannot answer");
        next.key_finish(&setup.actor.to_string(), &second, &Setup::answer()).await.unwrap();
        assert!(matches!(setup.begin(&next, 1).await, Begun::Replay(_)));
        assert_eq!(setup.done().await, 1, "{}", database.name);
        setup.db.close().await;
    }
}

#[tokio::test]
async fn a_process_that_died_after_the_effect_is_not_repeated() {
    for database in databases().await {
        let setup = Setup::new(&database.url).await;
        let claim = claimed(setup.begin(&setup.process().await, 1).await);
        setup.act(&claim, "server", "s1").await.unwrap();
        setup.clock.advance(LEASE);
        let Begun::Recover(_, effect) = setup.begin(&setup.process().await, 1).await else { panic!("not recovered") };
        assert_eq!(effect, Effect { kind: "server".to_owned(), id: "s1".to_owned() });
        setup.db.close().await;
    }
}

#[tokio::test]
async fn an_effect_that_is_rolled_back_is_none() {
    for database in databases().await {
        let setup = Setup::new(&database.url).await;
        let process = setup.process().await;
        let claim = claimed(setup.begin(&process, 1).await);
        let actor = Actor { idempotency_key: Some(claim.clone()), ..setup.actor.clone() };
        let mut tx = setup.db.begin().await.unwrap();
        let record =
            Record { actor: &actor, tenant: None, action: "thing.done", target_kind: "server", target_id: "s".into() };
        audit_append(&mut tx, setup.clock.now(), record, &json!({})).await.unwrap();
        drop(tx);
        process.key_release(&setup.actor.to_string(), &claim).await.unwrap();
        claimed(setup.begin(&process, 1).await);
        assert_eq!(setup.done().await, 0);
        setup.db.close().await;
    }
}

#[tokio::test]
async fn keys_are_forgotten_after_a_day() {
    for database in databases().await {
        let setup = Setup::new(&database.url).await;
        let process = setup.process().await;
        claimed(setup.begin(&process, 1).await);
        assert_eq!(process.keys_prune().await.unwrap(), 0);
        setup.clock.advance(Duration::from_secs(24 * 3600 + 1));
        assert_eq!(process.keys_prune().await.unwrap(), 1);
        claimed(setup.begin(&process, 2).await);
        setup.db.close().await;
    }
}

//! Every agent comes back within a second. `tests/benches/agents.rs` measures it with ten thousand.

use mpanel_tests::app::try_send;
use mpanel_tests::fleet::DEADLINE;
use mpanel_tests::swarm::{Swarm, enrol, files_raised};
use mpanel_tests::{TestDatabase, databases, eventually};
use reqwest::Method;
use sqlx::{Connection as _, Executor as _};

use super::{Edge, SERVERS};

const AGENTS: usize = 200;

/// Holds up every writer, until it is dropped or let go.
enum Hold {
    Sqlite(sqlx::SqliteConnection),
    Postgres(sqlx::PgConnection),
}

impl Hold {
    async fn take(database: &TestDatabase) -> Self {
        if database.name == "sqlite" {
            let mut connection = sqlx::SqliteConnection::connect(&database.url).await.unwrap();
            connection.execute("BEGIN IMMEDIATE").await.unwrap();
            return Self::Sqlite(connection);
        }
        let mut connection = sqlx::PgConnection::connect(&database.url).await.unwrap();
        connection.execute("BEGIN; LOCK TABLE servers IN EXCLUSIVE MODE").await.unwrap();
        Self::Postgres(connection)
    }

    async fn let_go(self) {
        match self {
            Self::Sqlite(connection) => connection.close().await.unwrap(),
            Self::Postgres(connection) => connection.close().await.unwrap(),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_that_all_reconnect_at_once_are_shed_and_are_all_back_and_the_api_answers_meanwhile() {
    let _files = files_raised();
    for database in databases().await {
        // A control plane that is slower than the crowd: few may come in at once, and what they wait for is held up.
        let narrow = [("MPANEL__AGENTS__MAX_OPENING", "8"), ("MPANEL__HTTP__REQUEST_TIMEOUT", "20s")];
        let edge = Edge::start(database, &narrow).await;
        let swarm = Swarm::start(edge.grpc, enrol(&edge.api, edge.grpc, AGENTS).await);
        let all = (AGENTS + 1) as f64;
        let online = async || (edge.api.metric("mpanel_agent_sessions").await - all).abs() < 0.5;
        eventually("all agents to be there", DEADLINE * 3, async || {
            (swarm.is_complete() && online().await).then_some(())
        })
        .await;
        let hold = Hold::take(&edge.database).await;
        swarm.storm();
        eventually("agents to be told to come back", DEADLINE, async || {
            let answer = try_send(edge.api.request(Method::GET, SERVERS)).await.expect("the API answers");
            assert!(matches!(answer.status.as_u16(), 200 | 503), "{}: {}", edge.database.name, answer.text);
            (swarm.refused() >= AGENTS / 4).then_some(())
        })
        .await;
        // On PostgreSQL what waits for the lock holds the pool: then the API says that it is to be asked again.
        hold.let_go().await;
        eventually("all agents to be back", DEADLINE * 3, async || {
            let answer = try_send(edge.api.request(Method::GET, SERVERS)).await.expect("the API answers");
            assert!(matches!(answer.status.as_u16(), 200 | 503), "{}: {}", edge.database.name, answer.text);
            swarm.is_complete().then_some(())
        })
        .await;
        eventually("the books to say so", DEADLINE, async || online().await.then_some(())).await;
        assert!(
            edge.api.metric("mpanel_agent_sessions_ended_total{reason=\"shed\"").await > 0.0,
            "they were told to come back"
        );
        edge.api.get(SERVERS).await.expect(200);
        swarm.stop().await;
    }
}

//! The agents' channel over real TLS, on both databases.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "channel/consoles.rs"]
mod consoles;
#[path = "channel/enrolment.rs"]
mod enrolment;
#[path = "channel/hardening.rs"]
mod hardening;
#[path = "channel/identity.rs"]
mod identity;
#[path = "channel/results.rs"]
mod results;
#[path = "channel/sessions.rs"]
mod sessions;

use control_plane::db::Db;
use control_plane::grpc::Config;
use mpanel_tests::channel::Plane;
use mpanel_tests::databases;

/// Runs the proof against a control plane on each kind of database.
async fn everywhere(proof: impl AsyncFn(Plane)) {
    everywhere_with(|_| {}, proof).await;
}

async fn everywhere_with(edit: impl Fn(&mut Config), proof: impl AsyncFn(Plane)) {
    for database in databases().await {
        proof(Plane::start(database, &edit, Vec::new()).await).await;
    }
}

/// How many audit records of that action there are.
async fn audited(db: &Db, action: &str) -> i64 {
    use control_plane::fetch_one;
    let mut read = db.read().await.unwrap();
    let sql = "SELECT CAST(count(*) AS BIGINT) FROM audit_records WHERE action = $1";
    let (count,) = fetch_one!(read.conn(), (i64,), sql, action).unwrap();
    count
}

//! How SQLite would answer statements, which says whether indexes are used as they are meant to be.

use super::{Conn, Db};

/// The lines of its plan for each statement, over empty tables of the newest form.
pub(crate) async fn query_plans(statements: &[&'static str]) -> Vec<Vec<String>> {
    let file = std::env::temp_dir().join(format!("mpanel-{}.db", uuid::Uuid::new_v4()));
    let db = Db::open(&format!("sqlite://{}", file.display())).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    let Conn::Sqlite(connection) = tx.conn() else { panic!("it is SQLite") };
    let mut plans = Vec::new();
    for sql in statements {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(explain).fetch_all(&mut *connection).await.unwrap();
        assert!(!plan.is_empty(), "no plan of {sql}");
        plans.push(plan.into_iter().map(|(_, _, _, line)| line).collect());
    }
    drop(tx);
    db.close().await;
    for end in ["", "-wal", "-shm", ".migrating"] {
        let _ = std::fs::remove_file(format!("{}{end}", file.display()));
    }
    plans
}

//! Health samples, several as one.

use super::HealthStep;
use crate::db::Conn;
use crate::domain::buckets::Buckets;
use crate::domain::check::loaded;
use crate::error::Result;
use crate::fetch_all;
use crate::ids::ServerId;

#[derive(sqlx::FromRow)]
struct StepRow {
    step: i64,
    samples: i64,
    cpu_load: f64,
    cpu_load_max: f64,
    memory_used_mib: i64,
    memory_used_max_mib: i64,
    memory_total_mib: i64,
    storage_used_gib: i64,
    storage_used_max_gib: i64,
    storage_total_gib: i64,
}

impl StepRow {
    fn into_step(self, buckets: &Buckets) -> Result<HealthStep> {
        let Self {
            step,
            samples,
            cpu_load,
            cpu_load_max,
            memory_used_mib,
            memory_used_max_mib,
            memory_total_mib,
            storage_used_gib,
            storage_used_max_gib,
            storage_total_gib,
        } = self;
        Ok(HealthStep {
            at: buckets.begin(step),
            samples: loaded(samples, "count of server_health")?,
            cpu_load,
            cpu_load_max,
            memory_used_mib: loaded(memory_used_mib, "memory_used_mib")?,
            memory_used_max_mib: loaded(memory_used_max_mib, "memory_used_mib")?,
            memory_total_mib: loaded(memory_total_mib, "memory_total_mib")?,
            storage_used_gib: loaded(storage_used_gib, "storage_used_gib")?,
            storage_used_max_gib: loaded(storage_used_max_gib, "storage_used_gib")?,
            storage_total_gib: loaded(storage_total_gib, "storage_total_gib")?,
        })
    }
}

/// The steps in which there are samples, from the primary key's part for the server and the time.
pub(super) async fn steps(conn: Conn<'_>, server: ServerId, buckets: &Buckets) -> Result<Vec<HealthStep>> {
    const SQL: &str = "
        SELECT step, COUNT(*) AS samples, AVG(cpu_load) AS cpu_load, MAX(cpu_load) AS cpu_load_max,
               CAST(SUM(memory_used_mib) / COUNT(*) AS BIGINT) AS memory_used_mib,
               MAX(memory_used_mib) AS memory_used_max_mib, MAX(memory_total_mib) AS memory_total_mib,
               CAST(SUM(storage_used_gib) / COUNT(*) AS BIGINT) AS storage_used_gib,
               MAX(storage_used_gib) AS storage_used_max_gib, MAX(storage_total_gib) AS storage_total_gib
          FROM (SELECT at / $4 AS step, cpu_load, memory_used_mib, memory_total_mib, storage_used_gib, storage_total_gib
                  FROM server_health WHERE server_id = $1 AND at >= $2 AND at < $3) AS heard
         GROUP BY step ORDER BY step";
    let (since, until) = (buckets.since(), buckets.until());
    let rows = fetch_all!(conn, StepRow, SQL, server, since, until, buckets.step_ms())?;
    rows.into_iter().map(|row| row.into_step(buckets)).collect()
}

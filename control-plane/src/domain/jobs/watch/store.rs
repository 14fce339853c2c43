use std::collections::{HashMap, HashSet};

use sqlx::types::Json;

use crate::clock::Ms;
use crate::db::Conn;
use crate::domain::jobs::Job;
use crate::domain::jobs::store::{JobRow, all};
use crate::error::Result;
use crate::ids::{CloudPodId, IdList, ServerId};
use crate::{fetch_all, fetch_optional, sql_by_db};

/// Begun jobs whose lease ended before `lease`, and queued ones that were due before `queue` though nothing that counts
/// against a limit of theirs is being worked on.
pub(super) async fn jobs_overdue(conn: Conn<'_>, lease: Ms, queue: Ms, limit: i64) -> Result<Vec<Job>> {
    // The second list of states is that of the index, which SQLite finds by its words alone.
    const SQL: &str = "
        SELECT * FROM jobs j
        WHERE j.state IN ('queued', 'running', 'undoing') AND j.state IN ('queued', 'running', 'undoing', 'stuck')
          AND j.waits_for IS NULL AND j.run_at < $1
          AND (j.lease_until IS NULL OR j.lease_until < $1)
          AND (j.state <> 'queued' OR j.run_at < $2)
          AND (j.lease_until IS NOT NULL OR j.updated_at < $2)
          AND (j.pod_id IS NULL OR NOT EXISTS (
                SELECT 1 FROM jobs k WHERE k.pod_id = j.pod_id AND k.id <> j.id
                 AND (k.state IN ('running', 'undoing') OR (k.state = 'queued' AND k.id < j.id))))
          AND NOT EXISTS (SELECT 1 FROM jobs t WHERE t.tenant_id = j.tenant_id
                                                AND t.lease_until >= $1)
          AND NOT EXISTS (SELECT 1 FROM jobs s WHERE s.command_server = j.server_id AND s.id <> j.id)
        ORDER BY j.run_at, j.id LIMIT $3";
    all(fetch_all!(conn, JobRow, SQL, lease, queue, limit)?)
}

pub(super) async fn jobs_stuck(conn: Conn<'_>, limit: i64) -> Result<Vec<Job>> {
    const SQL: &str = "SELECT * FROM jobs WHERE state = 'stuck' AND state IN ('queued', 'running', 'undoing', 'stuck')
                       ORDER BY id LIMIT $1";
    all(fetch_all!(conn, JobRow, SQL, limit)?)
}

/// The first that is not over, or is stuck.
pub(super) async fn job_busy(conn: Conn<'_>, pod: CloudPodId) -> Result<Option<Job>> {
    const SQL: &str = "SELECT * FROM jobs WHERE pod_id = $1 AND state IN ('queued', 'running', 'undoing', 'stuck') ORDER BY id LIMIT 1";
    fetch_optional!(conn, JobRow, SQL, pod)?.map(Job::try_from).transpose()
}

pub(super) async fn pods_busy(conn: Conn<'_>, pods: &[CloudPodId]) -> Result<HashSet<CloudPodId>> {
    macro_rules! busy {
        ($list:literal) => {
            concat!(
                "SELECT DISTINCT pod_id FROM jobs WHERE state IN ('queued', 'running', 'undoing', 'stuck')
                   AND pod_id IN (SELECT ",
                $list,
                ")"
            )
        };
    }
    let list: IdList = pods.iter().map(|pod| pod.0).collect();
    let sql = sql_by_db!(
        conn,
        sqlite: busy!("unhex(value) FROM json_each($1, '$.ids')"),
        postgres: busy!("value::uuid FROM jsonb_array_elements_text($1 -> 'ids')")
    );
    Ok(fetch_all!(conn, (CloudPodId,), sql, Json(list))?.into_iter().map(|(pod,)| pod).collect())
}

pub(super) async fn waiting_counts(conn: Conn<'_>) -> Result<HashMap<ServerId, i64>> {
    const SQL: &str = "SELECT waits_for, COUNT(*) FROM jobs WHERE waits_for IS NOT NULL GROUP BY waits_for";
    Ok(fetch_all!(conn, (ServerId, i64), SQL)?.into_iter().collect())
}

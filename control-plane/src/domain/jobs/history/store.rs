//! Counts of the jobs that are over.

use std::collections::BTreeMap;

use super::Ended;
use crate::clock::Ms;
use crate::db::Conn;
use crate::domain::audit::Scope;
use crate::domain::buckets::Buckets;
use crate::domain::check::loaded;
use crate::domain::jobs::JobState;
use crate::error::{Error, Result};
use crate::fetch_all;

/// Jobs that are over are counted from an index alone. One that is stuck is written no more: that was when it got so. Those are few, and
/// found by their state and not by their tenant.
macro_rules! ended {
    ($scope:literal) => {
        concat!(
            "SELECT step, state, COUNT(*) FROM (
                SELECT finished_at / $3 AS step, state FROM jobs WHERE finished_at >= $1 AND finished_at < $2 AND ",
            $scope,
            " UNION ALL
                SELECT updated_at / $3 AS step, state FROM jobs
                 WHERE state = 'stuck' AND state IN ('queued', 'running', 'undoing', 'stuck')
                   AND updated_at >= $1 AND updated_at < $2 AND ($4 IS NULL OR tenant_id = $4)) AS ended
              GROUP BY step, state"
        )
    };
}

const OF_ALL: &str = ended!("$4 IS NULL");
const OF_TENANT: &str = ended!("tenant_id = $4");

/// Adds to each step what ended in it.
pub(super) async fn ended(
    conn: Conn<'_>,
    scope: Scope,
    buckets: &Buckets,
    items: &mut BTreeMap<Ms, Ended>,
) -> Result<()> {
    let sql = match scope {
        Scope::Platform => OF_ALL,
        Scope::Tenant(_) => OF_TENANT,
    };
    let (since, until, tenant) = (buckets.since(), buckets.until(), scope.tenant());
    for (number, state, count) in fetch_all!(conn, (i64, String, i64), sql, since, until, buckets.step_ms(), tenant)? {
        let Some(item) = items.get_mut(&buckets.begin(number)) else { continue };
        let count: u64 = loaded(count, "count of jobs")?;
        match JobState::parse(&state).ok_or_else(|| Error::internal(format!("a job has the state {state}")))? {
            JobState::Succeeded => item.succeeded += count,
            JobState::Failed => item.failed += count,
            JobState::Cancelled => item.cancelled += count,
            JobState::Stuck => item.stuck += count,
            JobState::Queued | JobState::Running | JobState::Undoing => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::tests::query_plans;

    #[tokio::test]
    async fn what_ended_is_counted_from_the_part_of_an_index_that_is_of_the_time() {
        let plans = query_plans(&[OF_ALL, OF_TENANT]).await;
        let range = "(finished_at>? AND finished_at<?)";
        for (plan, expected) in plans.into_iter().zip([
            format!("SEARCH jobs USING COVERING INDEX jobs_ended {range}"),
            "SEARCH jobs USING COVERING INDEX jobs_ended_by_tenant (tenant_id=? AND finished_at>? AND finished_at<?)"
                .to_owned(),
        ]) {
            assert!(plan.contains(&expected), "{plan:#?}");
            let stuck = plan.iter().any(|line| line.contains("INDEX jobs_open_by_state (state=?"));
            assert!(stuck, "{plan:#?}");
        }
    }
}

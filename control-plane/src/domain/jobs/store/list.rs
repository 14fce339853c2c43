//! A page of jobs.

use super::{JobRow, all};
use crate::db::{Conn, Window};
use crate::domain::audit::Scope;
use crate::domain::jobs::service::JobFilter;
use crate::domain::jobs::{Job, JobState};
use crate::domain::sort::Age;
use crate::error::Result;
use crate::fetch_all;
use crate::ids::JobId;

/// One text for each index that a filter can use, and each order.
macro_rules! list_sql {
    ($first:literal, $after:literal, $order:literal) => {
        concat!(
            "SELECT * FROM jobs WHERE ",
            $first,
            " AND ($1 IS NULL OR tenant_id = $1) AND ($2 IS NULL OR pod_id = $2) AND ($3 IS NULL OR server_id = $3)
              AND ($4 IS NULL OR kind = $4) AND ($5 IS NULL OR state = $5) AND ($6 IS NULL OR id ",
            $after,
            " $6) AND ($8 IS NULL OR waits_for = $8)
             ORDER BY id ",
            $order,
            " LIMIT $7"
        )
    };
}

macro_rules! chosen {
    ($filter:expr, $scope:expr, $after:literal, $order:literal) => {
        match ($filter, $scope) {
            (JobFilter { waits_for: Some(_), .. }, _) => list_sql!("waits_for = $8", $after, $order),
            (JobFilter { pod: Some(_), .. }, _) => list_sql!("pod_id = $2", $after, $order),
            (JobFilter { state: Some(JobState::Queued), .. }, _) => {
                list_sql!("state = 'queued' AND state IN ('queued', 'running', 'undoing', 'stuck')", $after, $order)
            }
            (JobFilter { state: Some(JobState::Running), .. }, _) => {
                list_sql!("state = 'running' AND state IN ('queued', 'running', 'undoing', 'stuck')", $after, $order)
            }
            (JobFilter { state: Some(JobState::Undoing), .. }, _) => {
                list_sql!("state = 'undoing' AND state IN ('queued', 'running', 'undoing', 'stuck')", $after, $order)
            }
            (JobFilter { state: Some(JobState::Stuck), .. }, _) => {
                list_sql!("state = 'stuck' AND state IN ('queued', 'running', 'undoing', 'stuck')", $after, $order)
            }
            (_, Scope::Tenant(_)) => list_sql!("tenant_id = $1", $after, $order),
            (_, Scope::Platform) => list_sql!("TRUE", $after, $order),
        }
    };
}

pub(in crate::domain::jobs) async fn job_list(
    conn: Conn<'_>,
    scope: Scope,
    filter: &JobFilter,
    window: Window<JobId>,
) -> Result<Vec<Job>> {
    let sql = match filter.sort {
        Age::Newest => chosen!(filter, scope, "<", "DESC"),
        Age::Oldest => chosen!(filter, scope, ">", "ASC"),
    };
    let JobFilter { pod, server, kind, state, waits_for, sort: _ } = filter;
    all(fetch_all!(
        conn,
        JobRow,
        sql,
        scope.tenant(),
        *pod,
        *server,
        kind.as_deref(),
        state.map(JobState::as_str),
        window.after,
        window.limit,
        *waits_for
    )?)
}

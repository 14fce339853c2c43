//! Counts of the books' pods.

use super::Counts;
use crate::db::Conn;
use crate::domain::audit::Scope;
use crate::domain::check::loaded;
use crate::error::{Error, Result};
use crate::fetch_all;

/// Both texts are answered from the index of counts alone: all pods by way of their tenants, by which it is in order.
const ALL: &str = "SELECT state, observed_power, CAST(SUM(pods) AS BIGINT) FROM (
                       SELECT tenant_id, state, observed_power, COUNT(*) AS pods FROM cloudpods
                        WHERE state <> 'deleted' AND $1 IS NULL GROUP BY tenant_id, state, observed_power) AS counts
                    GROUP BY state, observed_power";
const OF_TENANT: &str = "SELECT state, observed_power, COUNT(*) FROM cloudpods
                          WHERE state <> 'deleted' AND tenant_id = $1 GROUP BY state, observed_power";

pub(super) async fn counts(conn: Conn<'_>, scope: Scope) -> Result<Counts> {
    let sql = match scope {
        Scope::Platform => ALL,
        Scope::Tenant(_) => OF_TENANT,
    };
    let mut counts = Counts::default();
    for (state, power, count) in fetch_all!(conn, (String, String, i64), sql, scope.tenant())? {
        let count: u64 = loaded(count, "count of cloudpods")?;
        counts.total += count;
        if state == "active" {
            let by = &mut counts.active_by_power;
            *match power.as_str() {
                "running" => &mut by.running,
                "stopped" => &mut by.stopped,
                "paused" => &mut by.paused,
                _ => &mut by.unknown,
            } += count;
        }
        let by = &mut counts.by_state;
        *match state.as_str() {
            "requested" => &mut by.requested,
            "provisioning" => &mut by.provisioning,
            "active" => &mut by.active,
            "suspended" => &mut by.suspended,
            "deleting" => &mut by.deleting,
            "failed" => &mut by.failed,
            _ => return Err(Error::internal(format!("the column cloudpods.state holds {state}"))),
        } += count;
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::tests::query_plans;

    #[tokio::test]
    async fn pods_are_counted_from_an_index_alone() {
        for (plan, sql) in query_plans(&[ALL, OF_TENANT]).await.into_iter().zip([ALL, OF_TENANT]) {
            let covered = plan.iter().any(|line| line.contains("USING COVERING INDEX cloudpods_counts"));
            assert!(covered, "{plan:#?} of {sql}");
        }
    }
}

//! Which pods are not as their tenants are.

use crate::clock::Ms;
use crate::db::Conn;
use crate::domain::cloudpods::sagas::kind;
use crate::error::Result;
use crate::fetch_all;
use crate::ids::{CloudPodId, TenantId};

/// Pods of suspended tenants that are their customers' to use, and that no job is suspending or has failed to since. One whose job is
/// stuck waits for whoever retries that.
pub(super) async fn pods_to_suspend(
    conn: Conn<'_>,
    tenant: Option<TenantId>,
    failed_since: Ms,
    limit: i64,
) -> Result<Vec<CloudPodId>> {
    const SQL: &str = "SELECT p.id FROM tenants t JOIN cloudpods p ON p.tenant_id = t.id
          WHERE t.suspended_at IS NOT NULL AND p.state = 'active' AND ($1 IS NULL OR t.id = $1)
            AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.pod_id = p.id AND j.kind = $2
                               AND j.state IN ('queued', 'running', 'undoing', 'stuck'))
            AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.pod_id = p.id AND j.kind = $2
                               AND j.state = 'failed' AND j.finished_at > $3)
          ORDER BY p.id LIMIT $4";
    Ok(ids(fetch_all!(conn, (CloudPodId,), SQL, tenant, kind::SUSPEND, failed_since, limit)?))
}

/// Pods that were suspended with their tenants, which are still suspended, and that a job is about to give back.
pub(super) async fn pods_to_keep(conn: Conn<'_>, limit: i64) -> Result<Vec<CloudPodId>> {
    const SQL: &str = "SELECT p.id FROM jobs j JOIN cloudpods p ON p.id = j.pod_id JOIN tenants t ON t.id = p.tenant_id
          WHERE j.kind = $1 AND j.state IN ('queued', 'running', 'undoing') AND NOT j.cancel_requested
            AND p.suspended_with_tenant AND t.suspended_at IS NOT NULL
          ORDER BY p.id LIMIT $2";
    Ok(ids(fetch_all!(conn, (CloudPodId,), SQL, kind::UNSUSPEND, limit)?))
}

/// Pods that were, or were to be, suspended with their tenants, which are not suspended any more; none that a job is giving back, or
/// has failed to since. One whose job is stuck waits for whoever retries that.
pub(super) async fn pods_to_give_back(
    conn: Conn<'_>,
    tenant: Option<TenantId>,
    failed_since: Ms,
    limit: i64,
) -> Result<Vec<CloudPodId>> {
    const SQL: &str = "SELECT p.id FROM cloudpods p JOIN tenants t ON t.id = p.tenant_id
          WHERE p.suspended_with_tenant AND t.suspended_at IS NULL AND p.state IN ('active', 'suspended')
            AND ($1 IS NULL OR t.id = $1)
            AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.pod_id = p.id AND j.state IN ('queued', 'running', 'undoing', 'stuck')
                               AND (j.kind = $2 OR (j.kind = $3 AND j.cancel_requested)))
            AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.pod_id = p.id AND j.kind = $2
                               AND j.state = 'failed' AND j.finished_at > $4)
          ORDER BY p.id LIMIT $5";
    let (lifting, suspending) = (kind::UNSUSPEND, kind::SUSPEND);
    Ok(ids(fetch_all!(conn, (CloudPodId,), SQL, tenant, lifting, suspending, failed_since, limit)?))
}

fn ids(rows: Vec<(CloudPodId,)>) -> Vec<CloudPodId> {
    rows.into_iter().map(|(id,)| id).collect()
}

use super::AddressHolding;
use crate::db::Conn;
use crate::error::Result;
use crate::fetch_all;
use crate::ids::CloudPodId;

pub(super) async fn holdings_page(
    conn: Conn<'_>,
    after: Option<CloudPodId>,
    limit: i64,
) -> Result<Vec<AddressHolding>> {
    const SQL: &str = "SELECT pod_id, MIN(address) AS address, COUNT(*) AS count, MIN(allocated_at) AS since
                       FROM ip_addresses WHERE ($1 IS NULL OR pod_id > $1) GROUP BY pod_id ORDER BY pod_id LIMIT $2";
    Ok(fetch_all!(conn, AddressHolding, SQL, after, limit)?)
}

/// A pool's name, what it counts and what is held of it, where the two differ.
pub(super) async fn pools_off(conn: Conn<'_>, limit: i64) -> Result<Vec<(String, i64, i64)>> {
    const SQL: &str = "SELECT p.name, p.allocated, COALESCE(a.held, 0)
                       FROM ip_pools p LEFT JOIN (SELECT pool_id, COUNT(*) AS held FROM ip_addresses GROUP BY pool_id) a
                         ON a.pool_id = p.id
                       WHERE p.allocated <> COALESCE(a.held, 0) ORDER BY p.name LIMIT $1";
    Ok(fetch_all!(conn, (String, i64, i64), SQL, limit)?)
}

pub(super) async fn addresses_doubled(conn: Conn<'_>, limit: i64) -> Result<Vec<(String, i64)>> {
    const SQL: &str = "SELECT address, COUNT(*) FROM ip_addresses GROUP BY address HAVING COUNT(*) > 1
                       ORDER BY address LIMIT $1";
    Ok(fetch_all!(conn, (String, i64), SQL, limit)?)
}

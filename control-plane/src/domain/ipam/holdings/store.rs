use std::net::IpAddr;

use super::AddressHolding;
use crate::clock::Ms;
use crate::db::{Conn, Tx};
use crate::error::Result;
use crate::ids::{CloudPodId, IpPoolId};
use crate::{execute, fetch_all, fetch_optional};

/// Takes one address for a pod, the pool's row first, as whoever chooses one does. `false`: somebody holds it, or the pod
/// holds another one of the pool.
pub(super) async fn address_claim(
    tx: &mut Tx,
    pool: IpPoolId,
    slot: i64,
    address: IpAddr,
    pod: CloudPodId,
    now: Ms,
) -> Result<bool> {
    const COUNT: &str = "UPDATE ip_pools SET allocated = allocated + 1 WHERE id = $1 AND allocated < size";
    const UNCOUNT: &str = "UPDATE ip_pools SET allocated = allocated - 1 WHERE id = $1";
    const OWN: &str = "SELECT slot FROM ip_addresses WHERE pool_id = $1 AND slot = $2 AND pod_id = $3";
    const TAKE: &str = "INSERT INTO ip_addresses (pool_id, slot, address, pod_id, allocated_at)
                        VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    if fetch_optional!(tx.conn(), (i64,), OWN, pool, slot, pod)?.is_some() {
        return Ok(true);
    }
    if execute!(tx.conn(), COUNT, pool)? == 0 {
        return Ok(false);
    }
    if execute!(tx.conn(), TAKE, pool, slot, address.to_string(), pod, now)? == 1 {
        return Ok(true);
    }
    execute!(tx.conn(), UNCOUNT, pool)?;
    Ok(false)
}

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

//! The pools' rows and the addresses that are held.

use std::collections::HashMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use sqlx::types::Json;

use super::service::IpPoolFilter;
use super::{AllocatedAddress, Holder, IpPool, Range};
use crate::clock::Ms;
use crate::db::{Conn, Tx, Window};
use crate::domain::check::{loaded, loaded_option, stored};
use crate::error::{Error, Result, is_unique_violation};
use crate::ids::{CloudPodId, IpPoolId};
use crate::{execute, fetch_all, fetch_one, fetch_optional, sql_by_db};

/// JSON columns hold objects only.
#[derive(Serialize, Deserialize)]
struct Dns {
    servers: Vec<IpAddr>,
}

#[derive(sqlx::FromRow)]
struct PoolRow {
    id: IpPoolId,
    name: String,
    first: String,
    last: String,
    prefix_length: i64,
    gateway: String,
    dns: Json<Dns>,
    bridge: Option<String>,
    vlan: Option<i64>,
    region: Option<String>,
    active: bool,
    public: bool,
    allocated: i64,
    version: i64,
    created_at: Ms,
    updated_at: Ms,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, first, last, prefix_length, gateway, dns, bridge, vlan, region, active, public, allocated,
                    version, created_at, updated_at
             FROM ip_pools WHERE ",
            $rest
        )
    };
}

fn address_of(text: &str) -> Result<IpAddr> {
    text.parse().map_err(|_| Error::internal(format!("{text} is stored as an IP address and is none")))
}

impl PoolRow {
    fn into_pool(self) -> Result<IpPool> {
        let Self {
            id,
            name,
            first,
            last,
            prefix_length,
            gateway,
            dns: Json(Dns { servers }),
            bridge,
            vlan,
            region,
            active,
            public,
            allocated,
            version,
            created_at,
            updated_at,
        } = self;
        let range = Range {
            first: address_of(&first)?,
            last: address_of(&last)?,
            prefix_length: loaded(prefix_length, "prefix_length")?,
            gateway: address_of(&gateway)?,
        };
        Ok(IpPool {
            id,
            name,
            range,
            dns: servers,
            bridge,
            vlan: loaded_option(vlan, "vlan")?,
            region,
            active,
            public,
            allocated: loaded(allocated, "allocated")?,
            version,
            created_at,
            updated_at,
        })
    }
}

pub(super) async fn pool_find(conn: Conn<'_>, id_or_name: &str) -> Result<IpPool> {
    const BY_ID: &str = select!("id = $1");
    const BY_NAME: &str = select!("name = $1");
    let row = match id_or_name.parse::<IpPoolId>() {
        Ok(id) => fetch_optional!(conn, PoolRow, BY_ID, id)?,
        // PostgreSQL cannot even compare with a NUL.
        Err(_) if id_or_name.contains('\0') => None,
        Err(_) => fetch_optional!(conn, PoolRow, BY_NAME, id_or_name)?,
    };
    row.ok_or_else(|| Error::not_found("ip pool", id_or_name))?.into_pool()
}

/// Reads a pool and, on PostgreSQL, keeps everybody else from changing it or taking an address of it until the transaction
/// ends. On SQLite nobody else writes meanwhile.
pub(super) async fn pool_lock(tx: &mut Tx, id: IpPoolId) -> Result<IpPool> {
    const SQLITE: &str = select!("id = $1");
    const POSTGRES: &str = select!("id = $1 FOR UPDATE");
    let sql = sql_by_db!(tx.conn(), sqlite: SQLITE, postgres: POSTGRES);
    fetch_optional!(tx.conn(), PoolRow, sql, id)?.ok_or_else(|| Error::not_found("ip pool", id))?.into_pool()
}

/// Lets one transaction at a time compare its pool's range with all others.
pub(super) async fn pools_lock(tx: &mut Tx) -> Result<()> {
    const SQLITE: &str = "SELECT 1";
    // The number has no meaning but to be the same everywhere: "ipam" in ASCII.
    const POSTGRES: &str = "SELECT pg_advisory_xact_lock(1768972653)";
    let sql = sql_by_db!(tx.conn(), sqlite: SQLITE, postgres: POSTGRES);
    execute!(tx.conn(), sql)?;
    Ok(())
}

pub(super) async fn pools_all(conn: Conn<'_>) -> Result<Vec<IpPool>> {
    const SQL: &str = select!("TRUE ORDER BY id");
    fetch_all!(conn, PoolRow, SQL)?.into_iter().map(PoolRow::into_pool).collect()
}

/// Those that pods get addresses of unasked.
pub(super) async fn pools_offered(conn: Conn<'_>) -> Result<Vec<IpPool>> {
    const SQL: &str = select!("active AND public ORDER BY id");
    fetch_all!(conn, PoolRow, SQL)?.into_iter().map(PoolRow::into_pool).collect()
}

pub(super) async fn pool_list(conn: Conn<'_>, filter: &IpPoolFilter, window: Window<IpPoolId>) -> Result<Vec<IpPool>> {
    const SQL: &str = select!(
        "($1 IS NULL OR family = $1) AND ($2 IS NULL OR region = $2) AND ($3 IS NULL OR active = $3)
         AND ($4 IS NULL OR id > $4) ORDER BY id LIMIT $5"
    );
    let IpPoolFilter { family, region, active } = filter;
    let Window { limit, after } = window;
    let rows = fetch_all!(conn, PoolRow, SQL, family.map(i64::from), region.as_deref(), *active, after, limit)?;
    rows.into_iter().map(PoolRow::into_pool).collect()
}

pub(super) async fn pool_insert(tx: &mut Tx, pool: &IpPool) -> Result<()> {
    const SQL: &str =
        "INSERT INTO ip_pools (id, name, family, first, last, size, prefix_length, gateway, dns, bridge, vlan, region,
                                             active, allocated, version, created_at, updated_at, public)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)";
    let IpPool {
        id,
        name,
        range,
        dns,
        bridge,
        vlan,
        region,
        active,
        public,
        allocated,
        version,
        created_at,
        updated_at,
    } = pool;
    execute!(
        tx.conn(),
        SQL,
        *id,
        name,
        i64::from(range.family()),
        range.first.to_string(),
        range.last.to_string(),
        stored(range.size()),
        i64::from(range.prefix_length),
        range.gateway.to_string(),
        Json(Dns { servers: dns.clone() }),
        bridge.as_deref(),
        vlan.map(i64::from),
        region.as_deref(),
        *active,
        stored(*allocated),
        *version,
        *created_at,
        *updated_at,
        *public
    )
    .map_err(|e| name_taken(e, name))?;
    Ok(())
}

pub(super) async fn pool_update(tx: &mut Tx, pool: &IpPool, expected: i64) -> Result<()> {
    const SQL: &str =
        "UPDATE ip_pools SET name = $3, last = $4, size = $5, gateway = $6, dns = $7, bridge = $8, vlan = $9,
                                           region = $10, active = $11, version = $12, updated_at = $13,
                                           public = $14
                       WHERE id = $1 AND version = $2";
    let IpPool {
        id,
        name,
        range,
        dns,
        bridge,
        vlan,
        region,
        active,
        public,
        allocated: _,
        version,
        created_at: _,
        updated_at,
    } = pool;
    let touched = execute!(
        tx.conn(),
        SQL,
        *id,
        expected,
        name,
        range.last.to_string(),
        stored(range.size()),
        range.gateway.to_string(),
        Json(Dns { servers: dns.clone() }),
        bridge.as_deref(),
        vlan.map(i64::from),
        region.as_deref(),
        *active,
        *version,
        *updated_at,
        *public
    )
    .map_err(|e| name_taken(e, name))?;
    if touched == 1 { Ok(()) } else { Err(Error::Stale) }
}

fn name_taken(error: sqlx::Error, name: &str) -> Error {
    if is_unique_violation(&error) {
        Error::conflict("ip_pool_name_taken", format!("there is a pool named {name} already; choose another name"))
    } else {
        error.into()
    }
}

pub(super) async fn pool_delete(tx: &mut Tx, id: IpPoolId) -> Result<()> {
    const SQL: &str = "DELETE FROM ip_pools WHERE id = $1 AND allocated = 0";
    if execute!(tx.conn(), SQL, id)? == 1 { Ok(()) } else { Err(Error::Stale) }
}

#[derive(sqlx::FromRow)]
struct HolderRow {
    slot: i64,
    address: String,
    pod_id: CloudPodId,
    allocated_at: Ms,
}

pub(super) async fn pool_holders(conn: Conn<'_>, pool: IpPoolId, window: Window<i64>) -> Result<Vec<Holder>> {
    const SQL: &str = "SELECT slot, address, pod_id, allocated_at FROM ip_addresses
                       WHERE pool_id = $1 AND ($2 IS NULL OR slot > $2) ORDER BY slot LIMIT $3";
    let Window { limit, after } = window;
    fetch_all!(conn, HolderRow, SQL, pool, after, limit)?
        .into_iter()
        .map(|HolderRow { slot, address, pod_id, allocated_at }| {
            Ok(Holder { slot, address: address_of(&address)?, pod: pod_id, allocated_at })
        })
        .collect()
}

#[derive(sqlx::FromRow)]
struct Address {
    address: String,
}

/// An address beyond `slot` that somebody holds.
pub(super) async fn address_beyond(conn: Conn<'_>, pool: IpPoolId, slot: i64) -> Result<Option<String>> {
    const SQL: &str = "SELECT address FROM ip_addresses WHERE pool_id = $1 AND slot > $2 ORDER BY slot DESC LIMIT 1";
    Ok(fetch_optional!(conn, Address, SQL, pool, slot)?.map(|Address { address }| address))
}

pub(super) async fn slot_is_held(conn: Conn<'_>, pool: IpPoolId, slot: i64) -> Result<bool> {
    const SQL: &str = "SELECT address FROM ip_addresses WHERE pool_id = $1 AND slot = $2";
    Ok(fetch_optional!(conn, Address, SQL, pool, slot)?.is_some())
}

#[derive(sqlx::FromRow)]
struct Slot {
    slot: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct Next {
    next_slot: i64,
}

/// Takes a free address of a pool for a pod. `false`: the pool is full or inactive. The pool's row is locked by the first
/// statement until the transaction ends, so that only one chooses at a time.
pub(super) async fn address_take(tx: &mut Tx, pool: IpPoolId, pod: CloudPodId, now: Ms) -> Result<bool> {
    const COUNT: &str = "UPDATE ip_pools SET allocated = allocated + 1
                         WHERE id = $1 AND active AND allocated < size RETURNING next_slot";
    const UNCOUNT: &str = "UPDATE ip_pools SET allocated = allocated - 1 WHERE id = $1";
    const TAKE: &str = "INSERT INTO ip_addresses (pool_id, slot, address, pod_id, allocated_at)
                        VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    const OWN: &str = "SELECT pool_id FROM ip_addresses WHERE pool_id = $1 AND pod_id = $2";
    const NEXT: &str = "UPDATE ip_pools SET next_slot = $2 WHERE id = $1";
    let Some(Next { next_slot }) = fetch_optional!(tx.conn(), Next, COUNT, pool)? else { return Ok(false) };
    let range = pool_lock(tx, pool).await?.range;
    let span = i64::try_from(range.span()).unwrap_or(i64::MAX);
    // From the hint to the end, then from the start: a released address rests for a round.
    let mut from = if (0..span).contains(&next_slot) { next_slot } else { 0 };
    let mut wrapped = from == 0;
    loop {
        let slot = free_slot(tx.conn(), pool, from, range.gateway_slot()).await?;
        let Some(address) = range.address_at(slot) else {
            if wrapped {
                break;
            }
            (from, wrapped) = (0, true);
            continue;
        };
        if execute!(tx.conn(), TAKE, pool, slot, address.to_string(), pod, now)? == 1 {
            execute!(tx.conn(), NEXT, pool, if slot + 1 < span { slot + 1 } else { 0 })?;
            return Ok(true);
        }
        if fetch_optional!(tx.conn(), PoolId, OWN, pool, pod)?.is_some() {
            // Another transaction for the same pod was first.
            execute!(tx.conn(), UNCOUNT, pool)?;
            return Ok(true);
        }
        // The very same address is held in another pool: it is never given out twice.
        from = slot + 1;
    }
    execute!(tx.conn(), UNCOUNT, pool)?;
    Ok(false)
}

/// The lowest slot from `from` on that nobody holds and that is not the gateway's; it may lie behind the pool's end.
async fn free_slot(mut conn: Conn<'_>, pool: IpPoolId, mut from: i64, gateway: Option<i64>) -> Result<i64> {
    const HELD: &str = "SELECT slot FROM ip_addresses WHERE pool_id = $1 AND slot = $2";
    const AFTER: &str = "SELECT MIN(a.slot) + 1 AS slot FROM ip_addresses a
                         WHERE a.pool_id = $1 AND a.slot >= $2
                           AND NOT EXISTS (SELECT 1 FROM ip_addresses b WHERE b.pool_id = $1 AND b.slot = a.slot + 1)";
    loop {
        if fetch_optional!(conn.again(), Slot, HELD, pool, from)?.is_some() {
            let Slot { slot } = fetch_one!(conn.again(), Slot, AFTER, pool, from)?;
            from = slot.unwrap_or(from + 1);
        }
        if gateway != Some(from) {
            return Ok(from);
        }
        from += 1;
    }
}

#[derive(sqlx::FromRow)]
struct AllocatedRow {
    pool_id: IpPoolId,
    pool_name: String,
    family: i64,
    address: String,
    prefix_length: i64,
    gateway: String,
    dns: Json<Dns>,
    bridge: Option<String>,
    vlan: Option<i64>,
    allocated_at: Ms,
}

pub(super) async fn holder_of(conn: Conn<'_>, address: IpAddr) -> Result<Option<CloudPodId>> {
    const SQL: &str = "SELECT pod_id FROM ip_addresses WHERE address = $1";
    Ok(fetch_optional!(conn, (CloudPodId,), SQL, address.to_string())?.map(|(id,)| id))
}

pub(super) async fn addresses_of(conn: Conn<'_>, pod: CloudPodId) -> Result<Vec<AllocatedAddress>> {
    const SQL: &str =
        "SELECT a.pool_id, p.name AS pool_name, p.family, a.address, p.prefix_length, p.gateway, p.dns, p.bridge,
                              p.vlan, a.allocated_at
                       FROM ip_addresses a JOIN ip_pools p ON p.id = a.pool_id
                       WHERE a.pod_id = $1 ORDER BY p.family, a.pool_id";
    fetch_all!(conn, AllocatedRow, SQL, pod)?.into_iter().map(AllocatedAddress::try_from).collect()
}

impl TryFrom<AllocatedRow> for AllocatedAddress {
    type Error = Error;

    fn try_from(row: AllocatedRow) -> Result<Self> {
        let AllocatedRow {
            pool_id,
            pool_name,
            family,
            address,
            prefix_length,
            gateway,
            dns: Json(Dns { servers }),
            bridge,
            vlan,
            allocated_at,
        } = row;
        Ok(Self {
            pool: pool_id,
            pool_name,
            family: loaded(family, "family")?,
            address: address_of(&address)?,
            prefix_length: loaded(prefix_length, "prefix_length")?,
            gateway: address_of(&gateway)?,
            dns: servers,
            bridge,
            vlan: loaded_option(vlan, "vlan")?,
            allocated_at,
        })
    }
}

#[derive(sqlx::FromRow)]
struct HeldRow {
    pod_id: CloudPodId,
    #[sqlx(flatten)]
    address: AllocatedRow,
}

#[derive(Serialize)]
struct Pods {
    pods: Vec<String>,
}

/// What each of these pods holds, in one query for a whole page of them.
pub(super) async fn addresses_of_pods(
    conn: Conn<'_>,
    pods: &[CloudPodId],
) -> Result<HashMap<CloudPodId, Vec<AllocatedAddress>>> {
    macro_rules! select {
        ($pods:literal) => {
            concat!(
                "SELECT a.pod_id, a.pool_id, p.name AS pool_name, p.family, a.address, p.prefix_length, p.gateway, p.dns,
                        p.bridge, p.vlan, a.allocated_at
                 FROM ip_addresses a JOIN ip_pools p ON p.id = a.pool_id
                 WHERE a.pod_id IN (SELECT ",
                $pods,
                ") ORDER BY p.family, a.pool_id"
            )
        };
    }
    if pods.is_empty() {
        return Ok(HashMap::new());
    }
    let list = Json(Pods { pods: pods.iter().map(|pod| pod.0.simple().to_string()).collect() });
    let sql = sql_by_db!(
        conn,
        sqlite: select!("unhex(value) FROM json_each($1, '$.pods')"),
        postgres: select!("value::uuid FROM jsonb_array_elements_text($1 -> 'pods')")
    );
    let mut held: HashMap<CloudPodId, Vec<AllocatedAddress>> = HashMap::new();
    for HeldRow { pod_id, address } in fetch_all!(conn, HeldRow, sql, list)? {
        held.entry(pod_id).or_default().push(address.try_into()?);
    }
    Ok(held)
}

#[derive(sqlx::FromRow)]
struct PoolId {
    pool_id: IpPoolId,
}

/// Gives back what a pod holds; each pool is counted down by exactly the rows that went.
pub(super) async fn addresses_release(tx: &mut Tx, pod: CloudPodId) -> Result<()> {
    const HELD: &str = "SELECT a.pool_id FROM ip_addresses a JOIN ip_pools p ON p.id = a.pool_id
                        WHERE a.pod_id = $1 ORDER BY p.family, p.id";
    const DELETE: &str = "DELETE FROM ip_addresses WHERE pod_id = $1 AND pool_id = $2";
    const UNCOUNT: &str = "UPDATE ip_pools SET allocated = allocated - 1 WHERE id = $1";
    for PoolId { pool_id } in fetch_all!(tx.conn(), PoolId, HELD, pod)? {
        // The pool first, as whoever takes an address does, so that two never wait for each other.
        let uncounted = execute!(tx.conn(), UNCOUNT, pool_id)?;
        if execute!(tx.conn(), DELETE, pod, pool_id)? != uncounted {
            return Err(Error::unavailable("another transaction is giving back the same addresses"));
        }
    }
    Ok(())
}

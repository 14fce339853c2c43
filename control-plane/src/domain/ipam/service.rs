//! What can be done with address pools, and the allocation of addresses.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use serde_json::json;

use super::check::Settings;
use super::{AllocatedAddress, Holder, IpPool, IpPoolCreate, IpPoolPatch, NetworkFacts, store};
use crate::clock::Clock;
use crate::db::{Conn, Db, Tx, Window};
use crate::domain::audit::{Actor, Record, audit_append};
use crate::error::{Error, FieldError, Result};
use crate::events::{Event, event_append};
use crate::ids::{CloudPodId, IpPoolId};

/// The address pools.
pub struct Service {
    db: Db,
    pub(super) clock: Clock,
}

/// Which pools to list.
#[derive(Clone, Debug, Default)]
pub struct IpPoolFilter {
    /// 4 or 6.
    pub family: Option<u8>,
    /// Of this region; those that serve every region are not of it.
    pub region: Option<String>,
    /// Whether addresses may be given out.
    pub active: Option<bool>,
}

impl Service {
    /// A service over `db`.
    #[must_use]
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }

    /// The pool with this id or of this name.
    pub async fn pool_find(&self, conn: Conn<'_>, id_or_name: &str) -> Result<IpPool> {
        store::pool_find(conn, id_or_name).await
    }

    /// As [`Service::pool_find`], outside a transaction.
    pub async fn pool_show(&self, id_or_name: &str) -> Result<IpPool> {
        let mut read = self.db.read().await?;
        self.pool_find(read.conn(), id_or_name).await
    }

    /// A page of pools, in the order of their making.
    pub async fn pool_list(&self, filter: &IpPoolFilter, window: Window<IpPoolId>) -> Result<Vec<IpPool>> {
        let mut read = self.db.read().await?;
        store::pool_list(read.conn(), filter, window).await
    }

    /// A page of a pool's addresses that are held, in their order.
    pub async fn pool_holders(&self, pool: IpPoolId, window: Window<i64>) -> Result<Vec<Holder>> {
        let mut read = self.db.read().await?;
        store::pool_holders(read.conn(), pool, window).await
    }

    /// Makes a pool. Its range may not overlap another's.
    pub async fn pool_create(&self, actor: &Actor, input: IpPoolCreate) -> Result<IpPool> {
        let settings = Settings::of_create(input)?;
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let pool = pool_of(settings, IpPoolId::generate(), 0, (1, now, now));
        overlap_check(&mut tx, &pool, "first").await?;
        store::pool_insert(&mut tx, &pool).await?;
        self.note(&mut tx, actor, "ip_pool.created", pool.id, &json!({ "after": shown(&pool) })).await?;
        tx.commit().await?;
        Ok(pool)
    }

    /// Changes a pool. Addresses that are held stay as they are. `expected`: the version that the caller has read.
    pub async fn pool_update(
        &self,
        actor: &Actor,
        id_or_name: &str,
        expected: Option<i64>,
        patch: IpPoolPatch,
    ) -> Result<IpPool> {
        let mut tx = self.db.begin().await?;
        let id = store::pool_find(tx.conn(), id_or_name).await?.id;
        // Locked from here on, so that nobody takes an address that is just being left out.
        let before = store::pool_lock(&mut tx, id).await?;
        if expected.is_some_and(|v| v != before.version) {
            return Err(Error::Stale);
        }
        let settings = Settings::of_patch(&before, patch)?;
        let times = (before.version + 1, before.created_at, self.clock.now());
        let pool = pool_of(settings, id, before.allocated, times);
        if pool.range != before.range {
            overlap_check(&mut tx, &pool, "last").await?;
            held_check(&mut tx, &pool).await?;
        }
        store::pool_update(&mut tx, &pool, before.version).await?;
        let detail = json!({ "before": shown(&before), "after": shown(&pool) });
        self.note(&mut tx, actor, "ip_pool.updated", id, &detail).await?;
        tx.commit().await?;
        Ok(pool)
    }

    /// Deletes a pool of which nobody holds an address.
    pub async fn pool_delete(&self, actor: &Actor, id_or_name: &str, expected: Option<i64>) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let id = store::pool_find(tx.conn(), id_or_name).await?.id;
        let pool = store::pool_lock(&mut tx, id).await?;
        if expected.is_some_and(|v| v != pool.version) {
            return Err(Error::Stale);
        }
        if pool.allocated > 0 {
            let (name, count) = (&pool.name, pool.allocated);
            return Err(Error::conflict(
                "ip_pool_in_use",
                format!(
                    "pool {name} cannot be deleted: CloudPods hold {count} address(es) of it; set it inactive instead"
                ),
            ));
        }
        store::pool_delete(&mut tx, id).await?;
        self.note(&mut tx, actor, "ip_pool.deleted", id, &json!({ "before": shown(&pool) })).await?;
        tx.commit().await
    }

    /// Gives a pod its addresses: one of each requested pool or, where none is requested, one v4 address and one v6 address
    /// of public pools that serve the server. No addresses at all (DHCP) where no active public pool exists. Repeatable: what
    /// the pod holds already is what it gets. [`Error::NoAddresses`] names the pools that have nothing left.
    pub async fn addresses_allocate(
        &self,
        tx: &mut Tx,
        pod: CloudPodId,
        network: &NetworkFacts,
        requested: &[IpPoolId],
    ) -> Result<Vec<AllocatedAddress>> {
        let held = store::addresses_of(tx.conn(), pod).await?;
        if !held.is_empty() {
            return Ok(held);
        }
        let pools = if requested.is_empty() {
            chosen(store::pools_offered(tx.conn()).await?, network)?
        } else {
            let mut pools = Vec::new();
            for id in requested.iter().collect::<BTreeSet<_>>() {
                pools.push(vec![requested_pool(tx, *id, network).await?]);
            }
            // v4 before v6, as everywhere, so that no two wait for each other's pools.
            pools.sort_by_key(|pools| pools.first().map(|pool| pool.range.family()));
            pools
        };
        let mut full = Vec::new();
        for alternatives in &pools {
            let mut given = false;
            for pool in alternatives {
                if store::address_take(tx, pool.id, pod, self.clock.now()).await? {
                    given = true;
                    break;
                }
            }
            if !given {
                full.extend(alternatives.iter().map(|pool| FieldError {
                    field: pool.name.clone(),
                    message: "the pool has no free address; enlarge it or add another pool".to_owned(),
                }));
            }
        }
        if full.is_empty() { store::addresses_of(tx.conn(), pod).await } else { Err(Error::NoAddresses(full)) }
    }

    /// Which pod holds an address.
    pub async fn holder_of(&self, conn: Conn<'_>, address: IpAddr) -> Result<Option<CloudPodId>> {
        store::holder_of(conn, address).await
    }

    /// The addresses that a pod holds, v4 first.
    pub async fn addresses_of(&self, conn: Conn<'_>, pod: CloudPodId) -> Result<Vec<AllocatedAddress>> {
        store::addresses_of(conn, pod).await
    }

    /// What each of these pods holds; a pod that holds nothing is not in it.
    pub async fn addresses_of_pods(
        &self,
        conn: Conn<'_>,
        pods: &[CloudPodId],
    ) -> Result<HashMap<CloudPodId, Vec<AllocatedAddress>>> {
        store::addresses_of_pods(conn, pods).await
    }

    /// Gives back all addresses of a pod. Only once its VM is known to be absent. Repeatable.
    pub async fn addresses_release(&self, tx: &mut Tx, pod: CloudPodId) -> Result<()> {
        store::addresses_release(tx, pod).await
    }

    async fn note(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        name: &'static str,
        pool: IpPoolId,
        detail: &serde_json::Value,
    ) -> Result<()> {
        let (at, id) = (self.clock.now(), pool.to_string());
        let record = Record { actor, tenant: None, action: name, target_kind: "ip_pool", target_id: id.clone() };
        audit_append(tx, at, record, detail).await?;
        event_append(tx, at, Event { tenant: None, name, subject: id }, detail).await
    }
}

async fn requested_pool(tx: &mut Tx, id: IpPoolId, network: &NetworkFacts) -> Result<IpPool> {
    let pool = store::pool_find(tx.conn(), &id.to_string()).await?;
    let refuse = |message: String| Err(Error::conflict("ip_pool_unusable", message));
    if !pool.active {
        return refuse(format!("pool {} is inactive; activate it or request another pool", pool.name));
    }
    if !pool.serves(network) {
        return refuse(format!(
            "pool {} does not serve the server's region {} or its bridges; request another pool",
            pool.name, network.region
        ));
    }
    Ok(pool)
}

/// For each IP version the pools to try, in order: those for the server's region before those for every region. A v6 pool has
/// to be on the same wire as the v4 pool, because a pod that asked for nothing special gets one network card.
fn chosen(offered: Vec<IpPool>, network: &NetworkFacts) -> Result<Vec<Vec<IpPool>>> {
    if offered.is_empty() {
        return Ok(Vec::new());
    }
    let (mut v4, mut v6): (Vec<_>, Vec<_>) =
        offered.into_iter().filter(|pool| pool.serves(network)).partition(|pool| pool.range.family() == 4);
    for pools in [&mut v4, &mut v6] {
        pools.sort_by_key(|pool| (pool.region.is_none(), pool.id));
    }
    let free = |pool: &&IpPool| pool.allocated < pool.range.size();
    if let Some(first) = v4.iter().find(free).or(v4.first()).cloned() {
        v4.retain(|pool| pool.wire() == first.wire());
        v6.retain(|pool| pool.wire() == first.wire());
    }
    let pools: Vec<_> = [v4, v6].into_iter().filter(|pools| !pools.is_empty()).collect();
    if pools.is_empty() {
        return Err(Error::NoAddresses(vec![FieldError {
            field: "pools".to_owned(),
            message: format!("no active public pool serves region {} and its bridges; add one", network.region),
        }]));
    }
    Ok(pools)
}

async fn overlap_check(tx: &mut Tx, pool: &IpPool, field: &str) -> Result<()> {
    store::pools_lock(tx).await?;
    let others = store::pools_all(tx.conn()).await?;
    match others.iter().find(|other| other.id != pool.id && other.range.overlaps(&pool.range)) {
        None => Ok(()),
        Some(other) => Err(Error::invalid(
            field,
            format!(
                "the range {} to {} overlaps pool {} ({} to {}); give a range that no other pool has",
                pool.range.first, pool.range.last, other.name, other.range.first, other.range.last
            ),
        )),
    }
}

async fn held_check(tx: &mut Tx, pool: &IpPool) -> Result<()> {
    let beyond = pool.range.slot_of(pool.range.last).unwrap_or(i64::MAX);
    if let Some(address) = store::address_beyond(tx.conn(), pool.id, beyond).await? {
        return Err(Error::invalid("last", format!("would leave out {address}, which a CloudPod holds")));
    }
    if let Some(slot) = pool.range.gateway_slot()
        && store::slot_is_held(tx.conn(), pool.id, slot).await?
    {
        return Err(Error::invalid("gateway", "is held by a CloudPod; choose another address"));
    }
    Ok(())
}

fn pool_of(
    settings: Settings,
    id: IpPoolId,
    allocated: u64,
    (version, created_at, updated_at): (i64, crate::clock::Ms, crate::clock::Ms),
) -> IpPool {
    let Settings { name, range, dns, bridge, vlan, region, active, public } = settings;
    IpPool { id, name, range, dns, bridge, vlan, region, active, public, allocated, version, created_at, updated_at }
}

fn shown(pool: &IpPool) -> serde_json::Value {
    let IpPool {
        id: _,
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
        created_at: _,
        updated_at: _,
    } = pool;
    json!({
        "name": name, "first": range.first, "last": range.last, "prefix_length": range.prefix_length,
        "gateway": range.gateway, "dns": dns, "bridge": bridge, "vlan": vlan, "region": region, "active": active, "public": public,
        "allocated": allocated, "version": version,
    })
}

//! What a create request comes to: everything in it checked, everything that it names looked up.

use super::service::Service;
use super::{CloudPod, CloudPodCreate, Condition, DesiredPower, Named, State, Wish, check};
use crate::clock::Ms;
use crate::db::Conn;
use crate::domain::audit::Scope;
use crate::domain::check::Checks;
use crate::domain::images::Image;
use crate::domain::ipam::IpPool;
use crate::domain::jobs::Power;
use crate::domain::plans::Plan;
use crate::domain::tenants::Tenant;
use crate::domain::tenants::quotas::Amounts;
use crate::error::{Error, Result};
use crate::ids::{CloudPodId, TenantId};

/// The most address pools that one pod may draw from.
const POOLS_MAX: usize = 8;

/// A create request whose names were looked up.
pub(super) struct Resolved {
    pub(super) tenant: TenantId,
    tenant_name: String,
    plan: Plan,
    image: Image,
    wish: Wish,
    ssh_keys: Vec<String>,
    user: String,
}

impl Service {
    /// Checks everything that the caller wrote and looks up what it names; every wrong field is collected.
    pub(super) async fn create_resolve(
        &self,
        mut conn: Conn<'_>,
        scope: Scope,
        input: &CloudPodCreate,
    ) -> Result<Resolved> {
        let tenant = self.tenant_resolve(conn.again(), scope, input.tenant).await?;
        let Tenant { id: tenant, name: tenant_name, default_region, .. } = tenant;
        let mut checks = Checks::new();
        if let Err(message) = check::name(&input.name) {
            checks.wrong("name", message);
        }
        let ssh_keys = keys_check(&mut checks, &input.ssh_keys);
        if let Some(user) = &input.user
            && let Err(message) = check::user(user)
        {
            checks.wrong("user", message);
        }
        let plan = found(&mut checks, "plan", self.plans.plan_find(conn.again(), &input.plan).await)?;
        if let Some(plan) = plan.as_ref().filter(|plan| !plan.active) {
            checks.wrong("plan", format!("the plan {} is not active: choose another one", plan.name));
        }
        let image =
            found(&mut checks, "image", self.books.images.image_find(conn.again(), Some(tenant), &input.image).await)?;
        if let Some(image) = image.as_ref().filter(|image| !image.active) {
            checks.wrong("image", format!("the image {} is not active: choose another one", image.name));
        }
        if let (Some(plan), Some(image)) = (&plan, &image)
            && plan.terms.disk_gib < image.min_disk_gib
        {
            let (has, needs) = (plan.terms.disk_gib, image.min_disk_gib);
            checks.wrong("plan", format!("its disk of {has} GiB is smaller than the {needs} GiB that the image needs"));
        }
        let mut wish = self.wish_resolve(conn, &mut checks, input).await?;
        checks.finish()?;
        if wish.region.is_none() && wish.server.is_none() {
            wish.region = default_region;
        }
        let (Some(plan), Some(image)) = (plan, image) else {
            return Err(Error::internal("a plan or image is missing, and no field was found wrong"));
        };
        let user = input.user.clone().unwrap_or_else(|| image.default_user.clone());
        Ok(Resolved { tenant, tenant_name, plan, image, wish, ssh_keys, user })
    }

    async fn tenant_resolve(&self, conn: Conn<'_>, scope: Scope, wanted: Option<TenantId>) -> Result<Tenant> {
        match (scope, wanted) {
            (Scope::Tenant(own), Some(wanted)) if own != wanted => Err(Error::not_found("tenant", wanted)),
            (Scope::Tenant(own), _) => self.tenants.tenant_get(conn, own).await,
            (Scope::Platform, None) => self.tenants.tenant_default(conn).await,
            (Scope::Platform, Some(wanted)) => match self.tenants.tenant_get(conn, wanted).await {
                Err(Error::NotFound { .. }) => Err(Error::invalid("tenant_id", "no such tenant")),
                found => found,
            },
        }
    }

    async fn wish_resolve(&self, mut conn: Conn<'_>, checks: &mut Checks, input: &CloudPodCreate) -> Result<Wish> {
        let wanted = &input.placement;
        if let Some(region) = &wanted.region {
            checks.text("placement.region", region, 1..=63);
        }
        if let Some(storage) = &wanted.storage {
            checks.storage_name("placement.storage", storage);
        }
        checks.labels("placement.labels", &wanted.labels);
        let server = match &wanted.server {
            None => None,
            Some(server) => {
                let server = self.books.servers.server_find(conn.again(), server).await;
                found(checks, "placement.server", server)?.map(|server| server.id)
            }
        };
        let mut pools: Vec<IpPool> = Vec::new();
        if input.ip_pools.len() > POOLS_MAX {
            checks.wrong("ip_pools", format!("has {} pools; at most {POOLS_MAX} are allowed", input.ip_pools.len()));
        } else {
            for (i, pool) in input.ip_pools.iter().enumerate() {
                let field = format!("ip_pools[{i}]");
                let pool = match self.books.ipam.pool_find(conn.again(), pool).await {
                    Ok(found) if !found.public && !input.private_pools => Err(Error::not_found("ip pool", pool)),
                    found => found,
                };
                let Some(pool) = found(checks, &field, pool)? else { continue };
                if !pool.active {
                    checks.wrong(field, format!("the pool {} is not active: choose another one", pool.name));
                } else if let Some(message) = pools.iter().find_map(|other| clash(&pool, other)) {
                    checks.wrong(field, message);
                } else {
                    pools.push(pool);
                }
            }
        }
        Ok(Wish {
            region: wanted.region.clone(),
            server,
            storage: wanted.storage.clone(),
            labels: wanted.labels.clone(),
            anti_affinity: wanted.anti_affinity,
            pools: pools.into_iter().map(|pool| pool.id).collect(),
        })
    }
}

/// Why a pod cannot draw from both.
fn clash(pool: &IpPool, other: &IpPool) -> Option<String> {
    if pool.id == other.id {
        return Some(format!("names the pool {} again: a pod gets one address of a pool", pool.name));
    }
    // A card has room for one of each.
    let same = pool.wire() == other.wire() && pool.range.family() == other.range.family();
    same.then(|| {
        let (family, name, other) = (pool.range.family(), &pool.name, &other.name);
        format!(
            "the pools {other} and {name} are of one network: a pod gets one IPv{family} address there; leave one of them out"
        )
    })
}

/// What a pod that is to be made takes of its tenant's quotas, with so many addresses. Addresses that no pool was named for are
/// counted when they are given out.
pub(super) fn taken(pod: &CloudPod, addresses: usize) -> Amounts {
    Amounts {
        pods: 1,
        vcpu: pod.vcpu.into(),
        memory_mib: pod.memory_mib,
        disk_gib: pod.disk_gib,
        addresses: addresses as u64,
        ..Amounts::default()
    }
}

/// The pod that was asked for.
pub(super) fn pod_new(name: &str, resolved: Resolved, now: Ms) -> CloudPod {
    let Resolved { tenant, tenant_name, plan, image, wish, ssh_keys, user } = resolved;
    CloudPod {
        id: CloudPodId::generate(),
        tenant,
        tenant_name,
        name: name.to_owned(),
        state: State::Requested,
        desired_power: DesiredPower::Running,
        observed_power: Power::Unknown,
        observed_at: None,
        vcpu: plan.terms.vcpu,
        memory_mib: plan.terms.memory_mib,
        disk_gib: plan.terms.disk_gib,
        plan: Named { id: plan.id, name: plan.name },
        image: Named { id: image.id, name: image.name },
        wish,
        ssh_keys,
        cloud_init_user: user,
        server: None,
        stale_since: None,
        moving_to: None,
        storage: None,
        vmid: None,
        template_vmid: None,
        start_on_boot: true,
        condition: Condition::default(),
        version: 1,
        created_at: now,
        updated_at: now,
    }
}

pub(super) fn keys_check(checks: &mut Checks, keys: &[String]) -> Vec<String> {
    if keys.len() > check::SSH_KEYS_MAX {
        checks.wrong("ssh_keys", format!("has {} keys; at most {} are allowed", keys.len(), check::SSH_KEYS_MAX));
        return Vec::new();
    }
    let mut good: Vec<String> = Vec::new();
    for (i, key) in keys.iter().enumerate() {
        match check::ssh_key(key) {
            Ok(key) if good.contains(&key) => {}
            Ok(key) => good.push(key),
            Err(message) => checks.wrong(format!("ssh_keys[{i}]"), message),
        }
    }
    good
}

/// What was looked up; that there is no such thing is the field's error.
pub(super) fn found<T>(checks: &mut Checks, field: &str, result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error @ Error::NotFound { .. }) => {
            checks.wrong(field, error.to_string());
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

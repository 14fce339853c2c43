//! Books of a large platform: hosts, tenants, pods and jobs by the thousand, as rows, with nobody behind them.

use control_plane::clock::Ms;
use control_plane::db::{Db, Tx};
use control_plane::execute;
use control_plane::ids::{CloudPodId, ImageId, IpPoolId, JobId, PlanId, ServerId, TenantId};

/// Pods per host, and per tenant.
const PODS_PER_SERVER: usize = 10;
/// Jobs per pod: one made it, one started it.
const JOBS: [(&str, &str); 2] = [("provision", "succeeded"), ("start", "failed")];

const SERVER: &str = "
    INSERT INTO servers (id, name, region, labels, bridge, vmid_space, vmid_min, vmid_max, seen_cpu_threads, cpu_overcommit, memory_mib,
                         reserved_vcpu, reserved_memory_mib, reserved_pods, scheduling, scheduling_since, connection,
                         connection_since, last_seen_at, version, created_at, updated_at)
    VALUES ($1, $2, $3, '{}', 'vmbr0', $2, 100, 999, 32, 2.0, 65536, 10, 10240, 10, 'online', $4, 'online', $4, $5, 1, $4, $4)";
const STORAGE: &str = "
    INSERT INTO server_storages (server_id, name, offered, seen_total_gib, seen_used_gib, active, reserved_gib)
    VALUES ($1, 'local', TRUE, 1000, 200, TRUE, 200)";
const TENANT: &str = "INSERT INTO tenants (id, name, created_at) VALUES ($1, $2, $3)";
const PLAN: &str = "
    INSERT INTO plans (id, name, vcpu, memory_mib, disk_gib, price_minor, currency, active, version, created_at, updated_at)
    VALUES ($1, 'small', 1, 1024, 20, 500, 'EUR', TRUE, 1, $2, $2)";
const IMAGE: &str = "
    INSERT INTO images (id, name, os, default_user, min_disk_gib, template_vmid, active, version, created_at, updated_at)
    VALUES ($1, 'debian', 'Debian', 'debian', 1, 9000, TRUE, 1, $2, $2)";
const POOL: &str = "
    INSERT INTO ip_pools (id, name, family, first, last, size, prefix_length, gateway, dns, active, allocated, version, created_at,
                          updated_at)
    VALUES ($1, 'lan', 4, '10.0.0.2', '10.0.255.254', 65533, 16, '10.0.0.1', '{\"servers\": []}', TRUE, $2, 1, $3, $3)";
const POD: &str = "
    INSERT INTO cloudpods (id, tenant_id, name, state, desired_power, observed_power, plan_id, image_id, vcpu, memory_mib, disk_gib,
                           placement, ssh_keys, cloud_init_user, server_id, storage, vmid, version, created_at, updated_at)
    VALUES ($1, $2, $3, 'active', 'running', 'running', $4, $5, 1, 1024, 20, '{}', '{\"keys\": []}', 'debian', $6, 'local', $7, 1, $8,
            $8)";
const RESERVATION: &str = "
    INSERT INTO reservations (pod_id, server_id, storage, vcpu, memory_mib, disk_gib, created_at)
    VALUES ($1, $2, 'local', 1, 1024, 20, $3)";
const VMID: &str = "INSERT INTO vmids (space, vmid, server_id, pod_id, taken_at) VALUES ($1, $2, $3, $4, $5)";
const ADDRESS: &str =
    "INSERT INTO ip_addresses (pool_id, slot, address, pod_id, allocated_at) VALUES ($1, $2, $3, $4, $5)";
const JOB: &str = "
    INSERT INTO jobs (id, tenant_id, pod_id, server_id, kind, state, params, step, step_count, attempt, attempts_max, run_at, epoch,
                      cancel_requested, step_progress, created_by, created_at, started_at, finished_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, '{}', 1, 1, 1, 1, $7, 1, FALSE, 0, 'test', $7, $7, $7, $7)";

/// What all pods are made of.
struct Catalogue {
    plan: PlanId,
    image: ImageId,
    pool: IpPoolId,
}

/// Fills empty books with so many online hosts, `host-0000` and so on, each with ten pods, `pod-00000` and so on, of a tenant of their own,
/// `tenant-0000` and so on, and two jobs per pod. The invariants hold. Hosts are as if heard a day after `now`, so that none is found to be
/// away meanwhile.
///
/// # Panics
/// When the database takes something not.
pub async fn populate(db: &Db, now: Ms, servers: usize) {
    let mut tx = db.begin().await.expect("a transaction");
    let catalogue = Catalogue { plan: PlanId::generate(), image: ImageId::generate(), pool: IpPoolId::generate() };
    let pods = i64::try_from(servers * PODS_PER_SERVER).expect("few enough");
    execute!(tx.conn(), PLAN, catalogue.plan, now).expect("a plan");
    execute!(tx.conn(), IMAGE, catalogue.image, now).expect("an image");
    execute!(tx.conn(), POOL, catalogue.pool, pods, now).expect("a pool");
    for host in 0..servers {
        populate_host(&mut tx, now, &catalogue, host).await;
    }
    tx.commit().await.expect("all of it is kept");
}

async fn populate_host(tx: &mut Tx, now: Ms, catalogue: &Catalogue, host: usize) {
    let (server, tenant, name) = (ServerId::generate(), TenantId::generate(), format!("host-{host:04}"));
    let (region, heard) = (format!("region-{}", host % 4), Ms(now.0 + 24 * 3_600_000));
    execute!(tx.conn(), SERVER, server, name.as_str(), region, now, heard).expect("a server");
    execute!(tx.conn(), STORAGE, server).expect("a storage");
    execute!(tx.conn(), TENANT, tenant, format!("tenant-{host:04}"), now).expect("a tenant");
    for n in 0..PODS_PER_SERVER {
        let (pod, number) = (CloudPodId::generate(), host * PODS_PER_SERVER + n);
        let (vmid, slot) = (i64::try_from(100 + n).expect("small"), i64::try_from(number).expect("small"));
        let (plan, image) = (catalogue.plan, catalogue.image);
        execute!(tx.conn(), POD, pod, tenant, format!("pod-{number:05}"), plan, image, server, vmid, now)
            .expect("a pod");
        execute!(tx.conn(), RESERVATION, pod, server, now).expect("a reservation");
        execute!(tx.conn(), VMID, name.as_str(), vmid, server, pod, now).expect("a VMID");
        let address = format!("10.0.{}.{}", (number + 2) / 256, (number + 2) % 256);
        execute!(tx.conn(), ADDRESS, catalogue.pool, slot, address, pod, now).expect("an address");
        for (kind, state) in JOBS {
            execute!(tx.conn(), JOB, JobId::generate(), tenant, pod, server, kind, state, now).expect("a job");
        }
    }
}

use sqlx::types::Json;

use super::PodBrief;
use crate::clock::Ms;
use crate::db::Conn;
use crate::domain::check::{loaded, loaded_option};
use crate::domain::cloudpods::store::{Cards, RestartCauses};
use crate::domain::cloudpods::{DesiredPower, RestartCause};
use crate::domain::firewall::Policy;
use crate::error::{Error, Result};
use crate::ids::{CloudPodId, IdList, ServerId, TenantId};
use crate::{fetch_all, sql_by_db};

#[derive(sqlx::FromRow)]
struct BriefRow {
    id: CloudPodId,
    tenant_id: TenantId,
    name: String,
    vm_name: Option<String>,
    state: String,
    desired_power: String,
    vcpu: i64,
    memory_mib: i64,
    disk_gib: i64,
    server_id: Option<ServerId>,
    vmid: Option<i64>,
    restart_causes: Json<RestartCauses>,
    start_on_boot: bool,
    cards: Option<Json<Cards>>,
    firewall: Option<Json<Policy>>,
    firewall_at: Option<Ms>,
    addressed: bool,
    updated_at: Ms,
}

impl TryFrom<BriefRow> for PodBrief {
    type Error = Error;

    fn try_from(row: BriefRow) -> Result<Self> {
        let BriefRow {
            id,
            tenant_id,
            name,
            vm_name,
            state,
            desired_power,
            vcpu,
            memory_mib,
            disk_gib,
            server_id,
            vmid,
            restart_causes: Json(RestartCauses { causes }),
            start_on_boot,
            cards,
            firewall,
            firewall_at,
            addressed,
            updated_at,
        } = row;
        Ok(Self {
            id,
            tenant: tenant_id,
            name,
            vm_name,
            state,
            desired_power: if desired_power == "running" { DesiredPower::Running } else { DesiredPower::Stopped },
            vcpu: loaded(vcpu, "cloudpods.vcpu")?,
            memory_mib: loaded(memory_mib, "cloudpods.memory_mib")?,
            disk_gib: loaded(disk_gib, "cloudpods.disk_gib")?,
            server: server_id,
            vmid: loaded_option(vmid, "cloudpods.vmid")?,
            size_waits: causes.contains(&RestartCause::Size),
            start_on_boot,
            cards: cards.map(|Json(Cards { cards })| cards),
            firewall: firewall.map(|Json(policy)| policy.options(addressed)),
            firewall_at,
            updated_at,
        })
    }
}

fn all(rows: Vec<BriefRow>) -> Result<Vec<PodBrief>> {
    rows.into_iter().map(PodBrief::try_from).collect()
}

macro_rules! select {
    ($($rest:literal),+) => {
        concat!(
            "SELECT id, tenant_id, name, vm_name, state, desired_power, vcpu, memory_mib, disk_gib, server_id, vmid, restart_causes,
                    start_on_boot, cards,
                    (SELECT f.policy FROM firewalls f
                      WHERE f.pod_id = cloudpods.id AND f.version > 0 AND f.applied_version = f.version) AS firewall,
                    (SELECT f.applied_at FROM firewalls f WHERE f.pod_id = cloudpods.id) AS firewall_at,
                    EXISTS (SELECT 1 FROM ip_addresses a WHERE a.pod_id = cloudpods.id) AS addressed, updated_at
             FROM cloudpods ",
            $($rest),+
        )
    };
}

pub(super) async fn pods_by_ids(conn: Conn<'_>, pods: &[CloudPodId]) -> Result<Vec<PodBrief>> {
    let list: IdList = pods.iter().map(|pod| pod.0).collect();
    let sql = sql_by_db!(
        conn,
        sqlite: select!("WHERE id IN (SELECT unhex(value) FROM json_each($1, '$.ids'))"),
        postgres: select!("WHERE id IN (SELECT value::uuid FROM jsonb_array_elements_text($1 -> 'ids'))")
    );
    all(fetch_all!(conn, BriefRow, sql, Json(list))?)
}

pub(super) async fn pods_on_server(conn: Conn<'_>, server: ServerId) -> Result<Vec<PodBrief>> {
    const SQL: &str = select!("WHERE server_id = $1 ORDER BY id");
    all(fetch_all!(conn, BriefRow, SQL, server)?)
}

/// Pods whose VM exists and has not the wanted firewall, as far as the books know; and since when that is wanted.
pub(super) async fn pods_unfiltered_page(
    conn: Conn<'_>,
    after: Option<CloudPodId>,
    limit: i64,
) -> Result<Vec<(CloudPodId, Ms)>> {
    const SQL: &str = "SELECT f.pod_id, f.updated_at FROM firewalls f JOIN cloudpods p ON p.id = f.pod_id
                        WHERE f.applied_version <> f.version AND p.state IN ('active', 'suspended')
                          AND ($1 IS NULL OR f.pod_id > $1) ORDER BY f.pod_id LIMIT $2";
    Ok(fetch_all!(conn, (CloudPodId, Ms), SQL, after, limit)?)
}

/// Pods whose VM exists, as far as the books know.
pub(super) async fn pods_placed_page(conn: Conn<'_>, after: Option<CloudPodId>, limit: i64) -> Result<Vec<PodBrief>> {
    const SQL: &str = select!(
        "WHERE state IN ('active', 'suspended') AND server_id IS NOT NULL AND vmid IS NOT NULL
           AND ($1 IS NULL OR id > $1) ORDER BY id LIMIT $2"
    );
    all(fetch_all!(conn, BriefRow, SQL, after, limit)?)
}

use sqlx::types::Json;

use super::{Cards, StampedVm, VmSeen};
use crate::clock::Ms;
use crate::db::Conn;
use crate::domain::check::loaded;
use crate::domain::jobs::Power;
use crate::domain::servers::FirewallOptions;
use crate::error::{Error, Result};
use crate::ids::{CloudPodId, IdList, ServerId};
use crate::{fetch_all, fetch_optional, sql_by_db};

#[derive(sqlx::FromRow)]
struct VmRow {
    server_id: ServerId,
    vmid_space: String,
    vmid: i64,
    name: String,
    power: String,
    pod_id: CloudPodId,
    lock: String,
    vcpu: i64,
    memory_mib: i64,
    disk_mib: i64,
    start_on_boot: bool,
    cards: Option<Json<Cards>>,
    firewall: Option<Json<FirewallOptions>>,
    observed_at: Ms,
}

impl TryFrom<VmRow> for StampedVm {
    type Error = Error;

    fn try_from(row: VmRow) -> Result<Self> {
        let VmRow {
            server_id,
            vmid_space,
            vmid,
            name,
            power,
            pod_id,
            lock,
            vcpu,
            memory_mib,
            disk_mib,
            start_on_boot,
            cards,
            firewall,
            observed_at,
        } = row;
        Ok(Self {
            server: server_id,
            space: vmid_space,
            vmid: loaded(vmid, "vmid")?,
            name,
            power: Power::parse(&power),
            pod: pod_id,
            lock,
            vcpu: loaded(vcpu, "vcpu")?,
            memory_mib: loaded(memory_mib, "memory_mib")?,
            disk_mib: loaded(disk_mib, "disk_mib")?,
            start_on_boot,
            cards: cards.map(|Json(Cards { cards })| cards),
            firewall: firewall.map(|Json(firewall)| firewall),
            observed_at,
        })
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT v.server_id, s.vmid_space, v.vmid, v.name, v.power, v.pod_id, v.lock, v.vcpu, v.memory_mib, v.disk_mib,
                    v.start_on_boot, v.cards, v.firewall, v.observed_at
             FROM server_vms v JOIN servers s ON s.id = v.server_id
             WHERE s.deleted_at IS NULL AND (s.lost_at IS NULL OR s.connection = 'online') AND NOT v.template AND v.pod_id IS NOT NULL AND ",
            $rest
        )
    };
}

pub(super) async fn is_inventoried(conn: Conn<'_>, server: ServerId) -> Result<bool> {
    const SQL: &str = "SELECT id FROM servers
                       WHERE id = $1 AND deleted_at IS NULL AND (lost_at IS NULL OR connection = 'online')
                         AND inventory_at IS NOT NULL";
    Ok(fetch_optional!(conn, (ServerId,), SQL, server)?.is_some())
}

pub(super) async fn vms_stamped(conn: Conn<'_>, server: ServerId) -> Result<Vec<StampedVm>> {
    const SQL: &str = select!("v.server_id = $1 ORDER BY v.vmid");
    fetch_all!(conn, VmRow, SQL, server)?.into_iter().map(StampedVm::try_from).collect()
}

pub(super) async fn vms_of_pods(conn: Conn<'_>, pods: &[CloudPodId]) -> Result<Vec<StampedVm>> {
    let list: IdList = pods.iter().map(|pod| pod.0).collect();
    let sql = sql_by_db!(
        conn,
        sqlite: select!("v.pod_id IN (SELECT unhex(value) FROM json_each($1, '$.ids')) ORDER BY v.server_id, v.vmid"),
        postgres: select!("v.pod_id IN (SELECT value::uuid FROM jsonb_array_elements_text($1 -> 'ids'))
                           ORDER BY v.server_id, v.vmid")
    );
    fetch_all!(conn, VmRow, sql, Json(list))?.into_iter().map(StampedVm::try_from).collect()
}

#[derive(sqlx::FromRow)]
struct SeenRow {
    power: String,
    template: bool,
    pod_id: Option<CloudPodId>,
    vcpu: i64,
    memory_mib: i64,
    disk_mib: i64,
    start_on_boot: bool,
}

pub(super) async fn vm_seen(conn: Conn<'_>, server: ServerId, vmid: u32) -> Result<Option<VmSeen>> {
    const SQL: &str = "SELECT power, template, pod_id, vcpu, memory_mib, disk_mib, start_on_boot FROM server_vms
                       WHERE server_id = $1 AND vmid = $2";
    let row = fetch_optional!(conn, SeenRow, SQL, server, i64::from(vmid))?;
    row.map(|SeenRow { power, template, pod_id, vcpu, memory_mib, disk_mib, start_on_boot }| {
        Ok(VmSeen {
            power: Power::parse(&power),
            template,
            pod: pod_id,
            vcpu: loaded(vcpu, "vcpu")?,
            memory_mib: loaded(memory_mib, "memory_mib")?,
            disk_mib: loaded(disk_mib, "disk_mib")?,
            start_on_boot,
        })
    })
    .transpose()
}

use sqlx::types::Json;

use super::{HeldBy, Holding};
use crate::clock::Ms;
use crate::db::Conn;
use crate::domain::check::{loaded, loaded_option};
use crate::error::Result;
use crate::ids::{CloudPodId, IdList, ServerId};
use crate::{fetch_all, sql_by_db};

#[derive(sqlx::FromRow)]
struct HoldingRow {
    pod_id: CloudPodId,
    server_id: ServerId,
    vmid: Option<i64>,
    since: Ms,
}

fn holdings(rows: Vec<HoldingRow>) -> Result<Vec<Holding>> {
    rows.into_iter()
        .map(|HoldingRow { pod_id, server_id, vmid, since }| {
            Ok(Holding { pod: pod_id, server: server_id, vmid: loaded_option(vmid, "vmid")?, since })
        })
        .collect()
}

pub(super) async fn reservations_page(conn: Conn<'_>, after: Option<CloudPodId>, limit: i64) -> Result<Vec<Holding>> {
    const SQL: &str = "SELECT pod_id, server_id, CAST(NULL AS BIGINT) AS vmid, created_at AS since FROM reservations
                       WHERE ($1 IS NULL OR pod_id > $1) ORDER BY pod_id LIMIT $2";
    holdings(fetch_all!(conn, HoldingRow, SQL, after, limit)?)
}

pub(super) async fn vmids_page(conn: Conn<'_>, after: Option<CloudPodId>, limit: i64) -> Result<Vec<Holding>> {
    const SQL: &str = "SELECT pod_id, server_id, vmid, taken_at AS since FROM vmids
                       WHERE pod_id IS NOT NULL AND NOT moving AND ($1 IS NULL OR pod_id > $1) ORDER BY pod_id LIMIT $2";
    holdings(fetch_all!(conn, HoldingRow, SQL, after, limit)?)
}

pub(super) async fn held_by(mut conn: Conn<'_>, pods: &[CloudPodId]) -> Result<HeldBy> {
    macro_rules! of_pods {
        ($select:literal, $list:literal) => {
            concat!($select, " WHERE pod_id IN (SELECT ", $list, ")")
        };
    }
    macro_rules! sql {
        ($select:literal) => {
            sql_by_db!(
                conn,
                sqlite: of_pods!($select, "unhex(value) FROM json_each($1, '$.ids')"),
                postgres: of_pods!($select, "value::uuid FROM jsonb_array_elements_text($1 -> 'ids')")
            )
        };
    }
    let list: IdList = pods.iter().map(|pod| pod.0).collect();
    let reservations = sql!("SELECT pod_id, server_id FROM reservations");
    let vmids = sql!("SELECT pod_id, server_id, vmid FROM (SELECT * FROM vmids WHERE NOT moving) AS own");
    let reservations = fetch_all!(conn.again(), (CloudPodId, ServerId), reservations, Json(&list))?;
    let mut held = HeldBy { reservations: reservations.into_iter().collect(), ..HeldBy::default() };
    for (pod, server, vmid) in fetch_all!(conn, (CloudPodId, ServerId, i64), vmids, Json(&list))? {
        held.vmids.insert(pod, (server, loaded(vmid, "vmid")?));
    }
    Ok(held)
}

/// A server whose totals are not the sums; each is vCPU, MiB, pods.
pub(super) struct ServerOff {
    pub(super) name: String,
    pub(super) held: (i64, i64, i64),
    pub(super) sum: (i64, i64, i64),
}

pub(super) async fn servers_off(conn: Conn<'_>, limit: i64) -> Result<Vec<ServerOff>> {
    const SQL: &str = "SELECT s.name, s.reserved_vcpu, s.reserved_memory_mib, s.reserved_pods,
                              COALESCE(r.vcpu, 0), COALESCE(r.memory_mib, 0), COALESCE(r.pods, 0)
                       FROM servers s LEFT JOIN (
                            SELECT server_id, CAST(SUM(vcpu) AS BIGINT) AS vcpu,
                                   CAST(SUM(memory_mib) AS BIGINT) AS memory_mib, COUNT(*) AS pods
                            FROM holdings GROUP BY server_id) r ON r.server_id = s.id
                       WHERE s.reserved_vcpu <> COALESCE(r.vcpu, 0) OR s.reserved_pods <> COALESCE(r.pods, 0)
                          OR s.reserved_memory_mib <> COALESCE(r.memory_mib, 0)
                       ORDER BY s.name LIMIT $1";
    let rows = fetch_all!(conn, (String, i64, i64, i64, i64, i64, i64), SQL, limit)?;
    Ok(rows
        .into_iter()
        .map(|(name, vcpu, memory, pods, vcpu_sum, memory_sum, pods_sum)| ServerOff {
            name,
            held: (vcpu, memory, pods),
            sum: (vcpu_sum, memory_sum, pods_sum),
        })
        .collect())
}

/// A storage whose total is not the sum; in GiB.
pub(super) struct StorageOff {
    pub(super) server: String,
    pub(super) storage: String,
    pub(super) held: i64,
    pub(super) sum: i64,
}

pub(super) async fn storages_off(conn: Conn<'_>, limit: i64) -> Result<Vec<StorageOff>> {
    const SQL: &str = "SELECT s.name, t.name, t.reserved_gib, COALESCE(r.disk_gib, 0)
                       FROM server_storages t JOIN servers s ON s.id = t.server_id LEFT JOIN (
                            SELECT server_id, storage, CAST(SUM(disk_gib) AS BIGINT) AS disk_gib
                            FROM holdings GROUP BY server_id, storage) r
                         ON r.server_id = t.server_id AND r.storage = t.name
                       WHERE t.reserved_gib <> COALESCE(r.disk_gib, 0) ORDER BY s.name, t.name LIMIT $1";
    let rows = fetch_all!(conn, (String, String, i64, i64), SQL, limit)?;
    Ok(rows.into_iter().map(|(server, storage, held, sum)| StorageOff { server, storage, held, sum }).collect())
}

/// Servers with pods whose datacenter's firewall is off, and since when that is known.
pub(super) async fn servers_unfiltered(conn: Conn<'_>, limit: i64) -> Result<Vec<(String, Option<Ms>)>> {
    const SQL: &str = "SELECT name, datacenter_firewall_since FROM servers
                       WHERE deleted_at IS NULL AND datacenter_firewall = FALSE AND reserved_pods > 0
                       ORDER BY name LIMIT $1";
    Ok(fetch_all!(conn, (String, Option<Ms>), SQL, limit)?)
}

/// A server whose agent's newest certificate that counts ends soon.
#[derive(sqlx::FromRow)]
pub(super) struct Ending {
    pub(super) name: String,
    pub(super) connection: String,
    pub(super) issued_at: Ms,
    pub(super) not_after: Ms,
}

pub(super) async fn certificates_ending(conn: Conn<'_>, now: Ms, limit: i64) -> Result<Vec<Ending>> {
    const SQL: &str = "SELECT s.name, s.connection, c.issued_at, c.not_after
                       FROM agent_certificates c JOIN servers s ON s.id = c.server_id
                       WHERE s.deleted_at IS NULL AND c.revoked_at IS NULL
                         AND NOT EXISTS (SELECT 1 FROM agent_certificates n WHERE n.server_id = c.server_id
                                         AND n.revoked_at IS NULL AND n.issued_at > c.issued_at)
                         AND (c.not_after - $1) * 4 < c.not_after - c.issued_at
                       ORDER BY c.not_after LIMIT $2";
    Ok(fetch_all!(conn, Ending, SQL, now, limit)?)
}

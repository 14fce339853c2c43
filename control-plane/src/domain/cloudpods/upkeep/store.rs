use serde::Serialize;
use sqlx::types::Json;

use crate::clock::Ms;
use crate::db::Tx;
use crate::domain::check::{clipped, stored};
use crate::error::{Error, Result};
use crate::ids::{CloudPodId, ServerId};
use crate::{execute, sql_by_db};

/// A list of VMs with their names, as the database's JSON functions can read it.
#[derive(Serialize)]
struct Names {
    vms: Vec<Named>,
}

#[derive(Serialize)]
struct Named {
    pod: String,
    vmid: u32,
    name: String,
}

/// Notes the names of the server's VMs that have none yet: also while they are being made, as a VM that stays as it is isn't told of
/// again once its pod is ready.
pub(super) async fn names_set(tx: &mut Tx, server: ServerId, names: Vec<(CloudPodId, u32, String)>) -> Result<()> {
    const SQLITE: &str = "UPDATE cloudpods AS p SET vm_name = seen.name
          FROM (SELECT value ->> 'pod' AS pod, value ->> 'vmid' AS vmid, value ->> 'name' AS name
                  FROM json_each($2, '$.vms')) AS seen
         WHERE p.id = unhex(seen.pod) AND p.vmid = seen.vmid AND p.server_id = $1 AND p.vm_name IS NULL
           AND p.state IN ('provisioning', 'active', 'suspended')";
    const POSTGRES: &str = "UPDATE cloudpods AS p SET vm_name = seen.name
          FROM jsonb_to_recordset($2 -> 'vms') AS seen (pod uuid, vmid bigint, name text)
         WHERE p.id = seen.pod AND p.vmid = seen.vmid AND p.server_id = $1 AND p.vm_name IS NULL
           AND p.state IN ('provisioning', 'active', 'suspended')";
    let named = |(pod, vmid, name): (CloudPodId, u32, String)| Named {
        pod: pod.0.simple().to_string(),
        vmid,
        name: clipped(&name, 255),
    };
    let names = Names { vms: names.into_iter().map(named).collect() };
    let conn = tx.conn();
    let sql = sql_by_db!(conn, sqlite: SQLITE, postgres: POSTGRES);
    execute!(conn, sql, server, Json(names))?;
    Ok(())
}

pub(super) async fn vm_name_set(tx: &mut Tx, id: CloudPodId, name: &str) -> Result<()> {
    const SQL: &str = "UPDATE cloudpods SET vm_name = $2 WHERE id = $1";
    execute!(tx.conn(), SQL, id, name)?;
    Ok(())
}

pub(super) async fn start_on_boot_set(tx: &mut Tx, id: CloudPodId, starts: bool, at: Ms) -> Result<()> {
    const SQL: &str = "UPDATE cloudpods SET start_on_boot = $2, version = version + 1, updated_at = $3 WHERE id = $1";
    execute!(tx.conn(), SQL, id, starts, at)?;
    Ok(())
}

pub(super) async fn pod_size_set(
    tx: &mut Tx,
    id: CloudPodId,
    (vcpu, memory_mib, disk_gib): (u32, u64, u64),
    at: Ms,
) -> Result<()> {
    const SQL: &str =
        "UPDATE cloudpods SET vcpu = $2, memory_mib = $3, disk_gib = $4, version = version + 1, updated_at = $5
                        WHERE id = $1 AND state <> 'deleted'";
    let (vcpu, memory_mib, disk_gib) = (i64::from(vcpu), stored(memory_mib), stored(disk_gib));
    match execute!(tx.conn(), SQL, id, vcpu, memory_mib, disk_gib, at)? {
        1 => Ok(()),
        _ => Err(Error::Stale),
    }
}

/// Notes where its VM is.
pub(in crate::domain::cloudpods) async fn pod_put(
    tx: &mut Tx,
    id: CloudPodId,
    server: ServerId,
    storage: &str,
    vmid: u32,
    at: Ms,
) -> Result<()> {
    const SQL: &str = "UPDATE cloudpods SET server_id = $2, storage = $3, vmid = $4, observed_power = 'unknown',
                              observed_at = NULL, version = version + 1, updated_at = $5
                        WHERE id = $1 AND state <> 'deleted'";
    match execute!(tx.conn(), SQL, id, server, storage, i64::from(vmid), at)? {
        1 => Ok(()),
        _ => Err(Error::Stale),
    }
}

/// It is nowhere from now on. What its disk was on stays known: there it is, should its VM be found.
pub(super) async fn pod_lose(tx: &mut Tx, id: CloudPodId, at: Ms) -> Result<()> {
    const SQL: &str =
        "UPDATE cloudpods SET server_id = NULL, vmid = NULL, template_vmid = NULL, observed_power = 'unknown',
                              observed_at = NULL, version = version + 1, updated_at = $2
                        WHERE id = $1 AND server_id IS NOT NULL";
    execute!(tx.conn(), SQL, id, at)?;
    Ok(())
}

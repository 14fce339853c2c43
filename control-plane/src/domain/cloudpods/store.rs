mod condition;

use std::collections::{HashMap, HashSet};

use sqlx::types::Json;

use super::{CloudPod, DesiredPower, Named, State, Wish};
use crate::clock::Ms;
use crate::db::{Conn, Tx};
use crate::domain::audit::Scope;
use crate::domain::check::{loaded, loaded_option, stored};
use crate::domain::jobs::Power;
use crate::domain::scheduling::Choice;
use crate::domain::servers::Move;
use crate::error::{Error, Result};
use crate::ids::{CloudPodId, ImageId, PlanId, ServerId, TenantId};
use crate::{execute, fetch_all, fetch_optional, sql_by_db};

pub(super) use condition::*;

/// A pod with the names of what it refers to; the rest of the statement follows.
macro_rules! select_pods {
    ($($tail:expr),+ $(,)?) => {
        concat!(
            "SELECT p.id, p.tenant_id, tenants.name AS tenant_name, p.name, p.state, p.desired_power, p.observed_power, p.observed_at,
                    p.plan_id, plans.name AS plan_name, p.image_id, images.name AS image_name,
                    p.vcpu, p.memory_mib, p.disk_gib, p.placement, p.ssh_keys, p.cloud_init_user,
                    p.server_id, servers.name AS server_name,
                    CASE WHEN servers.connection = 'offline' THEN servers.connection_since END AS stale_since, p.storage, p.vmid, p.template_vmid, p.start_on_boot, p.failure,
                    p.version, p.created_at, p.updated_at, p.deleted_at, p.suspend_reason, p.suspended_at, p.power_before,
                    p.suspended_with_tenant, p.restart_causes, p.media_iso, p.media_first, p.rescue_iso, p.rebuilding, p.adopting,
                    p.as_found,
                    moves.server_id AS moving_to_id, towards.name AS moving_to_name
               FROM cloudpods p
               JOIN tenants ON tenants.id = p.tenant_id
               JOIN plans ON plans.id = p.plan_id
               JOIN images ON images.id = p.image_id
               LEFT JOIN servers ON servers.id = p.server_id
               LEFT JOIN moves ON moves.pod_id = p.id
               LEFT JOIN servers towards ON towards.id = moves.server_id ",
            $($tail),+
        )
    };
}

mod list;

pub(super) use list::pod_list;

#[derive(sqlx::FromRow)]
struct PodRow {
    id: CloudPodId,
    tenant_id: TenantId,
    tenant_name: String,
    name: String,
    state: String,
    desired_power: String,
    observed_power: String,
    observed_at: Option<Ms>,
    plan_id: PlanId,
    plan_name: String,
    image_id: ImageId,
    image_name: String,
    vcpu: i64,
    memory_mib: i64,
    disk_gib: i64,
    placement: Json<Wish>,
    ssh_keys: Json<Keys>,
    cloud_init_user: String,
    server_id: Option<ServerId>,
    server_name: Option<String>,
    stale_since: Option<Ms>,
    storage: Option<String>,
    vmid: Option<i64>,
    template_vmid: Option<i64>,
    start_on_boot: bool,
    failure: String,
    version: i64,
    created_at: Ms,
    updated_at: Ms,
    deleted_at: Option<Ms>,
    #[sqlx(flatten)]
    condition: ConditionRow,
    moving_to_id: Option<ServerId>,
    moving_to_name: Option<String>,
}

/// JSONB holds objects only.
#[derive(serde::Serialize, serde::Deserialize)]
struct Keys {
    keys: Vec<String>,
}

fn state_load(state: &str, failure: String, deleted_at: Option<Ms>) -> Result<State> {
    Ok(match (state, deleted_at) {
        ("requested", None) => State::Requested,
        ("provisioning", None) => State::Provisioning,
        ("active", None) => State::Active,
        ("suspended", None) => State::Suspended,
        ("deleting", None) => State::Deleting,
        ("failed", None) => State::Failed { cause: failure },
        ("deleted", Some(at)) => State::Deleted { at },
        _ => {
            return Err(Error::internal(format!(
                "the column cloudpods.state holds {state}, deleted at {deleted_at:?}"
            )));
        }
    })
}

/// What a state brings to the columns `failure` and `deleted_at`.
fn state_columns(state: &State) -> (&str, Option<Ms>) {
    match state {
        State::Failed { cause } => (cause, None),
        State::Deleted { at } => ("", Some(*at)),
        State::Requested | State::Provisioning | State::Active | State::Suspended | State::Deleting => ("", None),
    }
}

impl TryFrom<PodRow> for CloudPod {
    type Error = Error;

    fn try_from(row: PodRow) -> Result<Self> {
        let PodRow {
            id,
            tenant_id,
            tenant_name,
            name,
            state,
            desired_power,
            observed_power,
            observed_at,
            plan_id,
            plan_name,
            image_id,
            image_name,
            vcpu,
            memory_mib,
            disk_gib,
            placement: Json(wish),
            ssh_keys: Json(Keys { keys }),
            cloud_init_user,
            server_id,
            server_name,
            stale_since,
            storage,
            vmid,
            template_vmid,
            start_on_boot,
            failure,
            version,
            created_at,
            updated_at,
            deleted_at,
            condition,
            moving_to_id,
            moving_to_name,
        } = row;
        Ok(Self {
            id,
            tenant: tenant_id,
            tenant_name,
            name,
            state: state_load(&state, failure, deleted_at)?,
            desired_power: DesiredPower::parse(&desired_power),
            observed_power: Power::parse(&observed_power),
            observed_at,
            plan: Named { id: plan_id, name: plan_name },
            image: Named { id: image_id, name: image_name },
            vcpu: loaded(vcpu, "cloudpods.vcpu")?,
            memory_mib: loaded(memory_mib, "cloudpods.memory_mib")?,
            disk_gib: loaded(disk_gib, "cloudpods.disk_gib")?,
            wish,
            ssh_keys: keys,
            cloud_init_user,
            server: server_id.zip(server_name).map(|(id, name)| Named { id, name }),
            stale_since,
            moving_to: moving_to_id.zip(moving_to_name).map(|(id, name)| Named { id, name }),
            storage,
            vmid: loaded_option(vmid, "cloudpods.vmid")?,
            template_vmid: loaded_option(template_vmid, "cloudpods.template_vmid")?,
            start_on_boot,
            condition: condition.into(),
            version,
            created_at,
            updated_at,
        })
    }
}

pub(super) async fn pod_get(conn: Conn<'_>, scope: Scope, id: CloudPodId) -> Result<Option<CloudPod>> {
    const SQL: &str = select_pods!("WHERE p.id = $1 AND ($2 IS NULL OR p.tenant_id = $2)");
    fetch_optional!(conn, PodRow, SQL, id, scope.tenant())?.map(CloudPod::try_from).transpose()
}

/// The pod, held against other writers until the transaction ends.
pub(super) async fn pod_lock(tx: &mut Tx, scope: Scope, id: CloudPodId) -> Result<Option<CloudPod>> {
    const SQLITE: &str = select_pods!("WHERE p.id = $1 AND ($2 IS NULL OR p.tenant_id = $2)");
    // Not FOR UPDATE: rows that refer to the pod, such as its jobs, may be written meanwhile.
    const POSTGRES: &str = select_pods!("WHERE p.id = $1 AND ($2 IS NULL OR p.tenant_id = $2) FOR NO KEY UPDATE OF p");
    let conn = tx.conn();
    let sql = sql_by_db!(conn, sqlite: SQLITE, postgres: POSTGRES);
    fetch_optional!(conn, PodRow, sql, id, scope.tenant())?.map(CloudPod::try_from).transpose()
}

/// The id of the tenant's pod of this name that is not deleted.
pub(super) async fn pod_live_by_name(conn: Conn<'_>, tenant: TenantId, name: &str) -> Result<Option<CloudPodId>> {
    const SQL: &str = "SELECT id FROM cloudpods WHERE tenant_id = $1 AND name = $2 AND state <> 'deleted'";
    Ok(fetch_optional!(conn, (CloudPodId,), SQL, tenant, name)?.map(|(id,)| id))
}

/// The pods whose VM is, or is to be, on a server, the oldest first.
pub(super) async fn pods_of_server(conn: Conn<'_>, server: ServerId) -> Result<Vec<CloudPod>> {
    const SQL: &str = select_pods!("WHERE p.server_id = $1 ORDER BY p.id");
    fetch_all!(conn, PodRow, SQL, server)?.into_iter().map(CloudPod::try_from).collect()
}

/// On which servers a tenant's pods are or are on their way to, and how many, without one of them.
pub(super) async fn tenant_pods(
    conn: Conn<'_>,
    tenant: TenantId,
    without: Option<CloudPodId>,
) -> Result<HashMap<ServerId, u32>> {
    const SQL: &str = "SELECT server_id, COUNT(*) FROM (
                           SELECT id, server_id FROM cloudpods
                            WHERE tenant_id = $1 AND state <> 'deleted' AND server_id IS NOT NULL
                            UNION ALL
                           SELECT p.id, m.server_id FROM moves m JOIN cloudpods p ON p.id = m.pod_id
                            WHERE p.tenant_id = $1) AS places
                        WHERE $2 IS NULL OR id <> $2
                        GROUP BY server_id";
    fetch_all!(conn, (ServerId, i64), SQL, tenant, without)?
        .into_iter()
        .map(|(server, pods)| Ok((server, loaded(pods, "count of cloudpods")?)))
        .collect()
}

/// On which servers a pod of the tenant is, or is on its way to, that wants no other beside it; without one of them.
pub(super) async fn servers_kept_apart(
    conn: Conn<'_>,
    tenant: TenantId,
    without: CloudPodId,
) -> Result<HashSet<ServerId>> {
    macro_rules! sql {
        ($apart:literal) => {
            concat!(
                "SELECT p.server_id FROM cloudpods p
                  WHERE p.tenant_id = $1 AND p.state <> 'deleted' AND p.server_id IS NOT NULL AND p.id <> $2 AND ",
                $apart,
                " UNION SELECT m.server_id FROM moves m JOIN cloudpods p ON p.id = m.pod_id
                  WHERE p.tenant_id = $1 AND p.id <> $2 AND ",
                $apart
            )
        };
    }
    let sql = sql_by_db!(
        conn,
        sqlite: sql!("json_extract(p.placement, '$.anti_affinity')"),
        postgres: sql!("(p.placement ->> 'anti_affinity')::boolean")
    );
    Ok(fetch_all!(conn, (ServerId,), sql, tenant, without)?.into_iter().map(|(server,)| server).collect())
}

pub(super) async fn pod_insert(tx: &mut Tx, pod: &CloudPod) -> Result<(), sqlx::Error> {
    const SQL: &str =
        "INSERT INTO cloudpods (id, tenant_id, name, state, desired_power, observed_power, plan_id, image_id,
                              vcpu, memory_mib, disk_gib, placement, ssh_keys, cloud_init_user, version,
                              created_at, updated_at, start_on_boot)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)";
    execute!(
        tx.conn(),
        SQL,
        pod.id,
        pod.tenant,
        pod.name.as_str(),
        pod.state.as_str(),
        pod.desired_power.as_str(),
        pod.observed_power.as_str(),
        pod.plan.id,
        pod.image.id,
        i64::from(pod.vcpu),
        stored(pod.memory_mib),
        stored(pod.disk_gib),
        Json(&pod.wish),
        Json(Keys { keys: pod.ssh_keys.clone() }),
        pod.cloud_init_user.as_str(),
        pod.version,
        pod.created_at,
        pod.updated_at,
        pod.start_on_boot
    )?;
    Ok(())
}

/// Stores a transition. `false`: it was not `from` any more.
pub(super) async fn pod_state_set(tx: &mut Tx, id: CloudPodId, from: &'static str, to: &State, at: Ms) -> Result<bool> {
    const SQL: &str =
        "UPDATE cloudpods SET state = $3, failure = $4, deleted_at = $5, version = version + 1, updated_at = $6
                        WHERE id = $1 AND state = $2";
    let (failure, deleted_at) = state_columns(to);
    Ok(execute!(tx.conn(), SQL, id, from, to.as_str(), failure, deleted_at, at)? == 1)
}

/// Stores its name and its wish. `false`: somebody changed it since `version`.
pub(super) async fn pod_update(
    tx: &mut Tx,
    id: CloudPodId,
    version: i64,
    name: &str,
    wish: &Wish,
    at: Ms,
) -> Result<bool, sqlx::Error> {
    const SQL: &str = "UPDATE cloudpods SET name = $3, placement = $4, version = version + 1, updated_at = $5
                        WHERE id = $1 AND version = $2 AND state <> 'deleted'";
    Ok(execute!(tx.conn(), SQL, id, version, name, Json(wish), at)? == 1)
}

pub(super) async fn pod_desire(tx: &mut Tx, id: CloudPodId, power: DesiredPower, at: Ms) -> Result<()> {
    const SQL: &str = "UPDATE cloudpods SET desired_power = $2, version = version + 1, updated_at = $3
                        WHERE id = $1 AND state <> 'deleted' AND desired_power <> $2";
    execute!(tx.conn(), SQL, id, power.as_str(), at)?;
    Ok(())
}

/// Notes where it goes.
pub(super) async fn pod_place(tx: &mut Tx, id: CloudPodId, choice: &Choice, at: Ms) -> Result<()> {
    const SQL: &str = "UPDATE cloudpods SET server_id = $2, storage = $3, template_vmid = $4, version = version + 1,
                              updated_at = $5
                        WHERE id = $1 AND state = 'provisioning'";
    let template = i64::from(choice.template_vmid);
    let placed = execute!(tx.conn(), SQL, id, choice.server, choice.storage.as_str(), template, at)?;
    if placed == 1 { Ok(()) } else { Err(Error::Stale) }
}

pub(super) async fn pod_vmid_set(tx: &mut Tx, id: CloudPodId, vmid: Option<u32>, at: Ms) -> Result<()> {
    const SQL: &str = "UPDATE cloudpods SET vmid = $2, version = version + 1, updated_at = $3
                        WHERE id = $1 AND state <> 'deleted' AND vmid IS DISTINCT FROM $2";
    execute!(tx.conn(), SQL, id, vmid.map(i64::from), at)?;
    Ok(())
}

/// Notes that its VM has come to another server.
pub(super) async fn pod_move(
    tx: &mut Tx,
    id: CloudPodId,
    moved: &Move,
    vmid: u32,
    template: Option<u32>,
    at: Ms,
) -> Result<()> {
    const SQL: &str = "UPDATE cloudpods SET server_id = $3, storage = $4, vmid = $5, template_vmid = $6,
                              version = version + 1, updated_at = $7
                        WHERE id = $1 AND server_id = $2";
    let (vmid, template) = (i64::from(vmid), template.map(i64::from));
    let storage = moved.storage.as_str();
    let touched = execute!(tx.conn(), SQL, id, moved.source, moved.target, storage, vmid, template, at)?;
    if touched == 1 { Ok(()) } else { Err(Error::Stale) }
}

/// It is nowhere any more: its VM is known to be absent, or was never asked for.
pub(super) async fn pod_unplace(tx: &mut Tx, id: CloudPodId, at: Ms) -> Result<()> {
    const SQL: &str = "UPDATE cloudpods SET server_id = NULL, storage = NULL, vmid = NULL, template_vmid = NULL,
                              observed_power = 'unknown', observed_at = NULL, version = version + 1, updated_at = $2
                        WHERE id = $1 AND server_id IS NOT NULL";
    execute!(tx.conn(), SQL, id, at)?;
    Ok(())
}

/// Notes what a command of its own brought.
pub(super) async fn pod_observe(tx: &mut Tx, id: CloudPodId, power: Power, at: Ms) -> Result<()> {
    const SQL: &str = "UPDATE cloudpods SET observed_power = $2, observed_at = $3 WHERE id = $1 AND vmid IS NOT NULL";
    execute!(tx.conn(), SQL, id, power.as_str(), at)?;
    Ok(())
}

/// One VM of an inventory that bears the stamp of a pod.
#[derive(serde::Serialize)]
pub(super) struct Observation {
    /// The pod, as the database's JSON functions can read it.
    pub(super) pod: String,
    pub(super) vmid: u32,
    pub(super) power: &'static str,
}

/// A list of observations: JSONB and its functions take an object as well as a list, but every JSON here is an object.
#[derive(serde::Serialize)]
pub(super) struct Observations {
    pub(super) vms: Vec<Observation>,
}

/// VMIDs that are not in use on a server.
#[derive(serde::Serialize)]
struct Gone<'a> {
    vmids: &'a [u32],
}

/// Stores the power of a server's pods where it changed, and gives the pods where it did.
pub(super) async fn pods_observe(
    tx: &mut Tx,
    server: ServerId,
    seen: &Observations,
    at: Ms,
) -> Result<Vec<(CloudPodId, TenantId, String)>> {
    const SQLITE: &str = "UPDATE cloudpods AS p SET observed_power = seen.power, observed_at = $3
          FROM (SELECT value ->> 'pod' AS pod, value ->> 'vmid' AS vmid, value ->> 'power' AS power
                  FROM json_each($2, '$.vms')) AS seen
         WHERE p.id = unhex(seen.pod) AND p.vmid = seen.vmid AND p.server_id = $1 AND p.observed_power <> seen.power
        RETURNING id, tenant_id, observed_power";
    const POSTGRES: &str = "UPDATE cloudpods AS p SET observed_power = seen.power, observed_at = $3
          FROM jsonb_to_recordset($2 -> 'vms') AS seen (pod uuid, vmid bigint, power text)
         WHERE p.id = seen.pod AND p.vmid = seen.vmid AND p.server_id = $1 AND p.observed_power <> seen.power
        RETURNING id, tenant_id, observed_power";
    let conn = tx.conn();
    let sql = sql_by_db!(conn, sqlite: SQLITE, postgres: POSTGRES);
    Ok(fetch_all!(conn, (CloudPodId, TenantId, String), sql, server, Json(seen), at)?)
}

/// Says of pods whose VM was seen as it was before that this is still so, but not more often than once a minute.
pub(super) async fn pods_still_observed(
    tx: &mut Tx,
    server: ServerId,
    seen: &Observations,
    at: Ms,
    unless_after: Ms,
) -> Result<()> {
    const SQLITE: &str = "UPDATE cloudpods AS p SET observed_at = $3
          FROM (SELECT value ->> 'pod' AS pod, value ->> 'vmid' AS vmid FROM json_each($2, '$.vms')) AS seen
         WHERE p.id = unhex(seen.pod) AND p.vmid = seen.vmid AND p.server_id = $1
           AND (p.observed_at IS NULL OR p.observed_at < $4)";
    const POSTGRES: &str = "UPDATE cloudpods AS p SET observed_at = $3
          FROM jsonb_to_recordset($2 -> 'vms') AS seen (pod uuid, vmid bigint)
         WHERE p.id = seen.pod AND p.vmid = seen.vmid AND p.server_id = $1
           AND (p.observed_at IS NULL OR p.observed_at < $4)";
    let conn = tx.conn();
    let sql = sql_by_db!(conn, sqlite: SQLITE, postgres: POSTGRES);
    execute!(conn, sql, server, Json(seen), at, unless_after)?;
    Ok(())
}

/// Says of the server's pods whose VM a full inventory does not list that nobody knows their power. One that is being moved
/// is looked for by its job.
pub(super) async fn pods_unseen(
    tx: &mut Tx,
    server: ServerId,
    seen: &Observations,
    at: Ms,
) -> Result<Vec<(CloudPodId, TenantId, String)>> {
    const SQLITE: &str = "UPDATE cloudpods AS p SET observed_power = 'unknown', observed_at = $3
         WHERE p.server_id = $1 AND p.observed_power <> 'unknown'
           AND NOT EXISTS (SELECT 1 FROM moves m WHERE m.pod_id = p.id)
           AND NOT EXISTS (SELECT 1 FROM json_each($2, '$.vms') AS seen
                            WHERE p.id = unhex(seen.value ->> 'pod') AND p.vmid = seen.value ->> 'vmid')
        RETURNING id, tenant_id, observed_power";
    const POSTGRES: &str = "UPDATE cloudpods AS p SET observed_power = 'unknown', observed_at = $3
         WHERE p.server_id = $1 AND p.observed_power <> 'unknown'
           AND NOT EXISTS (SELECT 1 FROM moves m WHERE m.pod_id = p.id)
           AND NOT EXISTS (SELECT 1 FROM jsonb_to_recordset($2 -> 'vms') AS seen (pod uuid, vmid bigint)
                            WHERE p.id = seen.pod AND p.vmid = seen.vmid)
        RETURNING id, tenant_id, observed_power";
    let conn = tx.conn();
    let sql = sql_by_db!(conn, sqlite: SQLITE, postgres: POSTGRES);
    Ok(fetch_all!(conn, (CloudPodId, TenantId, String), sql, server, Json(seen), at)?)
}

/// Says of pods whose VM a partial inventory calls gone, and that are not being moved, that nobody knows their power.
pub(super) async fn pods_gone(
    tx: &mut Tx,
    server: ServerId,
    vmids: &[u32],
    at: Ms,
) -> Result<Vec<(CloudPodId, TenantId, String)>> {
    const SQLITE: &str = "UPDATE cloudpods SET observed_power = 'unknown', observed_at = $3
         WHERE server_id = $1 AND observed_power <> 'unknown' AND id NOT IN (SELECT pod_id FROM moves)
           AND vmid IN (SELECT value FROM json_each($2, '$.vmids'))
        RETURNING id, tenant_id, observed_power";
    const POSTGRES: &str = "UPDATE cloudpods SET observed_power = 'unknown', observed_at = $3
         WHERE server_id = $1 AND observed_power <> 'unknown' AND id NOT IN (SELECT pod_id FROM moves)
           AND vmid IN (SELECT value::bigint FROM jsonb_array_elements_text($2 -> 'vmids'))
        RETURNING id, tenant_id, observed_power";
    let conn = tx.conn();
    let sql = sql_by_db!(conn, sqlite: SQLITE, postgres: POSTGRES);
    Ok(fetch_all!(conn, (CloudPodId, TenantId, String), sql, server, Json(Gone { vmids }), at)?)
}

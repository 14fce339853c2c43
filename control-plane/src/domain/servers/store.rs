//! The record of a server: the operator's columns, and what is shown of the rest.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use sqlx::types::Json;

use super::check::{Settings, StatusChange, StorageOffer};
use super::service::ServerFilter;
use super::{Connection, ConnectionState, Limits, Reserved, Scheduling, SchedulingState, Seen, Server, ServerStorage};
use crate::clock::Ms;
use crate::db::{Conn, Tx, Window};
use crate::domain::check::{loaded, loaded_option, stored};
use crate::domain::sort::AgeOrName;
use crate::error::{Error, Result, is_unique_violation};
use crate::ids::{CloudPodId, ServerId};
use crate::{execute, fetch_all, fetch_one, fetch_optional};

#[derive(sqlx::FromRow)]
struct ServerRow {
    id: ServerId,
    name: String,
    region: String,
    labels: Json<BTreeMap<String, String>>,
    bridge: String,
    vmid_space: String,
    vmid_min: i64,
    vmid_max: i64,
    backup_storage: Option<String>,
    cpu_threads: Option<i64>,
    cpu_overcommit: f64,
    memory_mib: Option<i64>,
    pod_limit: Option<i64>,
    reserved_vcpu: i64,
    reserved_memory_mib: i64,
    reserved_pods: i64,
    scheduling: String,
    scheduling_reason: String,
    scheduling_since: Ms,
    drain_deadline: Option<Ms>,
    connection: String,
    connection_since: Ms,
    #[sqlx(flatten)]
    seen: SeenRow,
    problem: String,
    machine_problem: String,
    #[sqlx(flatten)]
    lost: LostRow,
    version: i64,
    created_at: Ms,
    updated_at: Ms,
}

#[derive(sqlx::FromRow)]
struct LostRow {
    fence_problem: String,
    lost_at: Option<Ms>,
    generation: i64,
}

#[derive(sqlx::FromRow)]
struct SeenRow {
    last_seen_at: Option<Ms>,
    session_epoch: i64,
    boot_id: Option<String>,
    machine_id: Option<String>,
    agent_version: Option<String>,
    pve_version: Option<String>,
    node_name: Option<String>,
    cluster_name: Option<String>,
    seen_cpu_threads: Option<i64>,
    seen_memory_mib: Option<i64>,
    seen_bridges: Option<Json<Names>>,
    datacenter_firewall: Option<bool>,
    inventory_at: Option<Ms>,
    refuses: String,
    proxmox_silent_since: Option<Ms>,
    seen_backup_storages: Option<Json<Names>>,
}

/// JSON columns hold objects only.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Names {
    pub(super) names: Vec<String>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, region, labels, bridge, vmid_space, vmid_min, vmid_max, backup_storage, cpu_threads,
                    cpu_overcommit, memory_mib, pod_limit, reserved_vcpu, reserved_memory_mib, reserved_pods, scheduling, scheduling_reason,
                    scheduling_since, drain_deadline, connection, connection_since, last_seen_at, session_epoch, boot_id,
                    machine_id, agent_version, pve_version, node_name, cluster_name, seen_cpu_threads, seen_memory_mib,
                    seen_bridges, datacenter_firewall, inventory_at, refuses, proxmox_silent_since, seen_backup_storages, problem,
                    machine_problem, fence_problem, lost_at, generation, version, created_at, updated_at
             FROM servers WHERE deleted_at IS NULL ",
            $rest
        )
    };
}

fn joined<const N: usize>(problems: [String; N]) -> String {
    problems.into_iter().filter(|problem| !problem.is_empty()).collect::<Vec<_>>().join("; ")
}

fn connection_load(text: &str) -> Result<ConnectionState> {
    ConnectionState::parse(text).ok_or_else(|| Error::internal(text.to_owned()))
}

impl ServerRow {
    fn into_server(self, storages: Vec<ServerStorage>) -> Result<Server> {
        let Self {
            id,
            name,
            region,
            labels: Json(labels),
            bridge,
            vmid_space,
            vmid_min,
            vmid_max,
            backup_storage,
            cpu_threads,
            cpu_overcommit,
            memory_mib,
            pod_limit,
            reserved_vcpu,
            reserved_memory_mib,
            reserved_pods,
            scheduling,
            scheduling_reason,
            scheduling_since,
            drain_deadline,
            connection,
            connection_since,
            seen,
            problem,
            machine_problem,
            lost: LostRow { fence_problem, lost_at, generation },
            version,
            created_at,
            updated_at,
        } = self;
        let reserved = Reserved {
            vcpu: loaded(reserved_vcpu, "reserved_vcpu")?,
            memory_mib: loaded(reserved_memory_mib, "reserved_memory_mib")?,
            pods: loaded(reserved_pods, "reserved_pods")?,
        };
        Ok(Server {
            id,
            name,
            region,
            labels,
            bridge,
            vmid_min: loaded(vmid_min, "vmid_min")?,
            vmid_max: loaded(vmid_max, "vmid_max")?,
            vmid_space,
            backup_storage,
            limits: Limits {
                cpu_threads: loaded_option(cpu_threads, "cpu_threads")?,
                cpu_overcommit,
                memory_mib: loaded_option(memory_mib, "memory_mib")?,
                pod_limit: loaded_option(pod_limit, "pod_limit")?,
            },
            reserved,
            scheduling: Scheduling {
                state: SchedulingState::parse(&scheduling).ok_or_else(|| Error::internal(scheduling))?,
                reason: scheduling_reason,
                since: scheduling_since,
                deadline: drain_deadline,
            },
            connection: Connection { state: connection_load(&connection)?, since: connection_since },
            seen: seen.into_seen()?,
            storages,
            problem: joined([fence_problem, machine_problem, problem]),
            lost_at,
            generation: loaded(generation, "generation")?,
            version,
            created_at,
            updated_at,
        })
    }
}

impl SeenRow {
    fn into_seen(self) -> Result<Seen> {
        let Self {
            last_seen_at,
            session_epoch,
            boot_id,
            machine_id,
            agent_version,
            pve_version,
            node_name,
            cluster_name,
            seen_cpu_threads,
            seen_memory_mib,
            seen_bridges,
            datacenter_firewall,
            inventory_at,
            refuses,
            proxmox_silent_since,
            seen_backup_storages,
        } = self;
        Ok(Seen {
            last_seen_at,
            session_epoch: loaded(session_epoch, "session_epoch")?,
            agent_version,
            boot_id,
            machine_id,
            pve_version,
            node_name,
            cluster_name,
            cpu_threads: loaded_option(seen_cpu_threads, "seen_cpu_threads")?,
            memory_mib: loaded_option(seen_memory_mib, "seen_memory_mib")?,
            bridges: seen_bridges.map(|Json(Names { names })| names).unwrap_or_default(),
            datacenter_firewall,
            inventory_at,
            refuses,
            proxmox_silent_since,
            backup_storages: seen_backup_storages.map(|Json(Names { names })| names),
        })
    }
}

#[derive(sqlx::FromRow)]
struct StorageRow {
    server_id: ServerId,
    name: String,
    offered: bool,
    disk_gib: Option<i64>,
    seen_total_gib: Option<i64>,
    seen_used_gib: Option<i64>,
    active: bool,
    shared: bool,
    kind: String,
    reserved_gib: i64,
}

impl StorageRow {
    fn into_storage(self) -> Result<(ServerId, ServerStorage)> {
        let Self {
            server_id,
            name,
            offered,
            disk_gib,
            seen_total_gib,
            seen_used_gib,
            active,
            shared,
            kind,
            reserved_gib,
        } = self;
        let storage = ServerStorage {
            name,
            offered,
            disk_gib: loaded_option(disk_gib, "disk_gib")?,
            seen_total_gib: loaded_option(seen_total_gib, "seen_total_gib")?,
            seen_used_gib: loaded_option(seen_used_gib, "seen_used_gib")?,
            active,
            shared,
            kind,
            reserved_gib: loaded(reserved_gib, "reserved_gib")?,
        };
        Ok((server_id, storage))
    }
}

pub(super) async fn server_get(mut conn: Conn<'_>, id: ServerId) -> Result<Server> {
    const SQL: &str = select!("AND id = $1");
    let row = fetch_optional!(conn.again(), ServerRow, SQL, id)?.ok_or_else(|| Error::not_found("server", id))?;
    with_storages(conn, row).await
}

pub(super) async fn server_by_name(mut conn: Conn<'_>, name: &str) -> Result<Server> {
    const SQL: &str = select!("AND name = $1");
    let row = fetch_optional!(conn.again(), ServerRow, SQL, name)?.ok_or_else(|| Error::not_found("server", name))?;
    with_storages(conn, row).await
}

async fn with_storages(conn: Conn<'_>, row: ServerRow) -> Result<Server> {
    const SQL: &str =
        "SELECT server_id, name, offered, disk_gib, seen_total_gib, seen_used_gib, active, shared, kind, reserved_gib
                       FROM server_storages WHERE server_id = $1 ORDER BY name";
    let rows = fetch_all!(conn, StorageRow, SQL, row.id)?;
    let storages = rows.into_iter().map(|r| r.into_storage().map(|(_, s)| s)).collect::<Result<_>>()?;
    row.into_server(storages)
}

/// Every server there is, in the order of their registration.
pub(super) async fn servers_all(mut conn: Conn<'_>) -> Result<Vec<Server>> {
    const SQL: &str = select!("ORDER BY id");
    let rows = fetch_all!(conn.again(), ServerRow, SQL)?;
    with_all_storages(conn, rows).await
}

async fn with_all_storages(conn: Conn<'_>, rows: Vec<ServerRow>) -> Result<Vec<Server>> {
    const SQL: &str =
        "SELECT server_id, name, offered, disk_gib, seen_total_gib, seen_used_gib, active, shared, kind, reserved_gib
                       FROM server_storages WHERE server_id BETWEEN $1 AND $2 ORDER BY name";
    let Some(first) = rows.iter().map(|r| r.id).min() else { return Ok(Vec::new()) };
    let last = rows.iter().map(|r| r.id).max().unwrap_or(first);
    let mut by_server: HashMap<ServerId, Vec<ServerStorage>> = HashMap::new();
    for row in fetch_all!(conn, StorageRow, SQL, first, last)? {
        let (server, storage) = row.into_storage()?;
        by_server.entry(server).or_default().push(storage);
    }
    rows.into_iter()
        .map(|row| {
            let storages = by_server.remove(&row.id).unwrap_or_default();
            row.into_server(storages)
        })
        .collect()
}

/// The part of a list's text that all its orders share.
macro_rules! list {
    ($rest:literal) => {
        concat!(
            select!(
                "AND ($1 IS NULL OR connection = $1) AND ($2 IS NULL OR scheduling = $2) AND ($3 IS NULL OR region = $3)
                 AND ($4 IS NULL OR labels ->> $4 = $5)
                 AND ($8 IS NULL OR substr(name, 1, length($8)) = $8) "
            ),
            $rest
        )
    };
}

pub(super) async fn server_list(
    mut conn: Conn<'_>,
    filter: &ServerFilter,
    sort: AgeOrName,
    window: Window<(String, ServerId)>,
) -> Result<Vec<Server>> {
    const BY_NAME: &str = list!("AND ($6 IS NULL OR name > $6) ORDER BY name LIMIT $7");
    const BY_NAME_DOWN: &str = list!("AND ($6 IS NULL OR name < $6) ORDER BY name DESC LIMIT $7");
    // Ids are in the order of their creation.
    const BY_AGE: &str = list!("AND ($6 IS NULL OR id > $6) ORDER BY id LIMIT $7");
    const BY_AGE_DOWN: &str = list!("AND ($6 IS NULL OR id < $6) ORDER BY id DESC LIMIT $7");
    let ServerFilter { connection, scheduling, region, label, name_prefix } = filter;
    let (connection, scheduling) = (connection.map(ConnectionState::as_str), scheduling.map(SchedulingState::as_str));
    let (key, value) = label.as_ref().map(|(k, v)| (k.as_str(), v.as_str())).unzip();
    let (region, begin) = (region.as_deref(), name_prefix.as_deref());
    let Window { limit, after } = window;
    let (name, id) = after.unzip();
    let name = name.as_deref();
    let rows = match sort {
        AgeOrName::Name => {
            fetch_all!(conn.again(), ServerRow, BY_NAME, connection, scheduling, region, key, value, name, limit, begin)
        }
        AgeOrName::NameBackwards => {
            fetch_all!(
                conn.again(),
                ServerRow,
                BY_NAME_DOWN,
                connection,
                scheduling,
                region,
                key,
                value,
                name,
                limit,
                begin
            )
        }
        AgeOrName::Oldest => {
            fetch_all!(conn.again(), ServerRow, BY_AGE, connection, scheduling, region, key, value, id, limit, begin)
        }
        AgeOrName::Newest => {
            fetch_all!(
                conn.again(),
                ServerRow,
                BY_AGE_DOWN,
                connection,
                scheduling,
                region,
                key,
                value,
                id,
                limit,
                begin
            )
        }
    }?;
    with_all_storages(conn, rows).await
}

pub(super) async fn server_insert(tx: &mut Tx, id: ServerId, settings: &Settings, now: Ms) -> Result<()> {
    const SQL: &str =
        "INSERT INTO servers (id, name, region, labels, bridge, vmid_space, vmid_min, vmid_max, cpu_threads, cpu_overcommit,
                              memory_mib, pod_limit, backup_storage, scheduling, scheduling_since, connection,
                              connection_since, version, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $14, 'online', $13, 'pending', $13, 1, $13, $13)";
    let Settings {
        name,
        region,
        labels,
        bridge,
        vmid_min,
        vmid_max,
        cpu_threads,
        cpu_overcommit,
        memory_mib,
        pod_limit,
        backup_storage,
        storages,
    } = settings;
    execute!(
        tx.conn(),
        SQL,
        id,
        name,
        region,
        Json(labels),
        bridge,
        id.to_string(),
        i64::from(*vmid_min),
        i64::from(*vmid_max),
        cpu_threads.map(i64::from),
        *cpu_overcommit,
        memory_mib.map(stored),
        pod_limit.map(i64::from),
        now,
        backup_storage.as_deref()
    )
    .map_err(|e| name_taken(e, name))?;
    storages_offer(tx, id, storages.as_deref().unwrap_or_default()).await
}

pub(super) async fn server_update(tx: &mut Tx, id: ServerId, version: i64, settings: &Settings, now: Ms) -> Result<()> {
    const SQL: &str =
        "UPDATE servers SET name = $3, region = $4, labels = $5, bridge = $6, vmid_min = $7, vmid_max = $8, cpu_threads = $9,
                            cpu_overcommit = $10, memory_mib = $11, pod_limit = $12, updated_at = $13, backup_storage = $14,
                            version = version + 1
         WHERE id = $1 AND version = $2 AND deleted_at IS NULL";
    let Settings {
        name,
        region,
        labels,
        bridge,
        vmid_min,
        vmid_max,
        cpu_threads,
        cpu_overcommit,
        memory_mib,
        pod_limit,
        backup_storage,
        storages,
    } = settings;
    let touched = execute!(
        tx.conn(),
        SQL,
        id,
        version,
        name,
        region,
        Json(labels),
        bridge,
        i64::from(*vmid_min),
        i64::from(*vmid_max),
        cpu_threads.map(i64::from),
        *cpu_overcommit,
        memory_mib.map(stored),
        pod_limit.map(i64::from),
        now,
        backup_storage.as_deref()
    )
    .map_err(|e| name_taken(e, name))?;
    if touched != 1 {
        return Err(Error::Stale);
    }
    if let Some(storages) = storages {
        storages_offer(tx, id, storages).await?;
    }
    Ok(())
}

/// The storage that each server's backups go to, where it has one.
pub(super) async fn backup_storages(conn: Conn<'_>) -> Result<HashMap<ServerId, String>> {
    const SQL: &str = "SELECT id, backup_storage FROM servers WHERE deleted_at IS NULL AND backup_storage IS NOT NULL";
    Ok(fetch_all!(conn, (ServerId, String), SQL)?.into_iter().collect())
}

fn name_taken(error: sqlx::Error, name: &str) -> Error {
    if is_unique_violation(&error) {
        Error::conflict("server_name_taken", format!("there is a server named {name} already; choose another name"))
    } else {
        error.into()
    }
}

/// Makes exactly these storages the offered ones.
async fn storages_offer(tx: &mut Tx, id: ServerId, offers: &[StorageOffer]) -> Result<()> {
    const NONE: &str = "UPDATE server_storages SET offered = FALSE, disk_gib = NULL WHERE server_id = $1";
    const ONE: &str = "INSERT INTO server_storages (server_id, name, offered, disk_gib) VALUES ($1, $2, TRUE, $3)
                       ON CONFLICT (server_id, name) DO UPDATE SET offered = TRUE, disk_gib = excluded.disk_gib";
    execute!(tx.conn(), NONE, id)?;
    for StorageOffer { name, disk_gib } in offers {
        execute!(tx.conn(), ONE, id, name, disk_gib.map(stored))?;
    }
    Ok(())
}

pub(super) async fn scheduling_set(
    tx: &mut Tx,
    id: ServerId,
    version: i64,
    change: &StatusChange,
    since: Ms,
    now: Ms,
) -> Result<()> {
    const SQL: &str =
        "UPDATE servers SET scheduling = $3, scheduling_reason = $4, scheduling_since = $5, drain_deadline = $6,
                                          updated_at = $7, version = version + 1
                       WHERE id = $1 AND version = $2 AND deleted_at IS NULL";
    let StatusChange { status, reason, deadline } = change;
    match execute!(tx.conn(), SQL, id, version, status.as_str(), reason, since, *deadline, now)? {
        1 => Ok(()),
        _ => Err(Error::Stale),
    }
}

#[derive(sqlx::FromRow)]
struct Vmid {
    vmid: i64,
}

/// Some of the VMIDs that pods on the server have outside `min..=max`, but inside what the range was: a pod that was moved
/// here brought its number along.
pub(super) async fn vmids_outside(
    conn: Conn<'_>,
    id: ServerId,
    was: RangeInclusive<u32>,
    min: u32,
    max: u32,
) -> Result<Vec<i64>> {
    const SQL: &str = "SELECT vmid FROM vmids WHERE server_id = $1 AND pod_id IS NOT NULL AND (vmid < $2 OR vmid > $3)
                          AND vmid BETWEEN $4 AND $5
                       ORDER BY vmid LIMIT 5";
    let (was_min, was_max) = (i64::from(*was.start()), i64::from(*was.end()));
    let rows = fetch_all!(conn, Vmid, SQL, id, i64::from(min), i64::from(max), was_min, was_max)?;
    Ok(rows.into_iter().map(|Vmid { vmid }| vmid).collect())
}

/// What keeps a server from being deleted.
pub(super) struct Held {
    pub(super) pods: Vec<CloudPodId>,
    pub(super) pod_count: i64,
    pub(super) stamped_vms: i64,
    pub(super) fences: i64,
}

#[derive(sqlx::FromRow)]
struct PodId {
    pod_id: CloudPodId,
}

#[derive(sqlx::FromRow)]
struct Count {
    count: i64,
}

pub(super) async fn server_held(mut conn: Conn<'_>, id: ServerId) -> Result<Held> {
    const PODS: &str = "SELECT pod_id FROM holdings WHERE server_id = $1
                        UNION SELECT pod_id FROM vmids WHERE server_id = $1 AND pod_id IS NOT NULL LIMIT 5";
    const COUNT: &str = "SELECT COUNT(*) AS count FROM (SELECT pod_id FROM holdings WHERE server_id = $1
                         UNION SELECT pod_id FROM vmids WHERE server_id = $1 AND pod_id IS NOT NULL) AS held";
    const VMS: &str = "SELECT COUNT(*) AS count FROM server_vms WHERE server_id = $1 AND pod_id IS NOT NULL";
    const FENCES: &str = "SELECT COUNT(*) AS count FROM fences WHERE server_id = $1";
    let pods = fetch_all!(conn.again(), PodId, PODS, id)?.into_iter().map(|PodId { pod_id }| pod_id).collect();
    let Count { count: pod_count } = fetch_one!(conn.again(), Count, COUNT, id)?;
    let Count { count: stamped_vms } = fetch_one!(conn.again(), Count, VMS, id)?;
    let Count { count: fences } = fetch_one!(conn, Count, FENCES, id)?;
    Ok(Held { pods, pod_count, stamped_vms, fences })
}

/// Marks a server as deleted and takes away what only a present one has. Refused by the row itself if anything was reserved
/// on it in the meantime, and if one that was declared lost came back.
pub(super) async fn server_delete(tx: &mut Tx, id: ServerId, version: i64, now: Ms) -> Result<()> {
    const SQL: &str = "UPDATE servers SET deleted_at = $3, updated_at = $3, version = version + 1,
                              session_epoch = session_epoch + 1, session_owner = NULL,
                              connection_since = CASE WHEN connection = 'online' THEN $3 ELSE connection_since END,
                              connection = CASE WHEN connection = 'online' THEN 'offline' ELSE connection END
                       WHERE id = $1 AND version = $2 AND deleted_at IS NULL AND reserved_pods = 0
                         AND (lost_at IS NULL OR connection <> 'online')";
    const STORAGES: &str = "DELETE FROM server_storages WHERE server_id = $1";
    const VMS: &str = "DELETE FROM server_vms WHERE server_id = $1";
    const VMIDS: &str = "DELETE FROM vmids WHERE server_id = $1 AND pod_id IS NULL";
    const HEALTH: &str = "DELETE FROM server_health WHERE server_id = $1";
    const FENCES: &str = "DELETE FROM fences WHERE server_id = $1";
    if execute!(tx.conn(), SQL, id, version, now)? != 1 {
        return Err(Error::Stale);
    }
    for sql in [STORAGES, VMS, VMIDS, HEALTH, FENCES] {
        execute!(tx.conn(), sql, id)?;
    }
    Ok(())
}

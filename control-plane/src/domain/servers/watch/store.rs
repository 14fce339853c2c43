//! Sessions, host facts, health samples and inventories.

use sqlx::types::Json;

use super::{HealthSample, HostFacts, INVENTORY_MAX};
use crate::clock::Ms;
use crate::db::{Conn, Tx};
use crate::domain::check::{clipped, loaded, stored};
use crate::domain::servers::Connection;
use crate::domain::servers::capacity::{foreign_prune, foreign_shown};
use crate::domain::servers::facts::{Hello, Inventory, InventoryVm};
use crate::domain::servers::stamped::Cards;
use crate::domain::servers::store::Names;
use crate::error::Result;
use crate::ids::{InstanceId, ServerId};
use crate::{execute, fetch_all, fetch_optional, sql_by_db};

/// What a new session writes.
pub(super) struct Session<'a> {
    pub(super) server: ServerId,
    pub(super) owner: InstanceId,
    pub(super) connection: Connection,
    pub(super) now: Ms,
    pub(super) machine: &'a str,
    pub(super) hello: &'a Hello,
}

#[derive(sqlx::FromRow)]
struct Epoch {
    session_epoch: i64,
}

/// `None`: another machine is known to be this server's, or the server was deleted.
pub(super) async fn session_open(tx: &mut Tx, session: &Session<'_>) -> Result<Option<u64>> {
    const SQL: &str = "UPDATE servers SET session_epoch = session_epoch + 1, session_owner = $2, connection = $3,
                              connection_since = $4, last_seen_at = $5, machine_id = NULLIF($6, ''), boot_id = $7,
                              agent_version = $8
                       WHERE id = $1 AND deleted_at IS NULL AND (machine_id IS NULL OR machine_id = $6)
                       RETURNING session_epoch";
    let Session { server, owner, connection, now, machine, hello } = session;
    let Hello { agent_version, boot_id, machine_id: _ } = hello;
    let (boot_id, agent_version) = (clipped(boot_id, 128), clipped(agent_version, 64));
    let row = fetch_optional!(
        tx.conn(),
        Epoch,
        SQL,
        *server,
        *owner,
        connection.state.as_str(),
        connection.since,
        *now,
        *machine,
        boot_id.as_str(),
        agent_version.as_str()
    )?;
    row.map(|Epoch { session_epoch }| loaded(session_epoch, "session_epoch")).transpose()
}

/// `false`: it is known already.
pub(super) async fn machine_problem_set(tx: &mut Tx, server: ServerId, text: &str) -> Result<bool> {
    const SQL: &str = "UPDATE servers SET machine_problem = $2 WHERE id = $1 AND machine_problem <> $2";
    Ok(execute!(tx.conn(), SQL, server, text)? == 1)
}

/// `false`: a newer session has begun, or it was offline already.
pub(super) async fn session_close(tx: &mut Tx, server: ServerId, epoch: u64, now: Ms) -> Result<bool> {
    const SQL: &str = "UPDATE servers SET connection = 'offline', connection_since = $3, session_owner = NULL
                       WHERE id = $1 AND session_epoch = $2 AND connection = 'online'";
    Ok(execute!(tx.conn(), SQL, server, stored(epoch), now)? == 1)
}

pub(super) async fn epoch_is_newest(conn: Conn<'_>, server: ServerId, epoch: u64) -> Result<bool> {
    const SQL: &str = "SELECT session_epoch FROM servers WHERE id = $1 AND session_epoch = $2 AND deleted_at IS NULL";
    Ok(fetch_optional!(conn, Epoch, SQL, server, stored(epoch))?.is_some())
}

pub(super) async fn session_epoch(conn: Conn<'_>, server: ServerId) -> Result<Option<u64>> {
    const SQL: &str = "SELECT session_epoch FROM servers WHERE id = $1 AND deleted_at IS NULL";
    let row = fetch_optional!(conn, Epoch, SQL, server)?;
    row.map(|Epoch { session_epoch }| loaded(session_epoch, "session_epoch")).transpose()
}

pub(super) async fn last_seen_set(tx: &mut Tx, server: ServerId, epoch: u64, at: Ms) -> Result<bool> {
    const SQL: &str = "UPDATE servers SET last_seen_at = $3
                       WHERE id = $1 AND session_epoch = $2 AND connection = 'online'";
    Ok(execute!(tx.conn(), SQL, server, stored(epoch), at)? == 1)
}

pub(super) async fn session_revive(tx: &mut Tx, server: ServerId, epoch: u64, at: Ms, now: Ms) -> Result<bool> {
    const SQL: &str = "UPDATE servers SET connection = 'online', connection_since = $4, last_seen_at = $3
                       WHERE id = $1 AND session_epoch = $2 AND connection = 'offline' AND deleted_at IS NULL";
    Ok(execute!(tx.conn(), SQL, server, stored(epoch), at, now)? == 1)
}

#[derive(sqlx::FromRow)]
struct Id {
    id: ServerId,
}

/// What somebody writes to is passed by: it is being heard, or its session begins or ends.
pub(super) async fn silent_close(tx: &mut Tx, before: Ms, now: Ms, limit: usize) -> Result<Vec<ServerId>> {
    macro_rules! close {
        ($held:literal) => {
            concat!(
                "UPDATE servers SET connection = 'offline', connection_since = $2
                 WHERE connection = 'online' AND last_seen_at < $1 AND id IN
                       (SELECT id FROM servers WHERE connection = 'online' AND last_seen_at < $1
                        ORDER BY last_seen_at LIMIT $3",
                $held,
                ") RETURNING id"
            )
        };
    }
    let conn = tx.conn();
    let sql = sql_by_db!(conn, sqlite: close!(""), postgres: close!(" FOR NO KEY UPDATE SKIP LOCKED"));
    let rows = fetch_all!(conn, Id, sql, before, now, limit as i64)?;
    Ok(rows.into_iter().map(|Id { id }| id).collect())
}

/// Writes what the host told. Where Proxmox did not answer the agent, only the problem is news, and since when that is so: the
/// last figures stay.
pub(super) async fn facts_write(tx: &mut Tx, server: ServerId, facts: &HostFacts, now: Ms) -> Result<()> {
    const PROBLEM: &str = "UPDATE servers SET problem = $2, last_seen_at = $3, refuses = $4,
                                  proxmox_silent_since = CASE WHEN $5 THEN NULL ELSE COALESCE(proxmox_silent_since, $3) END
                           WHERE id = $1";
    const HOST: &str =
        "UPDATE servers SET seen_cpu_threads = $2, seen_memory_mib = $3, pve_version = $4, node_name = $5,
                               cluster_name = $6, seen_backup_storages = $7
                        WHERE id = $1";
    // What could not be read is as it was.
    const FIREWALL: &str = "UPDATE servers SET datacenter_firewall = $2, datacenter_firewall_since = $3
                            WHERE id = $1 AND (datacenter_firewall IS NULL OR datacenter_firewall <> $2)";
    const GONE: &str = "UPDATE server_storages SET active = FALSE WHERE server_id = $1";
    const STORAGE: &str =
        "INSERT INTO server_storages (server_id, name, offered, seen_total_gib, seen_used_gib, active, shared, kind)
         VALUES ($1, $2, FALSE, $3, $4, $5, $6, $7)
         ON CONFLICT (server_id, name) DO UPDATE SET seen_total_gib = excluded.seen_total_gib,
             seen_used_gib = excluded.seen_used_gib, active = excluded.active, shared = excluded.shared, kind = excluded.kind";
    let HostFacts {
        cpu_threads,
        memory_mib,
        pve_version,
        node_name,
        cluster_name,
        problem,
        refuses,
        datacenter_firewall,
        complete,
        storages,
        backup_storages,
    } = facts;
    execute!(tx.conn(), PROBLEM, server, problem.as_str(), now, refuses.as_str(), *complete)?;
    if !complete {
        return Ok(());
    }
    execute!(tx.conn(), GONE, server)?;
    let (threads, memory) = (i64::from(*cpu_threads), stored(*memory_mib));
    let (version, node, cluster) = (pve_version.as_str(), node_name.as_str(), cluster_name.as_str());
    let backups = backup_storages.clone().map(|names| Json(Names { names }));
    execute!(tx.conn(), HOST, server, threads, memory, version, node, cluster, backups)?;
    if let Some(on) = datacenter_firewall {
        execute!(tx.conn(), FIREWALL, server, *on, now)?;
    }
    for (name, s) in storages {
        let (total, used) = (stored(s.total_gib), stored(s.used_gib));
        execute!(tx.conn(), STORAGE, server, name, total, used, s.active, s.shared, s.kind.as_str())?;
    }
    space_set(tx, server, cluster).await
}

/// Puts the server into the space of VMIDs that it belongs to. Proxmox lets only a host without VMs join a cluster, but what
/// pods hold moves with it in any case.
async fn space_set(tx: &mut Tx, server: ServerId, cluster: &str) -> Result<()> {
    const SPACE: &str = "UPDATE servers SET vmid_space = $2 WHERE id = $1 AND vmid_space <> $2";
    const MOVE: &str = "UPDATE vmids SET space = $2 WHERE server_id = $1 AND space <> $2
                        AND vmid NOT IN (SELECT vmid FROM vmids WHERE space = $2)";
    let space = if cluster.is_empty() { server.to_string() } else { cluster.to_owned() };
    if execute!(tx.conn(), SPACE, server, space.as_str())? == 1 {
        execute!(tx.conn(), MOVE, server, space.as_str())?;
    }
    Ok(())
}

pub(super) async fn sample_insert(tx: &mut Tx, server: ServerId, sample: &HealthSample) -> Result<()> {
    const SQL: &str =
        "INSERT INTO server_health (server_id, at, cpu_load, memory_used_mib, memory_total_mib, storage_used_gib,
                                    storage_total_gib)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
    let HealthSample { at, cpu_load, memory_used_mib, memory_total_mib, storage_used_gib, storage_total_gib } = sample;
    execute!(
        tx.conn(),
        SQL,
        server,
        *at,
        *cpu_load,
        stored(*memory_used_mib),
        stored(*memory_total_mib),
        stored(*storage_used_gib),
        stored(*storage_total_gib)
    )?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct SampleRow {
    at: Ms,
    cpu_load: f64,
    memory_used_mib: i64,
    memory_total_mib: i64,
    storage_used_gib: i64,
    storage_total_gib: i64,
}

pub(super) async fn samples(
    conn: Conn<'_>,
    server: ServerId,
    since: Ms,
    until: Ms,
    limit: u32,
) -> Result<Vec<HealthSample>> {
    const SQL: &str = "SELECT at, cpu_load, memory_used_mib, memory_total_mib, storage_used_gib, storage_total_gib
                       FROM server_health WHERE server_id = $1 AND at >= $2 AND at < $3 ORDER BY at DESC LIMIT $4";
    let rows = fetch_all!(conn, SampleRow, SQL, server, since, until, i64::from(limit))?;
    rows.into_iter()
        .rev()
        .map(|row| {
            let SampleRow { at, cpu_load, memory_used_mib, memory_total_mib, storage_used_gib, storage_total_gib } =
                row;
            Ok(HealthSample {
                at,
                cpu_load,
                memory_used_mib: loaded(memory_used_mib, "memory_used_mib")?,
                memory_total_mib: loaded(memory_total_mib, "memory_total_mib")?,
                storage_used_gib: loaded(storage_used_gib, "storage_used_gib")?,
                storage_total_gib: loaded(storage_total_gib, "storage_total_gib")?,
            })
        })
        .collect()
}

pub(super) async fn samples_prune(tx: &mut Tx, before: Ms, limit: u32) -> Result<u64> {
    const SQL: &str = "DELETE FROM server_health WHERE (server_id, at) IN
                           (SELECT server_id, at FROM server_health WHERE at < $1 LIMIT $2)";
    Ok(execute!(tx.conn(), SQL, before, i64::from(limit))?)
}

/// `false`: it is not of the server's newest session. The server's row stays held, so none begins before this is stored.
pub(super) async fn inventory_write(
    tx: &mut Tx,
    server: ServerId,
    epoch: u64,
    inventory: &Inventory,
    now: Ms,
) -> Result<bool> {
    const SEEN: &str = "UPDATE servers SET inventory_at = $3, seen_bridges = $4
                        WHERE id = $1 AND session_epoch = $2 AND deleted_at IS NULL";
    // Only a full inventory makes the host's VMIDs known.
    const CHANGES: &str = "UPDATE servers SET inventory_at = CASE WHEN inventory_at IS NULL THEN NULL ELSE $3 END,
                                  seen_bridges = COALESCE($4, seen_bridges)
                           WHERE id = $1 AND session_epoch = $2 AND deleted_at IS NULL";
    const CLEAR: &str = "DELETE FROM server_vms WHERE server_id = $1";
    const GONE: &str = "DELETE FROM server_vms WHERE server_id = $1 AND vmid = $2";
    let Inventory { full, vms, gone, observed: _, bridges } = inventory;
    let names: Vec<_> = bridges.iter().take(INVENTORY_MAX).map(|b| clipped(b, 64)).collect();
    let (sql, seen) = if *full { (SEEN, true) } else { (CHANGES, !names.is_empty()) };
    if execute!(tx.conn(), sql, server, stored(epoch), now, seen.then_some(Json(Names { names })))? == 0 {
        return Ok(false);
    }
    let foreign = if *full || !gone.is_empty() { foreign_shown(tx.conn(), server).await? } else { Vec::new() };
    if *full {
        execute!(tx.conn(), CLEAR, server)?;
    }
    for vmid in gone {
        execute!(tx.conn(), GONE, server, i64::from(*vmid))?;
    }
    for vm in vms {
        vm_write(tx, server, vm, now).await?;
    }
    if *full {
        crate::domain::servers::lost::fences_prune(tx, server).await?;
    }
    foreign_prune(tx, server, &foreign).await?;
    Ok(true)
}

async fn vm_write(tx: &mut Tx, server: ServerId, vm: &InventoryVm, now: Ms) -> Result<()> {
    const SQL: &str =
        "INSERT INTO server_vms (server_id, vmid, name, power, template, pod_id, command_id, lock, vcpu, memory_mib, disk_mib,
                                 observed_at, start_on_boot, cards, firewall)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
         ON CONFLICT (server_id, vmid) DO UPDATE SET name = excluded.name, power = excluded.power,
             template = excluded.template, pod_id = excluded.pod_id, command_id = excluded.command_id, lock = excluded.lock,
             vcpu = excluded.vcpu, memory_mib = excluded.memory_mib, disk_mib = excluded.disk_mib,
             observed_at = excluded.observed_at, start_on_boot = excluded.start_on_boot, cards = excluded.cards,
             firewall = excluded.firewall";
    let InventoryVm {
        vmid,
        name,
        power,
        template,
        pod,
        command,
        lock,
        vcpu,
        memory_mib,
        disk_mib,
        uptime_s: _,
        start_on_boot,
        cards,
        firewall,
    } = vm;
    let cards = cards.as_ref().map(|cards| Json(Cards { cards: cards.clone() }));
    execute!(
        tx.conn(),
        SQL,
        server,
        i64::from(*vmid),
        clipped(name, 255),
        power.as_str(),
        *template,
        *pod,
        *command,
        clipped(lock, 64),
        i64::from(*vcpu),
        stored(*memory_mib),
        stored(*disk_mib),
        now,
        *start_on_boot,
        cards,
        firewall.map(Json)
    )?;
    Ok(())
}

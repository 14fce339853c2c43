//! The books of all servers, added up.

use super::{Counts, Full, Room, Share};
use crate::clock::Ms;
use crate::db::{Conn, Window};
use crate::domain::check::loaded;
use crate::domain::servers::VCPU_ROUNDING;
use crate::domain::servers::{ConnectionState, SchedulingState};
use crate::error::{Error, Result};
use crate::ids::ServerId;
use crate::{fetch_all, fetch_one};

/// What a storage may hold in all, as [`ServerStorage::capacity_gib`](crate::domain::servers::ServerStorage::capacity_gib) says it.
macro_rules! storage_total {
    () => {
        "CASE WHEN disk_gib IS NOT NULL THEN disk_gib
              WHEN used_gib > reserved_gib THEN size_gib - used_gib + reserved_gib ELSE size_gib END"
    };
}

/// The columns of a storage that count, its use never above its size; how rows are put together is the statement's.
macro_rules! storage_columns {
    ($sum:literal, $max:literal) => {
        concat!(
            $sum,
            "(t.reserved_gib) AS reserved_gib, ",
            $max,
            "(t.disk_gib) AS disk_gib, ",
            $max,
            "(COALESCE(t.seen_total_gib, 0)) AS size_gib, ",
            $max,
            "(CASE WHEN t.seen_used_gib > t.seen_total_gib THEN t.seen_total_gib ELSE COALESCE(t.seen_used_gib, 0) END) AS used_gib"
        )
    };
}

/// What each server may give, as [`Server::vcpu_capacity`](crate::domain::servers::Server::vcpu_capacity) and the like say it; $1:
/// what keeps a float from being rounded down. (CAST rounds on PostgreSQL and cuts on SQLite, which has no FLOOR.)
macro_rules! rooms {
    ($columns:literal) => {
        concat!(
            "SELECT ", $columns, " reserved_vcpu, CAST(exact AS BIGINT) - CASE WHEN CAST(exact AS BIGINT) > exact THEN 1 ELSE 0 END AS vcpu,
                    reserved_memory_mib, memory_mib
               FROM (SELECT id, name, reserved_vcpu, COALESCE(cpu_threads, seen_cpu_threads, 0) * cpu_overcommit + $1 AS exact,
                            reserved_memory_mib, COALESCE(memory_mib, seen_memory_mib, 0) AS memory_mib
                       FROM servers WHERE deleted_at IS NULL) AS figures"
        )
    };
}

#[derive(sqlx::FromRow)]
struct RoomRow {
    reserved_vcpu: i64,
    vcpu: i64,
    reserved_memory_mib: i64,
    memory_mib: i64,
}

#[derive(sqlx::FromRow)]
struct DiskRow {
    reserved_gib: i64,
    total_gib: i64,
}

#[derive(sqlx::FromRow)]
struct FullRow {
    id: ServerId,
    name: String,
    #[sqlx(flatten)]
    room: RoomRow,
    #[sqlx(flatten)]
    disk: DiskRow,
}

fn share(reserved: i64, total: i64) -> Result<Share> {
    Ok(Share { reserved: loaded(reserved, "reserved")?, total: loaded(total, "total")? })
}

fn room(room: &RoomRow, disk: &DiskRow) -> Result<Room> {
    let &RoomRow { reserved_vcpu, vcpu, reserved_memory_mib, memory_mib } = room;
    let &DiskRow { reserved_gib, total_gib } = disk;
    Ok(Room {
        vcpu: share(reserved_vcpu, vcpu)?,
        memory_mib: share(reserved_memory_mib, memory_mib)?,
        disk_gib: share(reserved_gib, total_gib)?,
    })
}

/// How many servers there are; those that are suspect are among the online ones.
pub(super) async fn counts(conn: Conn<'_>) -> Result<Counts> {
    const SQL: &str =
        "SELECT connection, scheduling, COUNT(*) FROM servers WHERE deleted_at IS NULL GROUP BY connection, scheduling";
    let mut counts = Counts::default();
    for (connection, scheduling, count) in fetch_all!(conn, (String, String, i64), SQL)? {
        let count: u64 = loaded(count, "count of servers")?;
        counts.total += count;
        let by = &mut counts.by_connection;
        *match ConnectionState::parse(&connection).ok_or_else(|| Error::internal(connection))? {
            ConnectionState::Pending => &mut by.pending,
            ConnectionState::Online => &mut by.online,
            ConnectionState::Offline => &mut by.offline,
        } += count;
        let by = &mut counts.by_scheduling;
        *match SchedulingState::parse(&scheduling).ok_or_else(|| Error::internal(scheduling))? {
            SchedulingState::Online => &mut by.online,
            SchedulingState::Locked => &mut by.locked,
            SchedulingState::Draining => &mut by.draining,
        } += count;
    }
    Ok(counts)
}

/// The servers that count as online and were, as far as the books say, last heard before this time.
pub(super) async fn silent_since(conn: Conn<'_>, before: Ms) -> Result<Vec<ServerId>> {
    const SQL: &str = "SELECT id FROM servers WHERE connection = 'online' AND last_seen_at < $1 AND deleted_at IS NULL";
    Ok(fetch_all!(conn, (ServerId,), SQL, before)?.into_iter().map(|(id,)| id).collect())
}

/// Of all servers together.
pub(super) async fn capacity(mut conn: Conn<'_>) -> Result<Room> {
    const ROOM: &str = concat!(
        "SELECT CAST(COALESCE(SUM(reserved_vcpu), 0) AS BIGINT) AS reserved_vcpu, CAST(COALESCE(SUM(vcpu), 0) AS BIGINT) AS vcpu,
                CAST(COALESCE(SUM(reserved_memory_mib), 0) AS BIGINT) AS reserved_memory_mib,
                CAST(COALESCE(SUM(memory_mib), 0) AS BIGINT) AS memory_mib FROM (",
        rooms!(""),
        ") AS rooms"
    );
    // A shared storage is one to all servers of its cluster that bear it.
    const DISK: &str = concat!(
        "SELECT CAST(COALESCE(SUM(reserved_gib), 0) AS BIGINT) AS reserved_gib, CAST(COALESCE(SUM(",
        storage_total!(),
        "), 0) AS BIGINT) AS total_gib FROM (SELECT ",
        storage_columns!("SUM", "MAX"),
        " FROM server_storages t JOIN servers s ON s.id = t.server_id WHERE t.offered AND s.deleted_at IS NULL
          GROUP BY s.vmid_space, t.name, CASE WHEN t.shared THEN NULL ELSE t.server_id END) AS storages"
    );
    let figures = fetch_one!(conn.again(), RoomRow, ROOM, VCPU_ROUNDING)?;
    room(&figures, &fetch_one!(conn, DiskRow, DISK)?)
}

/// The servers of which the highest share is reserved, that one first.
pub(super) async fn fullest(conn: Conn<'_>, limit: u32) -> Result<Vec<Full>> {
    const SQL: &str = concat!(
        "SELECT id, name, reserved_vcpu, vcpu, reserved_memory_mib, memory_mib, reserved_gib, total_gib FROM (
            SELECT r.*, COALESCE(d.reserved_gib, 0) AS reserved_gib, COALESCE(d.total_gib, 0) AS total_gib,
                   CASE WHEN r.vcpu > 0 THEN r.reserved_vcpu * 1.0 / r.vcpu ELSE 0.0 END AS a,
                   CASE WHEN r.memory_mib > 0 THEN r.reserved_memory_mib * 1.0 / r.memory_mib ELSE 0.0 END AS b,
                   CASE WHEN d.total_gib > 0 THEN d.reserved_gib * 1.0 / d.total_gib ELSE 0.0 END AS c
              FROM (",
        rooms!("id, name,"),
        ") AS r LEFT JOIN (SELECT server_id, CAST(SUM(reserved_gib) AS BIGINT) AS reserved_gib, CAST(SUM(",
        storage_total!(),
        ") AS BIGINT) AS total_gib FROM (SELECT t.server_id, ",
        storage_columns!("", ""),
        " FROM server_storages t WHERE t.offered) AS storages GROUP BY server_id) AS d ON d.server_id = r.id) AS shares
          ORDER BY CASE WHEN a >= b AND a >= c THEN a WHEN b >= c THEN b ELSE c END DESC, name LIMIT $2"
    );
    let full = |FullRow { id, name, room: figures, disk }| Ok(Full { id, name, room: room(&figures, &disk)? });
    fetch_all!(conn, FullRow, SQL, VCPU_ROUNDING, i64::from(limit))?.into_iter().map(full).collect()
}

pub(super) async fn regions(conn: Conn<'_>, window: Window<String>) -> Result<Vec<String>> {
    const SQL: &str = "SELECT DISTINCT region FROM servers
                        WHERE deleted_at IS NULL AND ($1 IS NULL OR region > $1) ORDER BY region LIMIT $2";
    let Window { limit, after } = window;
    Ok(fetch_all!(conn, (String,), SQL, after.as_deref(), limit)?.into_iter().map(|(region,)| region).collect())
}

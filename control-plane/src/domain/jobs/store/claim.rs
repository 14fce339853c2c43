//! The claim: which jobs are worked on next. What has begun goes on first; then each tenant in turn may start as much as it has
//! room for, so that a flood of one costs the others a place in a round and not a place behind the flood.

use super::{JobRow, all};
use crate::clock::Ms;
use crate::db::{Conn, Tx};
use crate::domain::jobs::{AgentCommand, Job};
use crate::error::Result;
use crate::ids::{InstanceId, ServerId, TenantId};
use crate::{execute, fetch_all, fetch_one, sql_by_db};

/// How many tenants one claim looks at; the next one goes on behind them.
const TENANTS_MAX: usize = 256;

/// Who claims, and how much.
#[derive(Clone)]
pub(in crate::domain::jobs) struct Claim {
    pub(in crate::domain::jobs) owner: InstanceId,
    pub(in crate::domain::jobs) now: Ms,
    pub(in crate::domain::jobs) lease_until: Ms,
    /// Control planes that were seen after this are alive.
    pub(in crate::domain::jobs) alive: Ms,
    pub(in crate::domain::jobs) batch: u32,
    pub(in crate::domain::jobs) per_server: u32,
    pub(in crate::domain::jobs) per_tenant: u32,
    pub(in crate::domain::jobs) per_storage: u32,
    /// The tenant that was served last.
    pub(in crate::domain::jobs) after: TenantId,
    /// Nothing that is queued was due before this, as far as was seen at the last look at the whole queue.
    pub(in crate::domain::jobs) from: Ms,
}

/// What a claim might find: asked first, so that an idle loop never takes the one writer.
#[derive(sqlx::FromRow)]
pub(in crate::domain::jobs) struct Due {
    /// When the first of what is queued is, or was, due; `None`: nothing is queued.
    pub(in crate::domain::jobs) queued: Option<Ms>,
    /// Whether something has begun that nobody works on.
    pub(in crate::domain::jobs) free: bool,
}

/// Looks at what was due at `from` or later.
pub(in crate::domain::jobs) async fn jobs_due(conn: Conn<'_>, from: Ms, now: Ms) -> Result<Due> {
    Ok(fetch_one!(conn, Due, DUE, now, from)?)
}

const DUE: &str = "
    SELECT (SELECT run_at FROM jobs WHERE state = 'queued' AND run_at >= $2 ORDER BY run_at, id LIMIT 1) AS queued,
           EXISTS (SELECT 1 FROM jobs WHERE state IN ('running', 'undoing') AND waits_for IS NULL AND lease_owner IS NULL
                   AND run_at <= $1) AS free";

/// Whether a lease has ended that nobody let go of.
pub(in crate::domain::jobs) async fn any_lapsed(conn: Conn<'_>, now: Ms) -> Result<bool> {
    let (lapsed,): (bool,) = fetch_one!(conn, (bool,), ANY_LAPSED, now)?;
    Ok(lapsed)
}

const ANY_LAPSED: &str = "SELECT EXISTS (SELECT 1 FROM jobs WHERE lease_until < $1)";

/// Ends the leases that were over before `now`: their control planes are dead or stand still. A row that somebody holds is left
/// for the next time: who holds it may be at its commit.
pub(in crate::domain::jobs) async fn leases_lapse(tx: &mut Tx, now: Ms) -> Result<u64> {
    let conn = tx.conn();
    let sql = sql_by_db!(conn, sqlite: LAPSE_SQLITE, postgres: LAPSE_POSTGRES);
    Ok(execute!(conn, sql, now)?)
}

const LAPSE_SQLITE: &str = "UPDATE jobs SET lease_owner = NULL, lease_until = NULL WHERE lease_until < $1";
const LAPSE_POSTGRES: &str = "UPDATE jobs SET lease_owner = NULL, lease_until = NULL
    WHERE id IN (SELECT id FROM jobs WHERE lease_until < $1 FOR UPDATE SKIP LOCKED)";

/// Takes due jobs and raises their epochs; and the tenant that was served last.
pub(in crate::domain::jobs) async fn jobs_claim(tx: &mut Tx, claim: &Claim) -> Result<(Vec<Job>, TenantId)> {
    claims_one_by_one(tx).await?;
    let mut jobs = begun_claim(tx, claim).await?;
    let left = claim.batch.saturating_sub(u32::try_from(jobs.len()).unwrap_or(u32::MAX));
    let mut after = claim.after;
    if left > 0 {
        // The platform's own jobs are one more queue, and have no limit of their own.
        let mut queues = vec![(None, u32::MAX)];
        for (tenant, begun) in tenants_queued(tx, claim).await? {
            queues.push((Some(tenant), claim.per_tenant.saturating_sub(begun)));
        }
        let rooms: Vec<u32> = queues.iter().map(|(_, room)| *room).collect();
        for ((tenant, _), share) in queues.into_iter().zip(shares(&rooms, left)).filter(|(_, share)| *share > 0) {
            jobs.extend(queued_claim(tx, claim, tenant, share).await?);
            after = tenant.unwrap_or(after);
        }
    }
    jobs.sort_by_key(|job| (job.run_at, job.id));
    Ok((jobs, after))
}

/// How many places each queue gets: one each and round again, as long as there are any and it has room.
fn shares(rooms: &[u32], places: u32) -> Vec<u32> {
    let mut shares = vec![0; rooms.len()];
    let mut left = places;
    while left > 0 {
        let before = left;
        for (share, room) in shares.iter_mut().zip(rooms) {
            if left > 0 && *share < *room {
                *share += 1;
                left -= 1;
            }
        }
        if left == before {
            break;
        }
    }
    shares
}

/// Until the transaction ends no other control plane claims: two that count at once would both take the last place.
async fn claims_one_by_one(tx: &mut Tx) -> Result<()> {
    const SQL: &str = "SELECT pg_advisory_xact_lock(hashtextextended('mpanel claim', 0))";
    if let Conn::Postgres(connection) = tx.conn() {
        sqlx::query(SQL).execute(connection).await?;
    }
    Ok(())
}

// What has an order out, or needs no agent yet, goes on at once. Of the others no more than their server and their storage
// have places for: each tenant's first before any tenant's second, what is out there already counted. An order at a host that
// is away keeps no place from the other hosts of its storage: it may be so for days. What is for an agent whose session another
// living control plane holds is left to that one.
macro_rules! begun_sql {
    ($lock:literal) => {
        concat!(
            "UPDATE jobs SET epoch = epoch + 1, lease_owner = $1, lease_until = $2, updated_at = $3
             WHERE id IN (
                SELECT j.id FROM jobs j
                WHERE j.state IN ('running', 'undoing') AND j.waits_for IS NULL AND j.lease_owner IS NULL
                  AND j.id IN (
                    SELECT p.id FROM (
                        SELECT t.id, t.run_at, t.command_id, t.server_id,
                               ROW_NUMBER() OVER (PARTITION BY t.server_id, t.command_id IS NULL
                                                  ORDER BY t.turn, t.run_at, t.id) AS place
                        FROM (
                            SELECT b.id, b.run_at, b.command_id, b.server_id,
                                   ROW_NUMBER() OVER (PARTITION BY b.server_id, b.tenant_id, b.command_id IS NULL
                                                      ORDER BY b.run_at, b.id)
                                   + (SELECT COUNT(*) FROM jobs x
                                      WHERE x.command_server = b.server_id AND x.lease_until >= $3
                                        AND x.tenant_id = b.tenant_id) AS turn
                            FROM jobs b
                            WHERE b.state IN ('running', 'undoing') AND b.waits_for IS NULL AND b.lease_owner IS NULL
                              AND b.run_at <= $3
                              AND (b.room IS NULL OR b.command_id IS NOT NULL OR $6 > (
                                    SELECT COUNT(*) FROM jobs r
                                    WHERE r.room = b.room AND r.command_id IS NOT NULL AND r.waits_for IS NULL) + (
                                    SELECT COUNT(*) FROM jobs v
                                    WHERE v.room_there = b.room AND v.command_id IS NOT NULL AND v.waits_for IS NULL))
                              AND (b.room_there IS NULL OR b.command_id IS NOT NULL OR $6 > (
                                    SELECT COUNT(*) FROM jobs r
                                    WHERE r.room = b.room_there AND r.command_id IS NOT NULL AND r.waits_for IS NULL) + (
                                    SELECT COUNT(*) FROM jobs v
                                    WHERE v.room_there = b.room_there AND v.command_id IS NOT NULL
                                      AND v.waits_for IS NULL))
                              AND (b.server_id IS NULL OR NOT EXISTS (
                                    SELECT 1 FROM servers s JOIN instances i ON i.id = s.session_owner
                                    WHERE s.id = b.server_id AND s.connection = 'online' AND i.id <> $1
                                      AND i.seen_at > $7))) t) p
                    WHERE p.command_id IS NOT NULL OR p.server_id IS NULL
                       OR p.place + (SELECT COUNT(*) FROM jobs o
                                     WHERE o.command_server = p.server_id AND o.lease_until >= $3) <= $5
                    ORDER BY p.run_at, p.id LIMIT $4) ",
            $lock,
            ") RETURNING *"
        )
    };
}
const BEGUN_SQLITE: &str = begun_sql!("");
const BEGUN_POSTGRES: &str = begun_sql!("FOR UPDATE SKIP LOCKED");

/// What has begun and nobody works on: it was let go for want of room, its control plane died, or its try is due again.
async fn begun_claim(tx: &mut Tx, claim: &Claim) -> Result<Vec<Job>> {
    let conn = tx.conn();
    let sql = sql_by_db!(conn, sqlite: BEGUN_SQLITE, postgres: BEGUN_POSTGRES);
    let Claim { owner, now, lease_until, alive, batch, per_server, per_storage, .. } = claim;
    let (batch, per_server, per_storage) = (i64::from(*batch), i64::from(*per_server), i64::from(*per_storage));
    all(fetch_all!(conn, JobRow, sql, *owner, *lease_until, *now, batch, per_server, per_storage, *alive)?)
}

// From one tenant's first entry in the index straight to the next one's, however long their queues are.
const TENANTS: &str = "
    WITH RECURSIVE tenants (id, n) AS (
        SELECT (SELECT q.tenant_id FROM jobs q WHERE q.state = 'queued' AND q.tenant_id > $1 AND q.run_at >= $3
                ORDER BY q.tenant_id LIMIT 1), 1
        UNION ALL
        SELECT (SELECT q.tenant_id FROM jobs q WHERE q.state = 'queued' AND q.tenant_id > t.id AND q.run_at >= $3
                ORDER BY q.tenant_id LIMIT 1), t.n + 1
        FROM tenants t WHERE t.id IS NOT NULL AND t.n < $2)
    SELECT t.id, (SELECT COUNT(*) FROM jobs b WHERE b.tenant_id = t.id AND b.lease_until >= $4)
               + (SELECT COUNT(*) FROM jobs f WHERE f.tenant_id = t.id AND f.state IN ('running', 'undoing')
                  AND f.waits_for IS NULL AND f.lease_owner IS NULL)
    FROM tenants t WHERE t.id IS NOT NULL ORDER BY t.n";

/// The tenants that have queued jobs, round from the one that was served last, each with how much of it has begun.
async fn tenants_queued(tx: &mut Tx, claim: &Claim) -> Result<Vec<(TenantId, u32)>> {
    let Claim { after, from, now, .. } = *claim;
    let first = TenantId(uuid::Uuid::nil());
    let mut found = fetch_all!(tx.conn(), (TenantId, i64), TENANTS, after, TENANTS_MAX as i32, from, now)?;
    if found.len() < TENANTS_MAX && after != first {
        let left = (TENANTS_MAX - found.len()) as i32;
        let again = fetch_all!(tx.conn(), (TenantId, i64), TENANTS, first, left, from, now)?;
        found.extend(again.into_iter().filter(|(tenant, _)| *tenant <= after));
    }
    Ok(found.into_iter().map(|(tenant, begun)| (tenant, u32::try_from(begun).unwrap_or(u32::MAX))).collect())
}

// One job per pod, the oldest first. What is for a server that is full, or whose agent is connected to another living
// control plane, is not begun here.
macro_rules! queued_sql {
    ($whose:literal, $lock:literal) => {
        concat!(
            "UPDATE jobs SET state = 'running', epoch = epoch + 1, lease_owner = $1, lease_until = $2,
                    started_at = COALESCE(started_at, $3), updated_at = $3
             WHERE id IN (
                SELECT j.id FROM jobs j
                WHERE j.state = 'queued' AND ",
            $whose,
            "     AND j.run_at >= $8 AND j.run_at <= $3 AND j.waits_for IS NULL
                  AND (j.pod_id IS NULL OR NOT EXISTS (
                        SELECT 1 FROM jobs k WHERE k.pod_id = j.pod_id AND k.id <> j.id
                         AND k.state IN ('queued', 'running', 'undoing') AND (k.state <> 'queued' OR k.id < j.id)))
                  AND (j.server_id IS NULL OR $6 > (
                        SELECT COUNT(*) FROM jobs s WHERE s.command_server = j.server_id AND s.lease_until >= $3))
                  AND (j.server_id IS NULL OR NOT EXISTS (
                        SELECT 1 FROM servers s JOIN instances i ON i.id = s.session_owner
                        WHERE s.id = j.server_id AND s.connection = 'online' AND i.id <> $1 AND i.seen_at > $7))
                ORDER BY j.run_at, j.id LIMIT $4 ",
            $lock,
            ") RETURNING *"
        )
    };
}
const QUEUED_SQLITE: &str = queued_sql!("j.tenant_id = $5", "");
const QUEUED_POSTGRES: &str = queued_sql!("j.tenant_id = $5", "FOR UPDATE SKIP LOCKED");
const PLATFORM_SQLITE: &str = queued_sql!("j.tenant_id IS NULL AND $5 IS NULL", "");
const PLATFORM_POSTGRES: &str = queued_sql!("j.tenant_id IS NULL AND $5::UUID IS NULL", "FOR UPDATE SKIP LOCKED");

/// Starts the first of one queue.
async fn queued_claim(tx: &mut Tx, claim: &Claim, tenant: Option<TenantId>, share: u32) -> Result<Vec<Job>> {
    let conn = tx.conn();
    let sql = match tenant {
        Some(_) => sql_by_db!(conn, sqlite: QUEUED_SQLITE, postgres: QUEUED_POSTGRES),
        None => sql_by_db!(conn, sqlite: PLATFORM_SQLITE, postgres: PLATFORM_POSTGRES),
    };
    let Claim { owner, now, lease_until, alive, per_server, from, .. } = claim;
    let (share, per_server) = (i64::from(share), i64::from(*per_server));
    all(fetch_all!(conn, JobRow, sql, *owner, *lease_until, *now, share, tenant, per_server, *alive, *from)?)
}

/// The storages that an order strains, by their keys.
#[derive(Default)]
pub(in crate::domain::jobs) struct Rooms {
    /// Of the host that it goes to.
    pub(in crate::domain::jobs) here: Option<String>,
    /// Of another host; never the same as the first.
    pub(in crate::domain::jobs) there: Option<String>,
}

impl Rooms {
    /// In the one order in which all who need several lock them.
    pub(in crate::domain::jobs) fn in_order(&self) -> Vec<&str> {
        let mut rooms: Vec<_> = self.here.iter().chain(&self.there).map(String::as_str).collect();
        rooms.sort_unstable();
        rooms
    }
}

/// What an order strains.
pub(in crate::domain::jobs) async fn rooms_of(tx: &mut Tx, command: &AgentCommand) -> Result<Rooms> {
    let here = match command.kind.strains() {
        Some(storage) => Some(room_of(tx, command.server, storage).await?),
        None => None,
    };
    let there = match command.kind.strains_there() {
        Some((server, storage)) => {
            Some(room_of(tx, server, storage).await?).filter(|there| here.as_ref() != Some(there))
        }
        None => None,
    };
    Ok(Rooms { here, there })
}

/// The key of a storage as the host knows it: a shared one is the same on all hosts of its cluster.
async fn room_of(tx: &mut Tx, server: ServerId, storage: &str) -> Result<String> {
    const SQL: &str = "
        SELECT s.vmid_space, COALESCE(t.shared, FALSE) FROM servers s
        LEFT JOIN server_storages t ON t.server_id = s.id AND t.name = $2 WHERE s.id = $1";
    let found = crate::fetch_optional!(tx.conn(), (String, bool), SQL, server, storage)?;
    Ok(match found {
        Some((space, true)) => format!("{space}/{storage}"),
        _ => format!("{server}/{storage}"),
    })
}

/// How many orders at hosts that are there strain a storage now. Until the transaction ends nobody else is told another number.
pub(in crate::domain::jobs) async fn room_taken(tx: &mut Tx, room: &str) -> Result<u32> {
    const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended($1, 1))";
    if let Conn::Postgres(connection) = tx.conn() {
        sqlx::query(LOCK).bind(room).execute(connection).await?;
    }
    let (count,): (i64,) = fetch_one!(tx.conn(), (i64,), ROOM_TAKEN, room)?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

const ROOM_TAKEN: &str = "
    SELECT (SELECT COUNT(*) FROM jobs r WHERE r.room = $1 AND r.command_id IS NOT NULL AND r.waits_for IS NULL)
         + (SELECT COUNT(*) FROM jobs v WHERE v.room_there = $1 AND v.command_id IS NOT NULL AND v.waits_for IS NULL)";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::tests::query_plans;

    #[tokio::test]
    async fn no_statement_of_a_claim_reads_the_table_of_jobs_from_end_to_end() {
        let claims = [DUE, ANY_LAPSED, LAPSE_SQLITE, BEGUN_SQLITE, TENANTS, QUEUED_SQLITE, PLATFORM_SQLITE, ROOM_TAKEN];
        for (plan, sql) in query_plans(&claims).await.into_iter().zip(claims) {
            let jobs = ["jobs", "j", "k", "b", "q", "r", "o", "s", "v", "x", "f"];
            let scans = |line: &String| jobs.iter().any(|table| *line == format!("SCAN {table}"));
            assert!(!plan.iter().any(scans), "{plan:#?} of {sql}");
        }
    }

    #[test]
    fn places_go_round_until_they_or_the_rooms_are_used_up() {
        for (rooms, places, expected) in [
            (&[u32::MAX, 64, 64][..], 3, &[1, 1, 1][..]),
            (&[0, 64, 1], 10, &[0, 9, 1]),
            (&[u32::MAX], 64, &[64]),
            (&[2, 2], 64, &[2, 2]),
            (&[5, 5, 5], 2, &[1, 1, 0]),
            (&[], 5, &[]),
        ] {
            assert_eq!(shares(rooms, places), expected, "{rooms:?} and {places}");
        }
    }
}

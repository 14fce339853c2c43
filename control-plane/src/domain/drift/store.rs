use sqlx::types::Json;

use super::compare::Difference;
use super::{Drift, Filter, Kind};
use crate::clock::Ms;
use crate::db::{Conn, Tx, Window};
use crate::domain::check::loaded;
use crate::error::{Error, Result};
use crate::ids::{CloudPodId, DriftId, JobId, ServerId, TenantId};
use crate::{execute, fetch_all, fetch_optional};

#[derive(sqlx::FromRow)]
struct DriftRow {
    id: DriftId,
    kind: String,
    pod_id: CloudPodId,
    pod_name: Option<String>,
    tenant_id: Option<TenantId>,
    server_id: ServerId,
    server_name: String,
    vmid: i64,
    expected: Json<serde_json::Value>,
    seen: Json<serde_json::Value>,
    since: Ms,
    last_seen: Ms,
    closed_at: Option<Ms>,
    heal_tries: i64,
    healed_at: Option<Ms>,
    heal_job: Option<JobId>,
}

impl TryFrom<DriftRow> for Drift {
    type Error = Error;

    fn try_from(row: DriftRow) -> Result<Self> {
        let DriftRow {
            id,
            kind,
            pod_id,
            pod_name,
            tenant_id,
            server_id,
            server_name,
            vmid,
            expected: Json(expected),
            seen: Json(seen),
            since,
            last_seen,
            closed_at,
            heal_tries,
            healed_at,
            heal_job,
        } = row;
        Ok(Self {
            id,
            kind: Kind::parse(&kind).ok_or_else(|| Error::internal(format!("the drift {id} is of kind {kind}")))?,
            pod: pod_id,
            pod_name,
            tenant: tenant_id,
            server: server_id,
            server_name,
            vmid: loaded(vmid, "drifts.vmid")?,
            expected,
            seen,
            since,
            last_seen,
            closed_at,
            heal_tries: loaded(heal_tries, "drifts.heal_tries")?,
            healed_at,
            heal_job,
        })
    }
}

/// A difference with the names of what it is about; the rest of the statement follows.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT d.id, d.kind, d.pod_id, p.name AS pod_name, p.tenant_id, d.server_id, s.name AS server_name, d.vmid,
                    d.expected, d.seen, d.since, d.last_seen, d.closed_at, d.heal_tries, d.healed_at, d.heal_job
             FROM drifts d JOIN servers s ON s.id = d.server_id LEFT JOIN cloudpods p ON p.id = d.pod_id ",
            $rest
        )
    };
}

fn all(rows: Vec<DriftRow>) -> Result<Vec<Drift>> {
    rows.into_iter().map(Drift::try_from).collect()
}

pub(super) async fn drift_get(conn: Conn<'_>, id: DriftId) -> Result<Option<Drift>> {
    const SQL: &str = select!("WHERE d.id = $1");
    fetch_optional!(conn, DriftRow, SQL, id)?.map(Drift::try_from).transpose()
}

/// The newest first.
pub(super) async fn drift_list(conn: Conn<'_>, filter: &Filter, window: Window<DriftId>) -> Result<Vec<Drift>> {
    const OPEN: &str = select!(
        "WHERE d.closed_at IS NULL AND ($1 IS NULL OR d.kind = $1) AND ($2 IS NULL OR d.server_id = $2)
           AND ($3 IS NULL OR d.pod_id = $3) AND ($4 IS NULL OR d.id < $4) ORDER BY d.id DESC LIMIT $5"
    );
    const CLOSED: &str = select!(
        "WHERE d.closed_at IS NOT NULL AND ($1 IS NULL OR d.kind = $1) AND ($2 IS NULL OR d.server_id = $2)
           AND ($3 IS NULL OR d.pod_id = $3) AND ($4 IS NULL OR d.id < $4) ORDER BY d.id DESC LIMIT $5"
    );
    let Filter { kind, server, pod, closed } = filter;
    let sql = if *closed { CLOSED } else { OPEN };
    all(fetch_all!(conn, DriftRow, sql, kind.map(Kind::as_str), *server, *pod, window.after, window.limit)?)
}

/// All that is open on a host.
pub(super) async fn drifts_open(conn: Conn<'_>, server: ServerId) -> Result<Vec<Drift>> {
    const SQL: &str = select!("WHERE d.server_id = $1 AND d.closed_at IS NULL ORDER BY d.id");
    all(fetch_all!(conn, DriftRow, SQL, server)?)
}

/// What is open and has lasted, the oldest first.
pub(super) async fn drifts_settled(conn: Conn<'_>, kind: Kind, before: Ms, limit: i64) -> Result<Vec<Drift>> {
    const SQL: &str = select!("WHERE d.closed_at IS NULL AND d.kind = $1 AND d.since <= $2 ORDER BY d.id LIMIT $3");
    all(fetch_all!(conn, DriftRow, SQL, kind.as_str(), before, limit)?)
}

/// The hosts with something open, and those of jobs that ended after `from` and until `to`, and of their pods; in the order of
/// their ids.
pub(super) async fn servers_to_compare(
    conn: Conn<'_>,
    (from, to): (Ms, Ms),
    after: Option<ServerId>,
    limit: i64,
) -> Result<Vec<ServerId>> {
    const SQL: &str = "
        SELECT server_id FROM (
            SELECT d.server_id FROM drifts d WHERE d.closed_at IS NULL
            UNION SELECT j.server_id FROM jobs j WHERE j.finished_at > $3 AND j.finished_at <= $4
            UNION SELECT p.server_id FROM jobs j JOIN cloudpods p ON p.id = j.pod_id
                  WHERE j.finished_at > $3 AND j.finished_at <= $4) AS hosts
        WHERE server_id IS NOT NULL AND ($1 IS NULL OR server_id > $1) ORDER BY server_id LIMIT $2";
    Ok(fetch_all!(conn, (ServerId,), SQL, after, limit, from, to)?.into_iter().map(|(server,)| server).collect())
}

/// `false`: somebody else has opened it.
pub(super) async fn drift_open(
    tx: &mut Tx,
    id: DriftId,
    server: ServerId,
    difference: &Difference,
    now: Ms,
) -> Result<bool> {
    const SQL: &str = "INSERT INTO drifts (id, kind, pod_id, server_id, vmid, expected, seen, since, last_seen)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) ON CONFLICT DO NOTHING";
    let Difference { kind, pod, vmid, expected, seen, excused: _ } = difference;
    let (expected, seen) = (Json(expected), Json(seen));
    Ok(execute!(tx.conn(), SQL, id, kind.as_str(), *pod, server, i64::from(*vmid), expected, seen, now)? == 1)
}

pub(super) async fn drift_update(tx: &mut Tx, id: DriftId, difference: &Difference, now: Ms) -> Result<()> {
    const SQL: &str = "UPDATE drifts SET expected = $2, seen = $3, last_seen = $4 WHERE id = $1 AND closed_at IS NULL";
    execute!(tx.conn(), SQL, id, Json(&difference.expected), Json(&difference.seen), now)?;
    Ok(())
}

/// Says of what is still open on a host that it was seen again, but not more often than once a minute.
pub(super) async fn drifts_seen(tx: &mut Tx, server: ServerId, now: Ms, unless_after: Ms) -> Result<()> {
    const SQL: &str = "UPDATE drifts SET last_seen = $2 WHERE server_id = $1 AND closed_at IS NULL AND last_seen < $3";
    execute!(tx.conn(), SQL, server, now, unless_after)?;
    Ok(())
}

/// `false`: it was over already.
pub(super) async fn drift_close(tx: &mut Tx, id: DriftId, now: Ms) -> Result<bool> {
    const SQL: &str = "UPDATE drifts SET closed_at = $2 WHERE id = $1 AND closed_at IS NULL";
    Ok(execute!(tx.conn(), SQL, id, now)? == 1)
}

/// Takes the next try at putting it right; `false`: somebody else has it.
pub(super) async fn heal_claim(tx: &mut Tx, id: DriftId, tries: u32, now: Ms) -> Result<bool> {
    const SQL: &str = "UPDATE drifts SET heal_tries = heal_tries + 1, healed_at = $3
                       WHERE id = $1 AND heal_tries = $2 AND closed_at IS NULL";
    Ok(execute!(tx.conn(), SQL, id, i64::from(tries), now)? == 1)
}

pub(super) async fn heal_job_set(tx: &mut Tx, id: DriftId, job: JobId) -> Result<()> {
    const SQL: &str = "UPDATE drifts SET heal_job = $2 WHERE id = $1";
    execute!(tx.conn(), SQL, id, job)?;
    Ok(())
}

pub(super) async fn drifts_prune(tx: &mut Tx, before: Ms, limit: u32) -> Result<u64> {
    const SQL: &str = "DELETE FROM drifts WHERE id IN (SELECT id FROM drifts WHERE closed_at < $1 LIMIT $2)";
    Ok(execute!(tx.conn(), SQL, before, i64::from(limit))?)
}

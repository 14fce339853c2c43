use serde::{Deserialize, Serialize};
use sqlx::types::Json;

use super::{Drain, DrainPod, DrainState, Kind, Options, PlanRow, PodState};
use crate::clock::Ms;
use crate::db::{Conn, Tx};
use crate::domain::check::{loaded, loaded_option, stored};
use crate::domain::cloudpods::Named;
use crate::domain::jobs::JobState;
use crate::domain::servers::Method;
use crate::error::{Error, Result};
use crate::ids::{CloudPodId, DrainId, JobId, ServerId};
use crate::{execute, fetch_all, fetch_one, fetch_optional, sql_by_db};

#[derive(sqlx::FromRow)]
struct DrainRow {
    id: DrainId,
    server_id: ServerId,
    kind: String,
    state: String,
    reason: String,
    deadline: Option<Ms>,
    allow_shutdown: bool,
    shutdown_s: i64,
    note: String,
    created_by: String,
    created_at: Ms,
    updated_at: Ms,
    finished_at: Option<Ms>,
}

macro_rules! select_drains {
    ($rest:literal) => {
        concat!(
            "SELECT id, server_id, kind, state, reason, deadline, allow_shutdown, shutdown_s, note, created_by, created_at,
                    updated_at, finished_at
               FROM drains ",
            $rest
        )
    };
}

fn strange(column: &str, value: &str) -> Error {
    Error::internal(format!("the column {column} holds {value}"))
}

impl DrainRow {
    fn into_drain(self) -> Result<Drain> {
        let Self {
            id,
            server_id,
            kind,
            state,
            reason,
            deadline,
            allow_shutdown,
            shutdown_s,
            note,
            created_by,
            created_at,
            updated_at,
            finished_at,
        } = self;
        Ok(Drain {
            id,
            server: server_id,
            kind: Kind::parse(&kind).ok_or_else(|| strange("drains.kind", &kind))?,
            state: DrainState::parse(&state).ok_or_else(|| strange("drains.state", &state))?,
            reason,
            deadline,
            options: Options { allow_shutdown, shutdown_s: loaded(shutdown_s, "shutdown_s")? },
            note,
            created_by,
            created_at,
            updated_at,
            finished_at,
        })
    }
}

fn one(row: Option<DrainRow>) -> Result<Option<Drain>> {
    row.map(DrainRow::into_drain).transpose()
}

/// The drains about which something may be to be done: those that are open, and those whose last moves still end.
pub(super) async fn drains_live(conn: Conn<'_>) -> Result<Vec<DrainId>> {
    const SQL: &str = "SELECT id FROM drains WHERE state IN ('running', 'blocked')
                       UNION SELECT drain_id FROM drain_pods WHERE state = 'moving'";
    Ok(fetch_all!(conn, (DrainId,), SQL)?.into_iter().map(|(id,)| id).collect())
}

/// Drains that are blocked, by server: its name, since when, and why.
pub(super) async fn drains_blocked_page(
    conn: Conn<'_>,
    after: Option<ServerId>,
    limit: i64,
) -> Result<Vec<(ServerId, String, Ms, String)>> {
    // The first condition is that of the index `drains_open`, by which a server has one such drain.
    const SQL: &str = "SELECT d.server_id, s.name, d.updated_at, d.note FROM drains d JOIN servers s ON s.id = d.server_id
                        WHERE d.state IN ('running', 'blocked') AND d.state = 'blocked' AND ($1 IS NULL OR d.server_id > $1)
                        ORDER BY d.server_id LIMIT $2";
    Ok(fetch_all!(conn, (ServerId, String, Ms, String), SQL, after, limit)?)
}

/// The drain, held until the transaction ends.
pub(super) async fn drain_lock(tx: &mut Tx, id: DrainId) -> Result<Option<Drain>> {
    const SQLITE: &str = select_drains!("WHERE id = $1");
    const POSTGRES: &str = select_drains!("WHERE id = $1 FOR NO KEY UPDATE");
    let conn = tx.conn();
    let sql = sql_by_db!(conn, sqlite: SQLITE, postgres: POSTGRES);
    one(fetch_optional!(conn, DrainRow, sql, id)?)
}

/// The server's drain that is under way, held until the transaction ends.
pub(super) async fn drain_open(tx: &mut Tx, server: ServerId) -> Result<Option<Drain>> {
    const SQLITE: &str = select_drains!("WHERE server_id = $1 AND state IN ('running', 'blocked')");
    const POSTGRES: &str = select_drains!("WHERE server_id = $1 AND state IN ('running', 'blocked') FOR NO KEY UPDATE");
    let conn = tx.conn();
    let sql = sql_by_db!(conn, sqlite: SQLITE, postgres: POSTGRES);
    one(fetch_optional!(conn, DrainRow, sql, server)?)
}

/// The server's newest drain, or filling.
pub(super) async fn drain_newest(conn: Conn<'_>, server: ServerId) -> Result<Option<Drain>> {
    const SQL: &str = select_drains!("WHERE server_id = $1 ORDER BY id DESC LIMIT 1");
    one(fetch_optional!(conn, DrainRow, SQL, server)?)
}

pub(super) async fn drain_insert(tx: &mut Tx, drain: &Drain) -> Result<()> {
    const SQL: &str =
        "INSERT INTO drains (id, server_id, kind, state, reason, deadline, allow_shutdown, shutdown_s, note,
                                           created_by, created_at, updated_at, finished_at)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    let Drain {
        id,
        server,
        kind,
        state,
        reason,
        deadline,
        options: Options { allow_shutdown, shutdown_s },
        note,
        created_by,
        created_at,
        updated_at,
        finished_at,
    } = drain;
    execute!(
        tx.conn(),
        SQL,
        *id,
        *server,
        kind.as_str(),
        state.as_str(),
        reason.as_str(),
        *deadline,
        *allow_shutdown,
        stored(*shutdown_s),
        note.as_str(),
        created_by.as_str(),
        *created_at,
        *updated_at,
        *finished_at
    )?;
    Ok(())
}

/// Stores what may change of it.
pub(super) async fn drain_store(tx: &mut Tx, drain: &Drain) -> Result<()> {
    const SQL: &str = "UPDATE drains SET state = $2, reason = $3, deadline = $4, allow_shutdown = $5, shutdown_s = $6,
                              note = $7, updated_at = $8, finished_at = $9
                        WHERE id = $1";
    let Drain {
        id,
        server: _,
        kind: _,
        state,
        reason,
        deadline,
        options: Options { allow_shutdown, shutdown_s },
        note,
        created_by: _,
        created_at: _,
        updated_at,
        finished_at,
    } = drain;
    execute!(
        tx.conn(),
        SQL,
        *id,
        state.as_str(),
        reason.as_str(),
        *deadline,
        *allow_shutdown,
        stored(*shutdown_s),
        note.as_str(),
        *updated_at,
        *finished_at
    )?;
    Ok(())
}

/// How many moves of the server's drains are still under way.
pub(super) async fn moves_away_count(conn: Conn<'_>, server: ServerId) -> Result<i64> {
    const SQL: &str = "SELECT COUNT(*) FROM drain_pods d JOIN drains r ON r.id = d.drain_id
                        WHERE d.state = 'moving' AND r.server_id = $1 AND r.kind = 'drain'";
    Ok(fetch_one!(conn, (i64,), SQL, server)?.0)
}

/// Pods on the drained server that its plan does not know.
pub(super) async fn newcomers(conn: Conn<'_>, drain: &Drain) -> Result<Vec<PlanRow>> {
    const SQL: &str = "SELECT p.id, p.name FROM cloudpods p
                        WHERE p.server_id = $1
                          AND NOT EXISTS (SELECT 1 FROM drain_pods d WHERE d.drain_id = $2 AND d.pod_id = p.id
                                             AND d.state NOT IN ('moved', 'gone'))
                        ORDER BY p.id";
    let rows = fetch_all!(conn, (CloudPodId, String), SQL, drain.server, drain.id)?;
    Ok(rows.into_iter().map(|(pod, name)| PlanRow::unplanned(pod, name)).collect())
}

/// The server takes new pods again: its drains until now are over together.
pub(super) async fn drains_opened(tx: &mut Tx, server: ServerId, now: Ms) -> Result<()> {
    const SQL: &str = "UPDATE drains SET opened_at = $2 WHERE server_id = $1 AND opened_at IS NULL";
    execute!(tx.conn(), SQL, server, now)?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Away {
    pod_id: CloudPodId,
    name: String,
    method: String,
    bytes: Option<i64>,
}

/// What is wanted back by a filling that does not know it yet: the pods that are where the drains before the server's last
/// opening put them, by an order of theirs that somebody tried again too.
pub(super) async fn pods_away(conn: Conn<'_>, filling: &Drain) -> Result<Vec<PlanRow>> {
    const SQL: &str = "SELECT d.pod_id, p.name, d.method, d.bytes
           FROM drains r
           JOIN drain_pods d ON d.drain_id = r.id
           JOIN cloudpods p ON p.id = d.pod_id AND p.server_id = d.target_id
           LEFT JOIN jobs j ON j.id = d.job_id
          WHERE r.server_id = $1 AND r.kind = 'drain' AND (d.state = 'moved' OR j.state = 'succeeded')
            AND r.opened_at = (SELECT n.opened_at FROM drains n
                                WHERE n.server_id = $1 AND n.kind = 'drain' ORDER BY n.id DESC LIMIT 1)
            AND NOT EXISTS (SELECT 1 FROM drain_pods f WHERE f.drain_id = $2 AND f.pod_id = d.pod_id)
          ORDER BY d.pod_id, r.id";
    let rows = fetch_all!(conn, Away, SQL, filling.server, filling.id)?;
    let planned = |Away { pod_id, name, method, bytes }| {
        let (method, bytes) = (Method::parse(&method), loaded_option(bytes, "bytes")?);
        Ok(PlanRow { method, bytes, ..PlanRow::unplanned(pod_id, name) })
    };
    rows.into_iter().map(planned).collect()
}

/// JSONB holds objects only.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Avoid {
    servers: Vec<ServerId>,
}

/// Enters a pod into the plan. One that had left and came back is planned anew.
pub(super) async fn pod_insert(tx: &mut Tx, drain: &Drain, row: &PlanRow, tries_max: u32) -> Result<()> {
    const SQL: &str =
        "INSERT INTO drain_pods (drain_id, pod_id, state, method, target_id, bytes, blocker, attempts, avoid, run_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
         ON CONFLICT (drain_id, pod_id) DO UPDATE SET state = excluded.state, method = excluded.method,
             target_id = excluded.target_id, bytes = excluded.bytes, blocker = excluded.blocker, job_id = NULL,
             attempts = excluded.attempts, avoid = excluded.avoid, error = '', run_at = excluded.run_at,
             updated_at = excluded.updated_at";
    let PlanRow { pod, name: _, method, target, bytes, blocker, refused } = row;
    let state = if blocker.is_empty() { PodState::Planned } else { PodState::Blocked };
    let attempts = if *refused { i64::from(tries_max) } else { 0 };
    execute!(
        tx.conn(),
        SQL,
        drain.id,
        *pod,
        state.as_str(),
        method.map_or("none", Method::as_str),
        target.as_ref().map(|target| target.id),
        bytes.map(stored),
        blocker.as_str(),
        attempts,
        Json(Avoid::default()),
        drain.updated_at
    )?;
    Ok(())
}

/// Stores where a pod is in its drain.
pub(super) async fn pod_store(tx: &mut Tx, drain: DrainId, row: &DrainPod, now: Ms) -> Result<()> {
    const SQL: &str =
        "UPDATE drain_pods SET state = $3, method = $4, target_id = $5, bytes = $6, blocker = $7, job_id = $8,
                              attempts = $9, avoid = $10, error = $11, run_at = $12, updated_at = $13
                        WHERE drain_id = $1 AND pod_id = $2";
    let DrainPod {
        pod,
        name: _,
        pod_state: _,
        at: _,
        state,
        method,
        target,
        bytes,
        blocker,
        job,
        job_state: _,
        job_error: _,
        progress: _,
        attempts,
        avoid,
        error,
        run_at,
    } = row;
    execute!(
        tx.conn(),
        SQL,
        drain,
        *pod,
        state.as_str(),
        method.map_or("none", Method::as_str),
        target.as_ref().map(|target| target.id),
        bytes.map(stored),
        blocker.as_str(),
        *job,
        i64::from(*attempts),
        Json(Avoid { servers: avoid.clone() }),
        error.as_str(),
        *run_at,
        now
    )?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct PodRow {
    pod_id: CloudPodId,
    pod_name: String,
    pod_state: String,
    pod_server: Option<ServerId>,
    state: String,
    method: String,
    target_id: Option<ServerId>,
    target_name: Option<String>,
    bytes: Option<i64>,
    blocker: String,
    job_id: Option<JobId>,
    job_state: Option<String>,
    error_code: Option<String>,
    error_detail: Option<String>,
    step: Option<i64>,
    step_count: Option<i64>,
    attempts: i64,
    avoid: Json<Avoid>,
    error: String,
    run_at: Ms,
}

/// The pods of a drain, in the order of their ids, with where each is now and what its job does.
pub(super) async fn pods(conn: Conn<'_>, drain: DrainId) -> Result<Vec<DrainPod>> {
    const SQL: &str =
        "SELECT d.pod_id, p.name AS pod_name, p.state AS pod_state, p.server_id AS pod_server, d.state, d.method,
                              d.target_id, t.name AS target_name, d.bytes, d.blocker, d.job_id, j.state AS job_state,
                              j.error_code, j.error_detail, j.step, j.step_count, d.attempts, d.avoid, d.error, d.run_at
                         FROM drain_pods d
                         JOIN cloudpods p ON p.id = d.pod_id
                         LEFT JOIN servers t ON t.id = d.target_id
                         LEFT JOIN jobs j ON j.id = d.job_id
                        WHERE d.drain_id = $1 ORDER BY d.pod_id";
    fetch_all!(conn, PodRow, SQL, drain)?.into_iter().map(PodRow::into_pod).collect()
}

impl PodRow {
    fn into_pod(self) -> Result<DrainPod> {
        let Self {
            pod_id,
            pod_name,
            pod_state,
            pod_server,
            state,
            method,
            target_id,
            target_name,
            bytes,
            blocker,
            job_id,
            job_state,
            error_code,
            error_detail,
            step,
            step_count,
            attempts,
            avoid: Json(Avoid { servers }),
            error,
            run_at,
        } = self;
        let progress = step.zip(step_count).map(|(step, count)| (step * 100 / count.max(1)).clamp(0, 100) as u8);
        Ok(DrainPod {
            pod: pod_id,
            name: pod_name,
            pod_state,
            at: pod_server,
            state: PodState::parse(&state).ok_or_else(|| strange("drain_pods.state", &state))?,
            method: Method::parse(&method),
            target: target_id.zip(target_name).map(|(id, name)| Named { id, name }),
            bytes: loaded_option(bytes, "bytes")?,
            blocker,
            job: job_id,
            job_state: job_state.as_deref().and_then(JobState::parse),
            job_error: error_code.zip(error_detail),
            progress,
            attempts: loaded(attempts, "attempts")?,
            avoid: servers,
            error,
            run_at,
        })
    }
}

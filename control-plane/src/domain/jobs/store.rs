mod claim;
mod list;

use std::collections::HashMap;

use sqlx::types::Json;

pub(super) use self::claim::{Claim, Due, Rooms, any_lapsed, jobs_claim, jobs_due, leases_lapse, room_taken, rooms_of};
pub(super) use self::list::job_list;

use super::{Job, JobError, JobNames, JobState, LogLine, NewJob, Phase, StepRow};
use crate::clock::Ms;
use crate::db::{Conn, Tx, Window};
use crate::domain::audit::Scope;
use crate::error::{Error, Result, is_unique_violation};
use crate::ids::{CloudPodId, CommandId, InstanceId, JobId, ServerId, TenantId};
use crate::{execute, fetch_all, fetch_by_ids, fetch_one, fetch_optional, sql_by_db};

#[derive(sqlx::FromRow)]
pub(super) struct JobRow {
    id: JobId,
    tenant_id: Option<TenantId>,
    kind: String,
    pod_id: Option<CloudPodId>,
    server_id: Option<ServerId>,
    state: String,
    params: Json<serde_json::Value>,
    step: i64,
    step_count: i64,
    attempt: i64,
    attempts_max: i64,
    retries: i64,
    run_at: Ms,
    epoch: i64,
    command_id: Option<CommandId>,
    command_server: Option<ServerId>,
    waits_for: Option<ServerId>,
    cancel_requested: bool,
    step_progress: i64,
    error_code: Option<String>,
    error_detail: Option<String>,
    created_by: String,
    created_at: Ms,
    started_at: Option<Ms>,
    finished_at: Option<Ms>,
    updated_at: Ms,
}

impl TryFrom<JobRow> for Job {
    type Error = Error;

    fn try_from(row: JobRow) -> Result<Self> {
        let JobRow {
            id,
            tenant_id,
            kind,
            pod_id,
            server_id,
            state,
            params: Json(params),
            step,
            step_count,
            attempt,
            attempts_max,
            retries,
            run_at,
            epoch,
            command_id,
            command_server,
            waits_for,
            cancel_requested,
            step_progress,
            error_code,
            error_detail,
            created_by,
            created_at,
            started_at,
            finished_at,
            updated_at,
        } = row;
        Ok(Self {
            id,
            tenant: tenant_id,
            kind,
            pod: pod_id,
            server: server_id,
            state: JobState::parse(&state).ok_or_else(|| Error::internal(format!("job {id} has the state {state}")))?,
            params,
            step: step as usize,
            step_count: step_count as usize,
            attempt: attempt as u32,
            attempts_max: attempts_max as u32,
            retries: retries as u32,
            run_at,
            epoch: epoch as u64,
            command: command_id.zip(command_server),
            waits_for,
            cancel_requested,
            step_progress: step_progress as u8,
            error: error_code.map(|code| JobError { code, detail: error_detail.unwrap_or_default() }),
            created_by,
            created_at,
            started_at,
            finished_at,
            updated_at,
        })
    }
}

fn one(row: Option<JobRow>) -> Result<Option<Job>> {
    row.map(Job::try_from).transpose()
}

pub(super) fn all(rows: Vec<JobRow>) -> Result<Vec<Job>> {
    rows.into_iter().map(Job::try_from).collect()
}

/// What a new job begins with.
pub(super) struct Insert<'a> {
    pub id: JobId,
    pub new: &'a NewJob,
    pub step_count: usize,
    pub attempts_max: u32,
    pub created_by: String,
}

pub(super) async fn job_insert(tx: &mut Tx, now: Ms, insert: Insert<'_>) -> Result<Job> {
    const SQL: &str = "
        INSERT INTO jobs (id, tenant_id, kind, pod_id, server_id, state, params, step, step_count, attempt, attempts_max,
                          run_at, epoch, cancel_requested, step_progress, created_by, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, 'queued', $6, 0, $7, 1, $8, $9, 0, FALSE, 0, $10, $9, $9)
        RETURNING *";
    let Insert { id, new, step_count, attempts_max, created_by } = insert;
    let NewJob { kind, tenant, pod, server, params } = new;
    fetch_one!(
        tx.conn(),
        JobRow,
        SQL,
        id,
        *tenant,
        *kind,
        *pod,
        *server,
        Json(params),
        step_count as i64,
        i64::from(attempts_max),
        now,
        created_by.as_str(),
    )?
    .try_into()
}

pub(super) async fn job_get(conn: Conn<'_>, scope: Scope, id: JobId) -> Result<Option<Job>> {
    const SQL: &str = "SELECT * FROM jobs WHERE id = $1 AND ($2 IS NULL OR tenant_id = $2)";
    one(fetch_optional!(conn, JobRow, SQL, id, scope.tenant())?)
}

/// The jobs of a pod that are not over, oldest first.
pub(super) async fn jobs_live_of_pod(conn: Conn<'_>, pod: CloudPodId) -> Result<Vec<Job>> {
    const SQL: &str = "SELECT * FROM jobs WHERE pod_id = $1 AND state IN ('queued', 'running', 'undoing') ORDER BY id";
    all(fetch_all!(conn, JobRow, SQL, pod)?)
}

/// The jobs of pods that are of this kind and not over.
pub(super) async fn jobs_live_of_kind(conn: Conn<'_>, kind: &str) -> Result<Vec<Job>> {
    const SQL: &str = "SELECT * FROM jobs
                       WHERE pod_id IS NOT NULL AND kind = $1 AND state IN ('queued', 'running', 'undoing')";
    all(fetch_all!(conn, JobRow, SQL, kind)?)
}

/// Deletes jobs that ended before `before`, with their steps and logs; what else names a job keeps it.
pub(super) async fn jobs_prune(tx: &mut Tx, before: Ms, limit: u32) -> Result<u64> {
    const SQL: &str = "
        DELETE FROM jobs WHERE id IN (
            SELECT j.id FROM jobs j WHERE j.finished_at < $1
               AND NOT EXISTS (SELECT 1 FROM drain_pods d WHERE d.job_id = j.id)
               AND NOT EXISTS (SELECT 1 FROM drifts f WHERE f.heal_job = j.id)
               AND NOT EXISTS (SELECT 1 FROM moves m WHERE m.job_id = j.id)
            ORDER BY j.finished_at LIMIT $2)";
    Ok(execute!(tx.conn(), SQL, before, i64::from(limit))?)
}

// A row is held by locking it: a write that says no more than that would leave one dead row more behind at every step. SQLite
// has one writer, which holds all of them.
macro_rules! hold {
    ($tx:expr, $now:expr, $where:literal $(, $bind:expr)*) => {{
        const SQLITE: &str = concat!("SELECT * FROM jobs WHERE ", $where);
        const POSTGRES: &str = concat!("SELECT * FROM jobs WHERE ", $where, " FOR NO KEY UPDATE");
        let conn = $tx.conn();
        let sql = sql_by_db!(conn, sqlite: SQLITE, postgres: POSTGRES);
        let held = one(fetch_optional!(conn, JobRow, sql $(, $bind)*)?)?;
        Ok(held.map(|job| Job { updated_at: $now, ..job }))
    }};
}

/// Takes the row for this transaction if the claim of `epoch` still holds. The state is looked at afterwards: with it, PostgreSQL
/// takes the small index of what has begun for cheaper than the key, and reads all of it once it is full of dead rows.
pub(super) async fn job_hold(tx: &mut Tx, now: Ms, id: JobId, epoch: u64) -> Result<Option<Job>> {
    let held: Result<_> = hold!(tx, now, "id = $1 AND epoch = $2", id, epoch as i64);
    Ok(held?.filter(|job| matches!(job.state, JobState::Running | JobState::Undoing)))
}

/// Takes the row of the job whose command this is, whatever its epoch.
pub(super) async fn job_hold_by_command(tx: &mut Tx, now: Ms, command: CommandId) -> Result<Option<Job>> {
    hold!(tx, now, "command_id = $1", command)
}

/// Takes the row whatever its state, for an operator's change.
pub(super) async fn job_hold_any(tx: &mut Tx, now: Ms, scope: Scope, id: JobId) -> Result<Option<Job>> {
    hold!(tx, now, "id = $1 AND ($2 IS NULL OR tenant_id = $2)", id, scope.tenant())
}

/// Stores where a held job goes. `job` carries the new values; the claim's epoch fences the write.
pub(super) async fn job_store(tx: &mut Tx, job: &Job, lease: Option<(InstanceId, Ms)>) -> Result<()> {
    job_store_strained(tx, job, lease, None, &Rooms::default()).await
}

/// The same with the deadline of the order that goes out, and the storages that it strains; without a deadline, with those that
/// have no place for it.
pub(super) async fn job_store_strained(
    tx: &mut Tx,
    job: &Job,
    lease: Option<(InstanceId, Ms)>,
    deadline: Option<Ms>,
    rooms: &Rooms,
) -> Result<()> {
    const SQL: &str = "
        UPDATE jobs SET state = $3, step = $4, attempt = $5, run_at = $6, epoch = $7, lease_owner = $8, lease_until = $9,
               command_id = $10, command_server = $11,
               command_deadline = CASE WHEN $10 IS NULL THEN NULL ELSE COALESCE($20, command_deadline) END,
               waits_for = $12, cancel_requested = $13, step_progress = $14, error_code = $15, error_detail = $16,
               finished_at = $17, updated_at = $18, server_id = $19, retries = $23, resume_wanted = resume_wanted AND $3 = 'stuck',
               room = CASE WHEN $10 IS NULL OR $20 IS NOT NULL THEN $21 ELSE room END,
               room_there = CASE WHEN $10 IS NULL OR $20 IS NOT NULL THEN $22 ELSE room_there END
        WHERE id = $1 AND epoch <= $2";
    let (code, detail) = job.error.as_ref().map(|e| (e.code.as_str(), e.detail.as_str())).unzip();
    let (command, command_server) = job.command.unzip();
    let touched = execute!(
        tx.conn(),
        SQL,
        job.id,
        job.epoch as i64,
        job.state.as_str(),
        job.step as i64,
        i64::from(job.attempt),
        job.run_at,
        job.epoch as i64,
        lease.map(|(owner, _)| owner),
        lease.map(|(_, until)| until),
        command,
        command_server,
        job.waits_for,
        job.cancel_requested,
        i64::from(job.step_progress),
        code,
        detail,
        job.finished_at,
        job.updated_at,
        job.server,
        deadline,
        rooms.here.as_deref(),
        rooms.there.as_deref(),
        i64::from(job.retries),
    )
    .map_err(|error| {
        if is_unique_violation(&error) {
            Error::conflict("cloudpod_busy", "another job of this pod is being worked on; try again when it has ended")
        } else {
            error.into()
        }
    })?;
    if touched == 1 { Ok(()) } else { Err(Error::internal(format!("job {} was changed under its lock", job.id))) }
}

/// Asks for a job to be cancelled, whoever holds its lease. What has no order out need not wait for its agent any more.
pub(super) async fn cancel_request(tx: &mut Tx, now: Ms, id: JobId, run_at: Ms) -> Result<()> {
    const SQL: &str = "
        UPDATE jobs SET cancel_requested = TRUE, run_at = $2, updated_at = $3,
               waits_for = CASE WHEN command_id IS NULL THEN NULL ELSE waits_for END
        WHERE id = $1 AND state IN ('queued', 'running')";
    execute!(tx.conn(), SQL, id, run_at, now)?;
    Ok(())
}

/// How many orders are out at a server. Until the transaction ends nobody else is told another number: two that send at
/// once do not both take the last place.
pub(super) async fn commands_out(tx: &mut Tx, now: Ms, server: ServerId) -> Result<u32> {
    const SQL: &str = "SELECT COUNT(*) FROM jobs WHERE command_server = $1 AND lease_until >= $2";
    const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
    if let Conn::Postgres(connection) = tx.conn() {
        sqlx::query(LOCK).bind(server.to_string()).execute(connection).await?;
    }
    let (count,): (i64,) = fetch_one!(tx.conn(), (i64,), SQL, server, now)?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

// Changes many jobs at once, on PostgreSQL in the order of their ids: two that take them in different orders wait for each other.
macro_rules! in_order {
    ($conn:expr, $set:literal, $which:literal, $end:literal) => {
        sql_by_db!(
            $conn,
            sqlite: concat!($set, " WHERE ", $which, $end),
            postgres: concat!(
                $set,
                " WHERE id IN (SELECT id FROM jobs WHERE ",
                $which,
                " ORDER BY id FOR NO KEY UPDATE)",
                $end
            )
        )
    };
}

/// The commands that are out at a server's agent become this control plane's, under a new epoch, to be sent again.
pub(super) async fn commands_take_over(
    tx: &mut Tx,
    now: Ms,
    server: ServerId,
    lease: (InstanceId, Ms),
) -> Result<Vec<Job>> {
    let conn = tx.conn();
    let sql = in_order!(
        conn,
        "UPDATE jobs SET epoch = epoch + 1, lease_owner = $2, lease_until = $3, waits_for = NULL, updated_at = $4",
        "command_server = $1 AND state IN ('running', 'undoing')",
        " RETURNING *"
    );
    all(fetch_all!(conn, JobRow, sql, server, lease.0, lease.1, now)?)
}

/// The servers that live jobs wait for.
pub(super) async fn servers_waited_for(conn: Conn<'_>) -> Result<Vec<ServerId>> {
    const SQL: &str = "SELECT DISTINCT waits_for FROM jobs WHERE waits_for IS NOT NULL";
    Ok(fetch_all!(conn, (ServerId,), SQL)?.into_iter().map(|(server,)| server).collect())
}

/// What waited for a server may be claimed again.
pub(super) async fn waiting_release(tx: &mut Tx, now: Ms, server: ServerId) -> Result<u64> {
    let conn = tx.conn();
    let sql = in_order!(conn, "UPDATE jobs SET waits_for = NULL, updated_at = $2", "waits_for = $1", "");
    Ok(execute!(conn, sql, server, now)?)
}

/// What is out at a server, or held for it here, waits for it.
pub(super) async fn commands_wait(tx: &mut Tx, now: Ms, server: ServerId, owner: InstanceId) -> Result<u64> {
    let conn = tx.conn();
    let sql = in_order!(
        conn,
        "UPDATE jobs SET waits_for = $1, lease_owner = NULL, lease_until = NULL, updated_at = $3",
        "command_server = $1 AND lease_owner = $2 AND state IN ('running', 'undoing')",
        ""
    );
    Ok(execute!(conn, sql, server, owner, now)?)
}

/// Renews the lease on an order that is out; `false`: it is past its deadline, and is left to lapse and be sent again, or it
/// is somebody else's by now.
pub(super) async fn lease_renew(tx: &mut Tx, now: Ms, id: JobId, epoch: u64, lease: (InstanceId, Ms)) -> Result<bool> {
    const SQL: &str = "
        UPDATE jobs SET lease_until = $4
        WHERE id = $1 AND epoch = $2 AND lease_owner = $3 AND command_deadline > $5";
    Ok(execute!(tx.conn(), SQL, id, epoch as i64, lease.0, lease.1, now)? == 1)
}

/// Frees every lease: for a control plane that starts on a database that no other can be using.
pub(super) async fn leases_free(tx: &mut Tx) -> Result<u64> {
    const SQL: &str = "UPDATE jobs SET lease_owner = NULL, lease_until = NULL WHERE lease_until IS NOT NULL";
    Ok(execute!(tx.conn(), SQL)?)
}

pub(super) async fn progress_store(
    tx: &mut Tx,
    now: Ms,
    command: CommandId,
    epoch: u64,
    server: ServerId,
    percent: u8,
) -> Result<Option<Job>> {
    const SQL: &str = "
        UPDATE jobs SET step_progress = CASE WHEN step_progress > $4 THEN step_progress ELSE $4 END, updated_at = $5
        WHERE command_id = $1 AND epoch = $2 AND command_server = $3 AND state IN ('running', 'undoing') RETURNING *";
    one(fetch_optional!(tx.conn(), JobRow, SQL, command, epoch as i64, server, i64::from(percent), now)?)
}

/// Stores what is shown of a step.
pub(super) async fn step_store(
    tx: &mut Tx,
    job: &Job,
    name: &str,
    state: &str,
    detail: Option<&str>,
    now: Ms,
) -> Result<()> {
    const SQL: &str = "
        INSERT INTO job_steps (job_id, idx, name, state, attempt, started_at, finished_at, detail)
        VALUES ($1, $2, $3, $4, $5, $6, CASE WHEN $4 IN ('done', 'failed', 'undone') THEN $6 ELSE NULL END, COALESCE($7, ''))
        ON CONFLICT (job_id, idx) DO UPDATE SET state = excluded.state, attempt = excluded.attempt,
            started_at = COALESCE(job_steps.started_at, excluded.started_at), finished_at = excluded.finished_at,
            detail = CASE WHEN $7 IS NULL THEN job_steps.detail ELSE excluded.detail END";
    execute!(tx.conn(), SQL, job.id, job.step as i64, name, state, i64::from(job.attempt), now, detail)?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct StoredStep {
    idx: i64,
    name: String,
    state: String,
    attempt: i64,
    started_at: Option<Ms>,
    finished_at: Option<Ms>,
    detail: String,
}

#[derive(sqlx::FromRow)]
struct NamesRow {
    id: JobId,
    tenant_name: Option<String>,
    pod_name: Option<String>,
    server_name: Option<String>,
}

pub(super) async fn job_names(conn: Conn<'_>, jobs: &[Job]) -> Result<HashMap<JobId, JobNames>> {
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    let rows = fetch_by_ids!(
        conn,
        NamesRow,
        "SELECT j.id, t.name AS tenant_name, p.name AS pod_name, s.name AS server_name
           FROM jobs j LEFT JOIN tenants t ON t.id = j.tenant_id
           LEFT JOIN cloudpods p ON p.id = j.pod_id LEFT JOIN servers s ON s.id = j.server_id
          WHERE j.id",
        "",
        &ids
    )?;
    let named = |row: NamesRow| {
        let NamesRow { id, tenant_name: tenant, pod_name: pod, server_name: server } = row;
        (id, JobNames { tenant, pod, server })
    };
    Ok(rows.into_iter().map(named).collect())
}

/// All that is stuck of a pod is to be looked at again.
pub(super) async fn stuck_want(tx: &mut Tx, pod: CloudPodId) -> Result<()> {
    // The states once more: by them SQLite finds the index of what is open, so that a pod's long history is not read.
    const SQL: &str = "UPDATE jobs SET resume_wanted = TRUE
                       WHERE pod_id = $1 AND state = 'stuck' AND state IN ('queued', 'running', 'undoing', 'stuck')";
    execute!(tx.conn(), SQL, pod)?;
    Ok(())
}

/// A stuck job is to be looked at again.
pub(super) async fn stuck_want_one(tx: &mut Tx, id: JobId) -> Result<()> {
    const SQL: &str = "UPDATE jobs SET resume_wanted = TRUE WHERE id = $1 AND state = 'stuck'";
    execute!(tx.conn(), SQL, id)?;
    Ok(())
}

/// The first of a pod's stuck jobs that is to be looked at again.
pub(super) async fn stuck_next(conn: Conn<'_>, pod: CloudPodId) -> Result<Option<JobId>> {
    const SQL: &str = "SELECT id FROM jobs
                       WHERE pod_id = $1 AND state = 'stuck' AND state IN ('queued', 'running', 'undoing', 'stuck') AND resume_wanted
                       ORDER BY id LIMIT 1";
    Ok(fetch_optional!(conn, (JobId,), SQL, pod)?.map(|(id,)| id))
}

/// The last of its steps that ever began.
pub(super) async fn step_last(conn: Conn<'_>, id: JobId) -> Result<Option<usize>> {
    const SQL: &str = "SELECT MAX(idx) FROM job_steps WHERE job_id = $1";
    let (last,): (Option<i64>,) = fetch_one!(conn, (Option<i64>,), SQL, id)?;
    crate::domain::check::loaded_option(last, "idx")
}

pub(super) async fn steps_of(conn: Conn<'_>, job: JobId) -> Result<Vec<StepRow>> {
    const SQL: &str = "SELECT idx, name, state, attempt, started_at, finished_at, detail FROM job_steps WHERE job_id = $1 ORDER BY idx";
    let rows = fetch_all!(conn, StoredStep, SQL, job)?;
    Ok(rows
        .into_iter()
        .map(|StoredStep { idx, name, state, attempt, started_at, finished_at, detail }| StepRow {
            index: idx as usize,
            name,
            state,
            attempt: attempt as u32,
            started_at,
            finished_at,
            detail,
        })
        .collect())
}

/// A line for the log of a job.
pub(super) struct NewLine<'a> {
    pub level: &'static str,
    pub line: &'a str,
}

/// The longest line that is kept; what is longer is cut.
const LINE_BYTES_MAX: usize = 2_000;

pub(super) async fn log_append(tx: &mut Tx, now: Ms, job: &Job, step: &str, lines: &[NewLine<'_>]) -> Result<()> {
    const SQL: &str = "INSERT INTO job_log (id, job_id, step, attempt, level, line, at, phase, retry)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    for NewLine { level, line } in lines {
        let line = line.replace('\0', "");
        let cut = line.floor_char_boundary(LINE_BYTES_MAX);
        execute!(
            tx.conn(),
            SQL,
            uuid::Uuid::now_v7(),
            job.id,
            step,
            i64::from(job.attempt),
            *level,
            &line[..cut],
            now,
            job.state.phase().as_str(),
            i64::from(job.retries)
        )?;
    }
    Ok(())
}

/// The same with a line that is left out if this try of the step has it already.
pub(super) async fn log_append_once(tx: &mut Tx, now: Ms, job: &Job, step: &str, line: &NewLine<'_>) -> Result<()> {
    const SQL: &str = "
        INSERT INTO job_log (id, job_id, step, attempt, level, line, at, phase, retry)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9
        WHERE NOT EXISTS (SELECT 1 FROM job_log WHERE job_id = $2 AND step = $3 AND attempt = $4 AND line = $6
                             AND phase = $8 AND retry = $9)";
    let (id, attempt, retry) = (uuid::Uuid::now_v7(), i64::from(job.attempt), i64::from(job.retries));
    let phase = job.state.phase().as_str();
    execute!(tx.conn(), SQL, id, job.id, step, attempt, line.level, line.line, now, phase, retry)?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct StoredLine {
    id: uuid::Uuid,
    step: String,
    attempt: i64,
    level: String,
    line: String,
    at: Ms,
    phase: Option<String>,
    retry: i64,
}

pub(super) async fn log_of(
    conn: Conn<'_>,
    job: JobId,
    whole: bool,
    window: Window<uuid::Uuid>,
) -> Result<Vec<LogLine>> {
    const SQL: &str = "SELECT id, step, attempt, level, line, at, phase, retry FROM job_log
                       WHERE job_id = $1 AND ($2 IS NULL OR id > $2) AND ($4 OR level <> 'info') ORDER BY id LIMIT $3";
    let rows = fetch_all!(conn, StoredLine, SQL, job, window.after, window.limit, whole)?;
    rows.into_iter()
        .map(|StoredLine { id, step, attempt, level, line, at, phase, retry }| {
            let unknown = |text: &str| Error::internal(format!("a line of the log of job {job} has the phase {text}"));
            let phase = phase.map(|text| Phase::parse(&text).ok_or_else(|| unknown(&text))).transpose()?;
            Ok(LogLine { id, step, phase, attempt: attempt as u32, retry: retry as u32, level, line, at })
        })
        .collect()
}

pub(super) async fn counts_by_state(conn: Conn<'_>) -> Result<Vec<(String, i64)>> {
    const SQL: &str =
        "SELECT state, COUNT(*) FROM jobs WHERE state IN ('queued', 'running', 'undoing', 'stuck') GROUP BY state";
    Ok(fetch_all!(conn, (String, i64), SQL)?)
}

//! What operators may do with drains.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::{Detail, Drain, DrainPod, DrainState, Kind, Limits, Options, PlanRow, PodState, store};
use crate::clock::Clock;
use crate::db::{Conn, Db, Tx};
use crate::domain::audit::{Actor, Record, Scope, audit_append};
use crate::domain::check::Checks;
use crate::domain::cloudpods::service::Service as CloudPods;
use crate::domain::finding::{Finding, Findings};
use crate::domain::jobs::service::Service as Jobs;
use crate::domain::jobs::{Job, JobState};
use crate::domain::servers::query::{MigrateCheck, Querier};
use crate::domain::servers::service::Service as Servers;
use crate::domain::servers::{SchedulingState, Server, StatusChange};
use crate::error::{Error, Result};
use crate::events::{Event, event_append};
use crate::ids::{DrainId, ServerId};

/// How long the source's agent gets to say what keeps its VMs there; without its answer the plan is made all the same.
const CHECKS_WITHIN: Duration = Duration::from_secs(5);

/// Blocked drains that are looked at at once.
const PAGE: i64 = 100;

/// The service of this slice.
pub struct Service {
    pub(super) db: Db,
    pub(super) clock: Clock,
    pub(super) servers: Arc<Servers>,
    pub(super) pods: Arc<CloudPods>,
    pub(super) jobs: Arc<Jobs>,
    querier: Arc<dyn Querier>,
    pub(super) limits: Limits,
}

/// What an operator wants of a server from now on.
#[derive(Clone, Debug)]
pub struct StatusWish {
    /// The state, why, and until when.
    pub change: StatusChange,
    /// What a drain may do.
    pub options: Options,
    /// An opened server gets back what was moved away since it was closed.
    pub fill_back: bool,
}

impl Service {
    /// Over the others' services; `querier` asks agents.
    #[must_use]
    pub fn new(
        db: Db,
        clock: Clock,
        servers: Arc<Servers>,
        pods: Arc<CloudPods>,
        jobs: Arc<Jobs>,
        querier: Arc<dyn Querier>,
        limits: Limits,
    ) -> Self {
        Self { db, clock, servers, pods, jobs, querier, limits }
    }

    /// Opens, locks or drains a server. Draining begins a drain, or takes up the one that is under way with a new deadline and
    /// new options; everything else cancels it.
    pub async fn status_set(
        &self,
        actor: &Actor,
        id: ServerId,
        expected: Option<i64>,
        wish: StatusWish,
    ) -> Result<(Server, Option<Detail>)> {
        let StatusWish { change, options, fill_back } = wish;
        let mut checks = Checks::new();
        checks.range("shutdown_s", options.shutdown_s, 5..=3600);
        let (draining, online) = (change.status == SchedulingState::Draining, change.status == SchedulingState::Online);
        checks.require(online || !fill_back, "fill_back", "only an opened server is filled again; leave it out");
        checks.require(draining || !options.allow_shutdown, "allow_shutdown", "is for a drain; leave it out");
        checks.finish()?;
        let plan = if draining { self.drain_preview(id, &options).await? } else { Vec::new() };
        let mut tx = self.db.begin().await?;
        let server = self.servers.server_status_set_in(&mut tx, actor, id, expected, change.clone()).await?;
        let open = store::drain_open(&mut tx, id).await?;
        let mut told = Vec::new();
        let drain = match open {
            Some(open) if draining && open.kind == Kind::Drain => {
                Some(self.drain_repeat(&mut tx, actor, open, &change, options).await?)
            }
            other => {
                if let Some(open) = other {
                    told = self.cancel_in(&mut tx, actor, open).await?;
                }
                if online {
                    store::drains_opened(&mut tx, id, self.clock.now()).await?;
                }
                match change.status {
                    SchedulingState::Draining => {
                        Some(self.drain_begin(&mut tx, actor, id, &change, options, &plan).await?)
                    }
                    SchedulingState::Online if fill_back => {
                        Some(self.fill_back_begin(&mut tx, actor, id, &change, options).await?)
                    }
                    SchedulingState::Online | SchedulingState::Locked => None,
                }
            }
        };
        tx.commit().await?;
        self.tell(&told);
        let detail = if drain.is_some() { Some(self.drain_get(id).await?) } else { None };
        Ok((server, detail))
    }

    /// What a drain of the server would do with each of its pods. Writes nothing.
    pub async fn drain_preview(&self, server: ServerId, options: &Options) -> Result<Vec<PlanRow>> {
        let pods = {
            let mut read = self.db.read().await?;
            self.servers.server_get(read.conn(), server).await?;
            self.pods.pods_of_server(read.conn(), server).await?
        };
        let vmids: Vec<u32> = pods.iter().filter_map(|pod| pod.vmid).collect();
        let checks = self.checks(server, vmids).await;
        let mut read = self.db.read().await?;
        self.plan_make(read.conn(), server, &pods, &checks, options).await
    }

    async fn checks(&self, server: ServerId, vmids: Vec<u32>) -> HashMap<u32, MigrateCheck> {
        if vmids.is_empty() {
            return HashMap::new();
        }
        match self.querier.migrate_checks(server, vmids, CHECKS_WITHIN).await {
            Ok(checks) => checks.into_iter().map(|check| (check.vmid, check)).collect(),
            Err(error) => {
                tracing::info!(%server, %error, "a drain is planned without what its host could say");
                HashMap::new()
            }
        }
    }

    /// The newest drain of a server, with its plan; 404 when there was none.
    pub async fn drain_get(&self, server: ServerId) -> Result<Detail> {
        let mut read = self.db.read().await?;
        let record = self.servers.server_get(read.conn(), server).await?;
        let drain = store::drain_newest(read.conn(), server).await?;
        let drain = drain.ok_or_else(|| Error::not_found("drain of the server", &record.name))?;
        let pods = store::pods(read.conn(), drain.id).await?;
        Ok(Detail { drain, server: record.name, pods })
    }

    /// Finds drains that cannot go on by themselves, as far as is known now.
    pub async fn blocked_check(&self, mut conn: Conn<'_>) -> Result<Findings> {
        let mut found = Findings::default();
        let mut after = None;
        loop {
            let page = store::drains_blocked_page(conn.again(), after, PAGE).await?;
            let Some((last, ..)) = page.last() else { return Ok(found) };
            after = Some(*last);
            for (_, server, since, note) in page {
                let cure = format!(
                    "see what keeps each pod there (`mpanel server drain {server} --preview`) and put it right, drain it again with \
                     another deadline or other options, or give it up (`mpanel server online {server}`)"
                );
                let finding = Finding { subject: format!("server {server}"), since: Some(since), detail: note, cure };
                if !found.push(finding) {
                    return Ok(found);
                }
            }
        }
    }

    /// Cancels the server's drain: no further move begins; what is under way ends, and the plan says where. The server stays
    /// closed to new pods.
    pub async fn drain_cancel(&self, actor: &Actor, server: ServerId) -> Result<Detail> {
        let mut tx = self.db.begin().await?;
        let record = self.servers.server_get(tx.conn(), server).await?;
        let Some(open) = store::drain_open(&mut tx, server).await? else {
            return Err(Error::conflict("no_drain", format!("no drain of the server {} is under way", record.name)));
        };
        let told = self.cancel_in(&mut tx, actor, open).await?;
        if record.scheduling.state == SchedulingState::Draining {
            let reason = record.scheduling.reason.clone();
            let change = StatusChange { status: SchedulingState::Locked, reason, deadline: None };
            self.servers.server_status_set_in(&mut tx, actor, server, None, change).await?;
        }
        tx.commit().await?;
        self.tell(&told);
        self.drain_get(server).await
    }

    pub(super) fn tell(&self, cancelled: &[Job]) {
        for job in cancelled {
            self.jobs.job_cancel_tell(job);
        }
    }

    /// Moves that have not begun are cancelled with it; the others end.
    async fn cancel_in(&self, tx: &mut Tx, actor: &Actor, drain: Drain) -> Result<Vec<Job>> {
        let rows = store::pods(tx.conn(), drain.id).await?;
        let told = self.moves_call_off(tx, actor, &rows).await?;
        for mut row in rows {
            if matches!(row.state, PodState::Planned | PodState::Blocked) {
                row.state = PodState::Left;
                store::pod_store(tx, drain.id, &row, self.clock.now()).await?;
            }
        }
        self.state_set(tx, actor, &drain, DrainState::Cancelled, "it was cancelled").await?;
        Ok(told)
    }

    /// Cancels the moves that have no order out: they wait for their turn, or for a place at their host. Those jobs.
    pub(super) async fn moves_call_off(&self, tx: &mut Tx, actor: &Actor, rows: &[DrainPod]) -> Result<Vec<Job>> {
        let may_wait = |row: &&DrainPod| {
            row.state == PodState::Moving && matches!(row.job_state, Some(JobState::Queued | JobState::Running))
        };
        let mut told = Vec::new();
        for job in rows.iter().filter(may_wait).filter_map(|row| row.job) {
            if !self.jobs.is_idle(tx, job).await? {
                continue;
            }
            match self.jobs.job_cancel_in(tx, actor, Scope::Platform, job).await {
                Ok(job) => told.push(job),
                // It has begun to undo by itself, or is over.
                Err(Error::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(told)
    }

    async fn drain_begin(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        server: ServerId,
        change: &StatusChange,
        options: Options,
        plan: &[PlanRow],
    ) -> Result<Drain> {
        let drain = self.drain_insert(tx, actor, server, Kind::Drain, change, options).await?;
        for row in plan {
            store::pod_insert(tx, &drain, row, self.limits.tries_max).await?;
        }
        Ok(drain)
    }

    async fn fill_back_begin(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        server: ServerId,
        change: &StatusChange,
        options: Options,
    ) -> Result<Drain> {
        let drain = self.drain_insert(tx, actor, server, Kind::FillBack, change, options).await?;
        self.newcomers_note(tx, &drain).await?;
        Ok(drain)
    }

    async fn drain_insert(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        server: ServerId,
        kind: Kind,
        change: &StatusChange,
        options: Options,
    ) -> Result<Drain> {
        let now = self.clock.now();
        let drain = Drain {
            id: DrainId::generate(),
            server,
            kind,
            state: DrainState::Running,
            reason: change.reason.clone(),
            deadline: change.deadline,
            options,
            note: String::new(),
            created_by: actor.to_string(),
            created_at: now,
            updated_at: now,
            finished_at: None,
        };
        store::drain_insert(tx, &drain).await?;
        self.record(tx, actor, &drain, "drain.started", "").await?;
        Ok(drain)
    }

    /// The same drain goes on, with what is wanted of it now; what was given up is tried again.
    async fn drain_repeat(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        open: Drain,
        change: &StatusChange,
        options: Options,
    ) -> Result<Drain> {
        let now = self.clock.now();
        let drain = Drain {
            state: DrainState::Running,
            reason: change.reason.clone(),
            deadline: change.deadline,
            options,
            note: String::new(),
            updated_at: now,
            ..open
        };
        store::drain_store(tx, &drain).await?;
        for mut row in store::pods(tx.conn(), drain.id).await? {
            if row.state == PodState::Blocked {
                row = DrainPod {
                    state: PodState::Planned,
                    attempts: 0,
                    avoid: Vec::new(),
                    blocker: String::new(),
                    run_at: now,
                    ..row
                };
                store::pod_store(tx, drain.id, &row, now).await?;
            }
        }
        self.record(tx, actor, &drain, "drain.repeated", "").await?;
        Ok(drain)
    }

    /// Stores where a drain is now, with audit and event.
    pub(super) async fn state_set(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        drain: &Drain,
        state: DrainState,
        note: &str,
    ) -> Result<()> {
        let now = self.clock.now();
        let finished_at = (!state.is_open()).then_some(now);
        let after = Drain { state, note: note.to_owned(), updated_at: now, finished_at, ..drain.clone() };
        store::drain_store(tx, &after).await?;
        let action = match state {
            DrainState::Running => "drain.running",
            DrainState::Blocked => "drain.blocked",
            DrainState::Done => "drain.done",
            DrainState::Cancelled => "drain.cancelled",
        };
        self.record(tx, actor, &after, action, note).await
    }

    async fn record(&self, tx: &mut Tx, actor: &Actor, drain: &Drain, action: &str, note: &str) -> Result<()> {
        let (now, server) = (self.clock.now(), drain.server.to_string());
        let detail = json!({ "drain_id": drain.id, "kind": drain.kind, "deadline": drain.deadline, "note": note });
        let record = Record { actor, tenant: None, action, target_kind: "server", target_id: server.clone() };
        audit_append(tx, now, record, &detail).await?;
        event_append(tx, now, Event { tenant: None, name: action, subject: server }, &detail).await
    }
}

//! How a drain goes on: what its jobs came to, which pods are next, whether it is over. One transaction a drain; whoever runs
//! it holds the drain's row, so that several control planes take turns.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::plan::{NO_VM, destination, method_of};
use super::service::Service;
use super::{Drain, DrainPod, DrainState, Kind, PodState, store};
use crate::db::Tx;
use crate::domain::audit::Actor;
use crate::domain::cloudpods::Named;
use crate::domain::cloudpods::moves::{MoveWish, Terrain};
use crate::domain::cloudpods::sagas::MigrateParams;
use crate::domain::jobs::JobState;
use crate::domain::servers::Method;
use crate::domain::servers::stamped::StampedVm;
use crate::error::{Error, Result};
use crate::ids::{DrainId, ServerId};

/// The wait before a pod's next try; it grows with the tries.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// Until a pod that cannot be moved as things are is looked at again, and one that found its room taken.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// How many VMs that no drain moves are named.
const STRAYS_NAMED_MAX: usize = 10;

fn actor() -> Actor {
    Actor::system("drains")
}

/// What has been begun in this run, and the ground that it is on.
struct Ground {
    terrains: HashMap<ServerId, Terrain>,
    /// How many moves go to each server.
    towards: HashMap<ServerId, u32>,
}

impl Service {
    /// Takes every drain that is under way further; how many changed.
    pub async fn drains_run(&self) -> Result<u64> {
        let live = store::drains_live(self.db.read().await?.conn()).await?;
        let mut changed = 0;
        for id in live {
            match self.drain_advance(id).await {
                Ok(news) => changed += u64::from(news),
                // The others go on, and this one has its turn again.
                Err(error) => tracing::warn!(drain = %id, %error, cause = ?error, "a drain did not go on"),
            }
        }
        Ok(changed)
    }

    async fn drain_advance(&self, id: DrainId) -> Result<bool> {
        let mut tx = self.db.begin().await?;
        let Some(drain) = store::drain_lock(&mut tx, id).await? else { return Ok(false) };
        let late = drain.deadline.is_some_and(|deadline| deadline <= self.clock.now());
        let mut changed = self.newcomers_note(&mut tx, &drain).await?;
        let mut rows = store::pods(tx.conn(), id).await?;
        let mut told = Vec::new();
        for row in &mut rows {
            if self.follow(&drain, row, late) {
                store::pod_store(&mut tx, id, row, self.clock.now()).await?;
                changed = true;
            }
        }
        if drain.state.is_open() {
            if late {
                told = self.moves_call_off(&mut tx, &actor(), &rows).await?;
                changed |= !told.is_empty();
            } else {
                changed |= self.moves_begin(&mut tx, &drain, &mut rows).await?;
            }
            changed |= self.judge(&mut tx, &drain, &rows, late).await?;
        }
        if changed {
            tx.commit().await?;
        }
        self.tell(&told);
        Ok(changed)
    }

    /// What is to be moved and the plan does not know: a pod that came after it was made, by a job that had begun before; a pod
    /// that the drain before a filling took away, by a move that ended only now.
    pub(super) async fn newcomers_note(&self, tx: &mut Tx, drain: &Drain) -> Result<bool> {
        if !drain.state.is_open() {
            return Ok(false);
        }
        let rows = match drain.kind {
            Kind::Drain => store::newcomers(tx.conn(), drain).await?,
            Kind::FillBack => store::pods_away(tx.conn(), drain).await?,
        };
        for row in &rows {
            store::pod_insert(tx, drain, row, self.limits.tries_max).await?;
        }
        Ok(!rows.is_empty())
    }

    /// Takes in what became of a pod; whether that is news.
    fn follow(&self, drain: &Drain, row: &mut DrainPod, late: bool) -> bool {
        let before = row.clone();
        let arrived = match drain.kind {
            Kind::Drain => row.at != Some(drain.server),
            Kind::FillBack => row.at == Some(drain.server),
        };
        let deleted = row.pod_state == "deleted";
        match (row.state, row.job_state) {
            (PodState::Planned | PodState::Blocked, _) if deleted || (arrived && drain.kind == Kind::Drain) => {
                row.state = PodState::Gone;
                row.blocker.clear();
            }
            (PodState::Planned | PodState::Blocked, _) if arrived => row.state = PodState::Moved,
            (PodState::Moving, Some(JobState::Stuck)) => {
                let detail = row.job_error.as_ref().map_or("", |(_, detail)| detail.as_str());
                row.blocker = format!("its move is stuck: {detail}; put that right, and retry its job");
            }
            (PodState::Moving, Some(state)) if state.is_final() => {
                row.blocker.clear();
                if let Some((_, detail)) = &row.job_error {
                    row.error.clone_from(detail);
                }
                match (deleted, arrived, drain.state.is_open()) {
                    (true, ..) => row.state = PodState::Gone,
                    (false, true, _) => row.state = PodState::Moved,
                    (false, false, false) => row.state = PodState::Left,
                    // Its turn did not come before the deadline.
                    (false, false, true) if late && state == JobState::Cancelled => row.state = PodState::Planned,
                    (false, false, true) => self.failed(row, state),
                }
            }
            (PodState::Moving, _) => row.blocker.clear(),
            _ => {}
        }
        *row != before
    }

    /// Its move has failed: to another server next, unless that would change nothing.
    fn failed(&self, row: &mut DrainPod, state: JobState) {
        let (code, now) = (row.job_error.as_ref().map_or("", |(code, _)| code.as_str()), self.clock.now());
        row.state = PodState::Planned;
        row.run_at = now.plus(RETRY_AFTER * (row.attempts + 1));
        if state == JobState::Cancelled {
            row.attempts = self.limits.tries_max;
            "somebody cancelled its move; repeat the drain to try again".clone_into(&mut row.blocker);
        } else if matches!(code, "proxmox_refused" | "cloudpod_running" | "deadline" | "vm_missing") {
            row.attempts = self.limits.tries_max;
        } else if matches!(code, "no_capacity" | "cloudpod_moving") {
            row.run_at = now.plus(LOOK_AGAIN_AFTER);
        } else {
            row.attempts += 1;
            row.avoid.extend(row.target.as_ref().map(|target| target.id));
        }
        if row.attempts >= self.limits.tries_max {
            row.state = PodState::Blocked;
            if row.blocker.is_empty() {
                row.blocker.clone_from(&row.error);
            }
        }
    }

    /// Begins as many moves as the limits allow.
    async fn moves_begin(&self, tx: &mut Tx, drain: &Drain, rows: &mut [DrainPod]) -> Result<bool> {
        let now = self.clock.now();
        let due = |row: &DrainPod| {
            matches!(row.state, PodState::Planned | PodState::Blocked)
                && row.run_at <= now
                && row.attempts < self.limits.tries_max
        };
        let moving = |rows: &[DrainPod]| rows.iter().filter(|r| r.state == PodState::Moving && !r.is_stuck()).count();
        if !rows.iter().any(due) || moving(rows) >= self.limits.at_once as usize {
            return Ok(false);
        }
        let mut ground = Ground { terrains: HashMap::new(), towards: HashMap::new() };
        for (_, target) in self.servers.moves_count(tx.conn()).await? {
            *ground.towards.entry(target).or_default() += 1;
        }
        // Those that are queued hold nothing of their target yet.
        let queued = rows.iter().filter(|r| r.state == PodState::Moving && r.job_state == Some(JobState::Queued));
        for target in queued.filter_map(|row| row.target.as_ref()) {
            *ground.towards.entry(target.id).or_default() += 1;
        }
        let mut changed = false;
        for at in 0..rows.len() {
            if moving(rows) >= self.limits.at_once as usize {
                break;
            }
            let before = rows[at].clone();
            if due(&before) {
                self.move_begin(tx, drain, &mut rows[at], &mut ground).await?;
                if rows[at] != before {
                    store::pod_store(tx, drain.id, &rows[at], now).await?;
                    changed = true;
                }
            }
        }
        Ok(changed)
    }

    /// Queues the move of one pod, or says what keeps it.
    async fn move_begin(&self, tx: &mut Tx, drain: &Drain, row: &mut DrainPod, ground: &mut Ground) -> Result<()> {
        let pod = self.pods.pod_read(tx.conn(), row.pod).await?;
        let Some(source) = pod.server.as_ref().map(|server| server.id) else {
            self.block(row, NO_VM.to_owned());
            return Ok(());
        };
        let home = (drain.kind == Kind::FillBack).then_some(drain.server);
        let wish = MoveWish { target: home, avoid: row.avoid.clone(), ..MoveWish::default() };
        let ask = self.pods.move_ask(tx.conn(), &pod, wish).await?;
        let terrain = match ground.terrains.remove(&source) {
            Some(terrain) => terrain,
            None => self.pods.move_terrain(tx.conn(), source).await?,
        };
        let terrain = ground.terrains.entry(source).or_insert(terrain);
        let limit = self.limits.per_target;
        let full: HashSet<_> = ground.towards.iter().filter(|(_, n)| **n >= limit).map(|(id, _)| *id).collect();
        let chosen = match destination(&pod, terrain, &ask, &full) {
            Ok(chosen) => chosen,
            Err(_) if !full.is_empty() && destination(&pod, terrain, &ask, &HashSet::new()).is_ok() => {
                // There is room, and others are on their way there: its turn comes.
                row.state = PodState::Planned;
                row.blocker.clear();
                return Ok(());
            }
            Err(blocker) => {
                self.block(row, blocker);
                return Ok(());
            }
        };
        let target = chosen.choice.server;
        let params = MigrateParams {
            wish: MoveWish { target: Some(target), ..MoveWish::default() },
            with_local_disks: true,
            allow_shutdown: drain.options.allow_shutdown,
            shutdown_s: drain.options.shutdown_s,
        };
        let job = match self.pods.migrate_queue(tx, &actor(), &pod, &params).await {
            Ok(job) => job,
            Err(error @ Error::Conflict { .. }) => {
                self.block(row, error.to_string());
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        terrain.take(&ask, &chosen);
        *ground.towards.entry(target).or_default() += 1;
        row.state = PodState::Moving;
        row.method = Some(method_of(&pod, chosen.remote));
        row.target = Some(Named { id: target, name: chosen.choice.name });
        row.job = Some(job.id);
        row.job_state = Some(job.state);
        row.job_error = None;
        row.blocker.clear();
        Ok(())
    }

    fn block(&self, row: &mut DrainPod, blocker: String) {
        row.state = PodState::Blocked;
        row.blocker = blocker;
        row.run_at = self.clock.now().plus(LOOK_AGAIN_AFTER);
    }

    /// Where the drain is now.
    async fn judge(&self, tx: &mut Tx, drain: &Drain, rows: &[DrainPod], late: bool) -> Result<bool> {
        let open = rows.iter().filter(|row| row.state.is_open()).count();
        let held = rows.iter().filter(|row| row.state == PodState::Blocked || row.is_stuck()).count();
        let (state, note) = if open > 0 {
            match (late, held == open) {
                (true, _) => (
                    DrainState::Blocked,
                    format!("its deadline has passed, and {open} pod(s) are not moved; repeat it"),
                ),
                (false, true) => {
                    (DrainState::Blocked, format!("{held} pod(s) cannot be moved as things are: see their blockers"))
                }
                (false, false) => (DrainState::Running, String::new()),
            }
        } else if drain.kind == Kind::FillBack {
            match store::moves_away_count(tx.conn(), drain.server).await? {
                0 => (DrainState::Done, String::new()),
                n => (
                    DrainState::Running,
                    format!("{n} pod(s) are still on their way from it, and come back after that"),
                ),
            }
        } else {
            self.judge_left(tx, drain, rows, late).await?
        };
        if (state, &note) == (drain.state, &drain.note) {
            return Ok(false);
        }
        self.state_set(tx, &actor(), drain, state, &note).await?;
        Ok(true)
    }

    /// Where a drain is that has no pod left to move: done when nobody holds anything of the server, and its host says so too.
    /// Templates are no pods, and stay.
    async fn judge_left(
        &self,
        tx: &mut Tx,
        drain: &Drain,
        rows: &[DrainPod],
        late: bool,
    ) -> Result<(DrainState, String)> {
        let pods = self.servers.pods_holding(tx.conn(), drain.server).await?;
        let vms = self.servers.vms_stamped(tx.conn(), drain.server).await?.unwrap_or_default();
        if pods == 0 && vms.is_empty() {
            return Ok((DrainState::Done, String::new()));
        }
        let strays = self.strays(tx, rows, &vms).await?;
        if !strays.is_empty() {
            let note = format!(
                "VM(s) with our stamp are on it that no drain moves: {}; `mpanel drift list` says what each is and what to do",
                strays.join(", ")
            );
            return Ok((DrainState::Blocked, note));
        }
        let state = if late { DrainState::Blocked } else { DrainState::Running };
        let seen = vms.len();
        Ok((state, format!("{pods} pod(s) still hold something of it, and {seen} VM(s) of ours were seen on it")))
    }

    /// Those of a host's VMs that are the own one of no pod that was moved away or deleted: of such a one the host has only not
    /// said yet that it is gone.
    async fn strays(&self, tx: &mut Tx, rows: &[DrainPod], vms: &[StampedVm]) -> Result<Vec<String>> {
        let ids: Vec<_> = vms.iter().map(|vm| vm.pod).collect();
        let pods = self.pods.pods_brief(tx.conn(), &ids).await?;
        let is_own = |vm: &StampedVm, row: &DrainPod| {
            let vmid = pods.get(&vm.pod).and_then(|pod| pod.vmid);
            // In another cluster it has another number.
            row.pod == vm.pod && (row.method == Some(Method::Remote) || vmid.is_none_or(|vmid| vmid == vm.vmid))
        };
        let mut strays = vms.iter().filter(|vm| !rows.iter().any(|row| is_own(vm, row)));
        let mut named: Vec<_> =
            strays.by_ref().take(STRAYS_NAMED_MAX).map(|vm| format!("{} ({})", vm.vmid, vm.name)).collect();
        named.extend(strays.next().map(|_| "…".to_owned()));
        Ok(named)
    }
}

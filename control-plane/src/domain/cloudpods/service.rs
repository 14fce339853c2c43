//! What others may do with pods.

use std::sync::Arc;

use serde_json::json;

use super::create::{found, pod_new, taken};
use super::sagas::{Books, DestroyParams, PowerParams, RebootParams, ShutdownParams, kind};
use super::{
    CloudPod, CloudPodCreate, CloudPodPatch, DesiredPower, Detail, Filter, Find, PodKey, State, Wish, check, store,
};
use crate::db::{Conn, Db, Tx, Window};
use crate::domain::access::{Permission, Permissions};
use crate::domain::audit::{Actor, Record, Scope, audit_append};
use crate::domain::check::Checks;
use crate::domain::jobs::service::Service as Jobs;
use crate::domain::jobs::{Job, JobState, NewJob};
use crate::domain::plans::service::Service as Plans;
use crate::domain::scheduling::{Decision, Placement, Reason, Request};
use crate::domain::sort::AgeOrName;
use crate::domain::tenants::quotas;
use crate::domain::tenants::service::Service as Tenants;
use crate::error::{Error, Result, is_unique_violation};
use crate::events::{Event, event_append};
use crate::ids::{BackupId, CloudPodId, TenantId};

/// The most jobs of one pod that may wait at once.
pub(super) const JOBS_PER_POD_MAX: usize = 16;

/// The service of this slice.
#[derive(Clone)]
pub struct Service {
    pub(super) db: Db,
    pub(super) books: Arc<Books>,
    pub(super) tenants: Arc<Tenants>,
    pub(super) plans: Arc<Plans>,
    pub(super) jobs: Jobs,
}

impl Service {
    /// Over the same books as the sagas.
    #[must_use]
    pub fn new(db: Db, books: Arc<Books>, tenants: Arc<Tenants>, plans: Arc<Plans>, jobs: Jobs) -> Self {
        Self { db, books, tenants, plans, jobs }
    }

    /// Makes a pod and the job that provisions it. `Invalid` with every wrong field; `NoCapacity` when at present no server
    /// could take it: nothing is made then. A live pod of the same name is a conflict.
    pub async fn cloudpod_create(&self, actor: &Actor, scope: Scope, input: CloudPodCreate) -> Result<(Detail, Job)> {
        let mut read = self.db.read().await?;
        let resolved = self.create_resolve(read.conn(), scope, &input).await?;
        let pod = pod_new(&input.name, resolved, self.books.clock.now());
        self.name_free(read.conn(), &pod).await?;
        let request = request_of(&self.books, read.conn(), &pod).await?;
        let decision = self.books.scheduling.placement_decide(read.conn(), &request).await?;
        if decision.chosen.is_none() {
            return Err(decision.explanation.no_capacity());
        }
        drop(read);
        let new = NewJob {
            kind: kind::PROVISION,
            tenant: Some(pod.tenant),
            pod: Some(pod.id),
            server: None,
            params: json!({}),
        };
        let detail = json!({ "name": pod.name, "plan": pod.plan.name, "image": pod.image.name });
        self.pod_begin(actor, pod, new, detail, None).await
    }

    /// Refuses a name that another live pod of the tenant has.
    pub(super) async fn name_free(&self, conn: Conn<'_>, pod: &CloudPod) -> Result<()> {
        match store::pod_live_by_name(conn, pod.tenant, &pod.name).await? {
            Some(taken) => Err(name_taken(&pod.name, taken)),
            None => Ok(()),
        }
    }

    /// Stores a new pod and the job that makes it, within its tenant's quotas.
    pub(super) async fn pod_begin(
        &self,
        actor: &Actor,
        pod: CloudPod,
        new: NewJob,
        mut detail: serde_json::Value,
        source: Option<BackupId>,
    ) -> Result<(Detail, Job)> {
        let mut tx = self.db.begin().await?;
        let tenant = quotas::hold(&mut tx, pod.tenant).await?;
        tenant.open()?;
        if let Some(backup) = source
            && !self.books.backups.backup_hold(&mut tx, backup).await?
        {
            return Err(Error::conflict("backup_state", "the backup was deleted meanwhile: choose another one"));
        }
        tenant.require(&mut tx, taken(&pod, pod.wish.pools.len())).await?;
        if let Err(error) = store::pod_insert(&mut tx, &pod).await {
            return if is_unique_violation(&error) {
                drop(tx);
                Err(self.name_conflict(pod.tenant, &pod.name).await?)
            } else {
                Err(error.into())
            };
        }
        let job = self.jobs.job_create(&mut tx, actor, new).await?;
        detail["job_id"] = json!(job.id);
        self.record(&mut tx, actor, &pod, "cloudpod.created", &detail).await?;
        tx.commit().await?;
        Ok((Detail { pod, addresses: Vec::new() }, job))
    }

    /// Where a pod like this would go at present; nothing is held.
    pub async fn placement_preview(&self, scope: Scope, mut input: CloudPodCreate) -> Result<Decision> {
        "preview".clone_into(&mut input.name);
        let mut read = self.db.read().await?;
        let resolved = self.create_resolve(read.conn(), scope, &input).await?;
        let pod = pod_new(&input.name, resolved, self.books.clock.now());
        let request = request_of(&self.books, read.conn(), &pod).await?;
        self.books.scheduling.placement_decide(read.conn(), &request).await
    }

    /// A pod, deleted ones included: whoever deleted it may watch it go.
    pub async fn cloudpod_get(&self, scope: Scope, id: CloudPodId) -> Result<Detail> {
        let mut read = self.db.read().await?;
        let pod = store::pod_get(read.conn(), scope, id).await?.ok_or_else(|| not_found(id))?;
        let addresses = self.books.ipam.addresses_of(read.conn(), id).await?;
        Ok(Detail { pod, addresses })
    }

    /// A page of pods, with their addresses. `Invalid` when it names a plan that does not exist, or sorts deleted ones by name.
    pub async fn cloudpod_list(&self, scope: Scope, find: Find, window: Window<PodKey>) -> Result<Vec<Detail>> {
        let Find { state, server, plan, name_prefix, address, sort } = find;
        let sort = sort.unwrap_or(AgeOrName::Newest);
        let mut read = self.db.read().await?;
        let mut checks = Checks::new();
        let plan = match plan {
            None => None,
            Some(plan) => found(&mut checks, "plan_id", self.plans.plan_find(read.conn(), &plan).await)?,
        };
        let by_name = matches!(sort, AgeOrName::Name | AgeOrName::NameBackwards);
        checks.require(
            !(by_name && state == Some("deleted")),
            "sort",
            "deleted CloudPods are listed by created_at alone: sort by that, or ask for another state",
        );
        checks.finish()?;
        let id = match address {
            None => None,
            Some(address) => match self.books.ipam.holder_of(read.conn(), address).await? {
                None => return Ok(Vec::new()),
                holder => holder,
            },
        };
        let filter = Filter { state, server, plan: plan.map(|plan| plan.id), name_prefix, id, sort };
        let pods = store::pod_list(read.conn(), scope, &filter, window).await?;
        let ids: Vec<_> = pods.iter().map(|pod| pod.id).collect();
        let mut addresses = self.books.ipam.addresses_of_pods(read.conn(), &ids).await?;
        Ok(pods
            .into_iter()
            .map(|pod| Detail { addresses: addresses.remove(&pod.id).unwrap_or_default(), pod })
            .collect())
    }

    /// Changes a pod's record; its VM keeps the name that it was made with. `version`: what the caller read, if it said so.
    pub async fn cloudpod_update(
        &self,
        actor: &Actor,
        scope: Scope,
        id: CloudPodId,
        version: Option<i64>,
        patch: CloudPodPatch,
    ) -> Result<Detail> {
        let CloudPodPatch { name, server } = patch;
        let mut checks = Checks::new();
        if let Some(Err(message)) = name.as_deref().map(check::name) {
            checks.wrong("name", message);
        }
        let mut tx = self.db.begin().await?;
        let pod = store::pod_lock(&mut tx, scope, id).await?.ok_or_else(|| not_found(id))?;
        if version.is_some_and(|version| version != pod.version) {
            return Err(Error::Stale);
        }
        let pinned = match server {
            None => pod.wish.server,
            Some(None) => None,
            Some(Some(server)) => {
                let server = self.books.servers.server_find(tx.conn(), &server).await;
                found(&mut checks, "server", server)?.map(|server| server.id)
            }
        };
        checks.finish()?;
        let name = name.unwrap_or_else(|| pod.name.clone());
        if (&name, pinned) != (&pod.name, pod.wish.server) {
            pod.state.update()?;
            let wish = Wish { server: pinned, ..pod.wish.clone() };
            match store::pod_update(&mut tx, id, pod.version, &name, &wish, self.books.clock.now()).await {
                Ok(true) => {}
                Ok(false) => return Err(Error::Stale),
                Err(error) if is_unique_violation(&error) => {
                    drop(tx);
                    return Err(self.name_conflict(pod.tenant, &name).await?);
                }
                Err(error) => return Err(error.into()),
            }
            let detail = json!({
                "before": { "name": pod.name, "pinned_to": pod.wish.server },
                "after": { "name": name, "pinned_to": pinned },
            });
            self.record(&mut tx, actor, &pod, "cloudpod.updated", &detail).await?;
        }
        tx.commit().await?;
        self.cloudpod_get(scope, id).await
    }

    /// Starts it.
    pub async fn cloudpod_start(&self, actor: &Actor, scope: Scope, id: CloudPodId) -> Result<(Detail, Job)> {
        self.power_change(actor, (scope, id), None, PowerChange::Start).await
    }

    /// Cuts its power.
    pub async fn cloudpod_stop(&self, actor: &Actor, scope: Scope, id: CloudPodId) -> Result<(Detail, Job)> {
        self.power_change(actor, (scope, id), None, PowerChange::Stop).await
    }

    /// Asks its guest to shut down within `timeout_s`; `force`: cut the power afterwards.
    pub async fn cloudpod_shutdown(
        &self,
        actor: &Actor,
        scope: Scope,
        id: CloudPodId,
        timeout_s: u64,
        force: bool,
    ) -> Result<(Detail, Job)> {
        guest_time_check(timeout_s)?;
        self.power_change(actor, (scope, id), None, PowerChange::Shutdown { timeout_s, force }).await
    }

    /// Asks its guest to restart within `timeout_s`.
    pub async fn cloudpod_reboot(
        &self,
        actor: &Actor,
        scope: Scope,
        id: CloudPodId,
        timeout_s: u64,
    ) -> Result<(Detail, Job)> {
        guest_time_check(timeout_s)?;
        self.power_change(actor, (scope, id), None, PowerChange::Reboot { timeout_s }).await
    }

    /// Removes a pod: cancels what can be cancelled of its other jobs, and queues its removal behind the rest. Asked again
    /// while that is under way, or when it is over, it gives the same job. What the caller may do, `grant`, decides who may stop it;
    /// a customer cannot delete a pod that is just being suspended, or they would get out of that by cancelling afterwards.
    pub async fn cloudpod_destroy(
        &self,
        actor: &Actor,
        (scope, grant): (Scope, Permissions),
        id: CloudPodId,
    ) -> Result<(Detail, Job)> {
        let by_platform = grant.has(Permission::CloudpodsManage);
        let mut tx = self.db.begin().await?;
        store::pod_get(tx.conn(), scope, id).await?.ok_or_else(|| not_found(id))?;
        // Jobs before the pod, as the engine takes them: two writers that go the other way round would lock each other out.
        let mut cancelled = Vec::new();
        for job in self.jobs.jobs_live_of_pod(tx.conn(), id).await? {
            if job.kind == kind::SUSPEND && !by_platform {
                let detail = "the platform is suspending the pod: delete it when that is over";
                return Err(Error::conflict("cloudpod_busy", detail));
            }
            if job.kind != kind::DESTROY && job.state != JobState::Undoing && !job.cancel_requested {
                match self.jobs.job_cancel_in(&mut tx, actor, scope, job.id).await {
                    Ok(job) => cancelled.push(job),
                    // It is over, or past its point of no return: the removal waits for it.
                    Err(Error::Conflict { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        let pod = store::pod_lock(&mut tx, scope, id).await?.ok_or_else(|| not_found(id))?;
        let live = self.jobs.jobs_live_of_pod(tx.conn(), id).await?;
        if let (State::Deleting, Some(job)) = (&pod.state, live.into_iter().find(|job| job.kind == kind::DESTROY)) {
            tx.commit().await?;
            return Ok((self.cloudpod_get(scope, id).await?, job));
        }
        if let State::Deleted { .. } = pod.state
            && let Some(job) = self.jobs.job_newest_of_pod(tx.conn(), id, kind::DESTROY).await?
        {
            drop(tx);
            return Ok((self.cloudpod_get(scope, id).await?, job));
        }
        let was = pod.state.as_str().to_owned();
        let failure = if let State::Failed { cause } = &pod.state { Some(cause.clone()) } else { None };
        let to = pod.state.clone().destroy_begin()?;
        if !store::pod_state_set(&mut tx, id, pod.state.as_str(), &to, self.books.clock.now()).await? {
            return Err(Error::Stale);
        }
        let params = serde_json::to_value(DestroyParams { was, failure, by_platform }).map_err(Error::internal)?;
        let job = self.job(&mut tx, actor, &pod, kind::DESTROY, params).await?;
        let detail = json!({ "name": pod.name, "before": pod.state.as_str(), "after": to.as_str(), "job_id": job.id });
        self.record(&mut tx, actor, &pod, "cloudpod.deleting", &detail).await?;
        tx.commit().await?;
        for job in &cancelled {
            self.jobs.job_cancel_tell(job);
        }
        Ok((self.cloudpod_get(scope, id).await?, job))
    }

    /// Why it is where it is, and not elsewhere; and in which region that is.
    pub async fn placement_get(&self, scope: Scope, id: CloudPodId) -> Result<(Placement, Option<String>)> {
        let mut read = self.db.read().await?;
        let pod = store::pod_get(read.conn(), scope, id).await?.ok_or_else(|| not_found(id))?;
        let placement = self.books.scheduling.placement_get(read.conn(), id).await?;
        let missing = || Error::not_found("placement of the CloudPod, which has not been placed", pod.id);
        let placement = placement.ok_or_else(missing)?;
        let region = match placement.server {
            None => None,
            Some(server) => match self.books.servers.server_get(read.conn(), server).await {
                Ok(server) => Some(server.region),
                Err(Error::NotFound { .. }) => None,
                Err(error) => return Err(error),
            },
        };
        Ok((placement, region))
    }

    /// Starts or stops it, as it is wanted: `Conflict` when somebody wants something else by now.
    pub async fn power_restore(&self, actor: &Actor, id: CloudPodId, wanted: DesiredPower) -> Result<Job> {
        let change = match wanted {
            DesiredPower::Running => PowerChange::Start,
            DesiredPower::Stopped => PowerChange::Stop,
        };
        Ok(self.power_change(actor, (Scope::Platform, id), Some(wanted), change).await?.1)
    }

    async fn power_change(
        &self,
        actor: &Actor,
        (scope, id): (Scope, CloudPodId),
        still: Option<DesiredPower>,
        change: PowerChange,
    ) -> Result<(Detail, Job)> {
        let mut tx = self.db.begin().await?;
        let pod = store::pod_lock(&mut tx, scope, id).await?.ok_or_else(|| not_found(id))?;
        if still.is_some_and(|still| still != pod.desired_power) {
            let detail = format!("the pod {} is wanted {} by now", pod.name, pod.desired_power.as_str());
            return Err(Error::conflict("drift_over", detail));
        }
        pod.state.power_change(change.wanted())?;
        if matches!(change, PowerChange::Reboot { .. }) && pod.desired_power == DesiredPower::Stopped {
            let detail = "the pod is meant to be stopped, so it cannot be rebooted: start it";
            return Err(Error::conflict("cloudpod_stopped", detail));
        }
        if self.jobs.jobs_live_of_pod(tx.conn(), id).await?.len() >= JOBS_PER_POD_MAX {
            let detail =
                format!("{JOBS_PER_POD_MAX} jobs of this pod wait already: wait for some to end, or cancel them");
            return Err(Error::conflict("cloudpod_busy", detail));
        }
        if let Some(desired) = change.desired() {
            store::pod_desire(&mut tx, id, desired, self.books.clock.now()).await?;
        }
        let params = change.params(pod.desired_power)?;
        let job = self.job(&mut tx, actor, &pod, change.kind(), params).await?;
        let detail = json!({ "job_id": job.id });
        self.record(&mut tx, actor, &pod, change.event(), &detail).await?;
        tx.commit().await?;
        Ok((self.cloudpod_get(scope, id).await?, job))
    }

    pub(super) async fn job(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        pod: &CloudPod,
        kind: &'static str,
        params: serde_json::Value,
    ) -> Result<Job> {
        let server = pod.server.as_ref().map(|server| server.id);
        let new = NewJob { kind, tenant: Some(pod.tenant), pod: Some(pod.id), server, params };
        self.jobs.job_create(tx, actor, new).await
    }

    pub(super) async fn record(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        pod: &CloudPod,
        action: &str,
        detail: &serde_json::Value,
    ) -> Result<()> {
        let now = self.books.clock.now();
        let tenant = Some(pod.tenant);
        let target_id = pod.id.to_string();
        let record = Record { actor, tenant, action, target_kind: "cloudpod", target_id: target_id.clone() };
        audit_append(tx, now, record, detail).await?;
        event_append(tx, now, Event { tenant, name: action, subject: target_id }, detail).await
    }

    pub(super) async fn name_conflict(&self, tenant: TenantId, name: &str) -> Result<Error> {
        let taken = store::pod_live_by_name(self.db.read().await?.conn(), tenant, name).await?;
        Ok(taken.map_or_else(
            || Error::unavailable("a pod of this name went away at this moment; try again"),
            |taken| name_taken(name, taken),
        ))
    }
}

/// What somebody wants of a pod's power.
#[derive(Clone, Copy)]
enum PowerChange {
    Start,
    Stop,
    Shutdown { timeout_s: u64, force: bool },
    Reboot { timeout_s: u64 },
}

impl PowerChange {
    fn kind(self) -> &'static str {
        match self {
            Self::Start => kind::START,
            Self::Stop => kind::STOP,
            Self::Shutdown { .. } => kind::SHUTDOWN,
            Self::Reboot { .. } => kind::REBOOT,
        }
    }

    fn wanted(self) -> &'static str {
        match self {
            Self::Start => "be started",
            Self::Stop => "be stopped",
            Self::Shutdown { .. } => "be shut down",
            Self::Reboot { .. } => "be rebooted",
        }
    }

    fn event(self) -> &'static str {
        match self {
            Self::Start => "cloudpod.start_requested",
            Self::Stop => "cloudpod.stop_requested",
            Self::Shutdown { .. } => "cloudpod.shutdown_requested",
            Self::Reboot { .. } => "cloudpod.reboot_requested",
        }
    }

    fn desired(self) -> Option<DesiredPower> {
        match self {
            Self::Start => Some(DesiredPower::Running),
            Self::Stop | Self::Shutdown { .. } => Some(DesiredPower::Stopped),
            Self::Reboot { .. } => None,
        }
    }

    fn params(self, was: DesiredPower) -> Result<serde_json::Value> {
        let power = PowerParams { was };
        match self {
            Self::Start | Self::Stop => serde_json::to_value(power),
            Self::Shutdown { timeout_s, force } => serde_json::to_value(ShutdownParams { power, timeout_s, force }),
            Self::Reboot { timeout_s } => serde_json::to_value(RebootParams { timeout_s }),
        }
        .map_err(Error::internal)
    }
}

/// What the scheduler is asked about a pod.
pub(super) async fn request_of(books: &Books, mut conn: Conn<'_>, pod: &CloudPod) -> Result<Request> {
    let Wish { region, server, storage, labels, anti_affinity, pools: _ } = pod.wish.clone();
    let seen = books.images.image_templates_seen(conn.again(), pod.image.id).await?;
    // A disk is never made smaller.
    let larger = seen.iter().filter(|(_, template)| template.disk_mib > pod.disk_gib << 10);
    let barred = larger.map(|(server, template)| (*server, template_larger(template.disk_mib, pod.disk_gib)));
    Ok(Request {
        vcpu: pod.vcpu,
        memory_mib: pod.memory_mib,
        disk_gib: pod.disk_gib,
        region,
        server,
        storage,
        labels,
        anti_affinity,
        tenant_pods: store::tenant_pods(conn.again(), pod.tenant, Some(pod.id)).await?,
        kept_apart: store::servers_kept_apart(conn.again(), pod.tenant, pod.id).await?,
        barred: barred.collect(),
        templates: seen.iter().map(|(server, template)| (*server, template.vmid)).collect(),
        ..Request::default()
    })
}

fn template_larger(disk_mib: u64, wanted_gib: u64) -> Reason {
    Reason::TemplateDisk { has_gib: disk_mib.div_ceil(1024), wanted_gib }
}

pub(super) fn guest_time_check(timeout_s: u64) -> Result<()> {
    let mut checks = Checks::new();
    checks.range("timeout_s", timeout_s, 5..=3600);
    checks.finish()
}

pub(super) fn not_found(id: CloudPodId) -> Error {
    Error::not_found("CloudPod", id)
}

fn name_taken(name: &str, taken: CloudPodId) -> Error {
    let detail =
        format!("the tenant has a pod of the name {name} already, {taken}: choose another name or delete that one");
    Error::conflict("cloudpod_name_taken", detail)
}

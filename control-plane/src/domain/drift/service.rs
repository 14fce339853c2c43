//! What can be done with drift.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;

use super::compare::{Difference, Known, differences};
use super::{Action, Drift, Filter, Kind, Policy, store};
use crate::clock::{Clock, Ms};
use crate::db::{Conn, Db, Tx, Window};
use crate::domain::audit::Actor;
use crate::domain::check::Checks;
use crate::domain::cloudpods::DesiredPower;
use crate::domain::cloudpods::service::Service as CloudPods;
use crate::domain::finding::{FINDINGS_MAX, Finding, Findings};
use crate::domain::jobs::Job;
use crate::domain::jobs::service::Service as Jobs;
use crate::domain::servers::service::Service as Servers;
use crate::error::{Error, Result};
use crate::events::{Event, event_append};
use crate::ids::{CloudPodId, DriftId, ServerId};

/// How often an unchanged difference is written down.
const SEEN_EVERY: Duration = Duration::from_mins(1);
/// Hosts and differences that one run looks at in one go.
const BATCH: i64 = 100;

/// What one run of the reconciler did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Hosts that were compared anew.
    pub compared: u64,
    /// Pods for which a job was made.
    pub healed: u64,
}

/// The service of this slice.
pub struct Service {
    db: Db,
    clock: Clock,
    servers: Arc<Servers>,
    cloudpods: Arc<CloudPods>,
    jobs: Arc<Jobs>,
    policy: Policy,
    /// The hosts of jobs that ended until then were compared after their end.
    ends_seen: Mutex<Ms>,
}

impl Service {
    /// Over these slices.
    #[must_use]
    pub fn new(
        db: Db,
        clock: Clock,
        servers: Arc<Servers>,
        cloudpods: Arc<CloudPods>,
        jobs: Arc<Jobs>,
        policy: Policy,
    ) -> Self {
        // What happened before, the hosts tell anew when their agents connect.
        let ends_seen = Mutex::new(clock.now());
        Self { db, clock, servers, cloudpods, jobs, policy, ends_seen }
    }

    /// Compares what a host last showed with what is wanted, and opens, changes and closes what differs. Writes only where
    /// something changed.
    pub async fn server_compare(&self, tx: &mut Tx, server: ServerId) -> Result<()> {
        let now = self.clock.now();
        let open = store::drifts_open(tx.conn(), server).await?;
        // `None`: the host is deleted or lost, or has not told its VMs yet.
        let known = self.known(tx.conn(), server).await?;
        let found = known.as_ref().map(differences).unwrap_or_default();
        let is_untold =
            |drift: &Drift| known.as_ref().is_some_and(|known| known.is_untold((drift.kind, drift.pod, drift.vmid)));
        for drift in open.iter().filter(|drift| !is_untold(drift)) {
            match found.iter().find(|d| is_same(drift, d)) {
                None => self.close(tx, drift, now).await?,
                Some(d) if d.seen != drift.seen || d.expected != drift.expected => {
                    store::drift_update(tx, drift.id, d, now).await?;
                }
                Some(_) => {}
            }
        }
        for difference in found.iter().filter(|d| !d.excused && !open.iter().any(|drift| is_same(drift, d))) {
            let id = DriftId::generate();
            if store::drift_open(tx, id, server, difference, now).await? {
                self.event(tx, now, "drift.opened", id, server, difference).await?;
            }
        }
        if open.iter().any(|drift| now.since(drift.last_seen) >= SEEN_EVERY) {
            store::drifts_seen(tx, server, now, now.minus(SEEN_EVERY)).await?;
        }
        Ok(())
    }

    async fn known(&self, mut conn: Conn<'_>, server: ServerId) -> Result<Option<Known>> {
        let Some(stamped) = self.servers.vms_stamped(conn.again(), server).await? else { return Ok(None) };
        let placed = self.cloudpods.pods_on_server(conn.again(), server).await?;
        let strangers: Vec<CloudPodId> =
            stamped.iter().map(|vm| vm.pod).filter(|pod| !placed.iter().any(|p| p.id == *pod)).collect();
        let mut pods = self.cloudpods.pods_brief(conn.again(), &strangers).await?;
        let nobodys: Vec<_> = strangers.iter().copied().filter(|pod| !pods.contains_key(pod)).collect();
        let images = self.cloudpods.image_vms(conn.again(), &nobodys).await?;
        pods.extend(placed.into_iter().map(|pod| (pod.id, pod)));
        let mut ids: Vec<CloudPodId> = pods.keys().copied().chain(strangers).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut vms = self.servers.vms_of_pods(conn.again(), &ids).await?;
        // While an image is made its VM is no template yet.
        vms.retain(|vm| !images.contains(&(vm.pod, vm.server, vm.vmid)));
        let busy = self.jobs.pods_busy(conn, &ids).await?;
        Ok(Some(Known { server, vms, pods, busy }))
    }

    async fn close(&self, tx: &mut Tx, drift: &Drift, now: Ms) -> Result<()> {
        if store::drift_close(tx, drift.id, now).await? {
            let event = Event { tenant: drift.tenant, name: "drift.closed", subject: drift.id.to_string() };
            let data =
                json!({ "kind": drift.kind, "server_id": drift.server, "cloudpod_id": drift.pod, "vmid": drift.vmid });
            event_append(tx, now, event, &data).await?;
        }
        Ok(())
    }

    async fn event(
        &self,
        tx: &mut Tx,
        now: Ms,
        name: &'static str,
        id: DriftId,
        server: ServerId,
        d: &Difference,
    ) -> Result<()> {
        metrics::counter!("mpanel_drift_opened_total", "kind" => d.kind.as_str()).increment(1);
        let data = json!({
            "kind": d.kind, "server_id": server, "cloudpod_id": d.pod, "vmid": d.vmid, "expected": d.expected, "seen": d.seen,
        });
        event_append(tx, now, Event { tenant: None, name, subject: id.to_string() }, &data).await
    }

    /// The newest first.
    pub async fn drift_list(&self, filter: &Filter, window: Window<DriftId>) -> Result<Vec<Drift>> {
        store::drift_list(self.db.read().await?.conn(), filter, window).await
    }

    /// One, also when it is over.
    pub async fn drift_get(&self, id: DriftId) -> Result<Drift> {
        let mut read = self.db.read().await?;
        store::drift_get(read.conn(), id).await?.ok_or_else(|| Error::not_found("drift", id))
    }

    /// Whether it has not lasted long enough to count.
    #[must_use]
    pub fn is_settling(&self, drift: &Drift) -> bool {
        drift.closed_at.is_none() && self.clock.now().since(drift.since) < drift.kind.settles(self.policy.grace)
    }

    /// Makes what is seen what is wanted: at once, or by a job where hosts have to confirm it first.
    pub async fn drift_accept(&self, actor: &Actor, id: DriftId) -> Result<(Drift, Option<Job>)> {
        let drift = self.open(id, Action::Accept).await?;
        let job = match drift.kind {
            Kind::Moved | Kind::Orphan => {
                self.require_unlocked(&drift).await?;
                Some(self.cloudpods.cloudpod_rehome(actor, drift.pod, drift.server, drift.vmid).await?)
            }
            _ => {
                let mut tx = self.db.begin().await?;
                self.accept_at_once(&mut tx, actor, &drift).await?;
                self.server_compare(&mut tx, drift.server).await?;
                tx.commit().await?;
                None
            }
        };
        Ok((self.drift_get(id).await?, job))
    }

    /// Refuses a VM that something is being done with, or that was left in the midst of it: it is not what the pod was.
    async fn require_unlocked(&self, drift: &Drift) -> Result<()> {
        let vms = self.servers.vms_stamped(self.db.read().await?.conn(), drift.server).await?.unwrap_or_default();
        let Some(vm) = vms.iter().find(|vm| vm.vmid == drift.vmid && !vm.lock.is_empty()) else { return Ok(()) };
        let cure = if matches!(vm.lock.as_str(), "clone" | "create") {
            "it is only half made: destroy it, once no task of it runs any more"
        } else {
            "see that the task that has locked it ends, or unlock it on the host, and ask again"
        };
        let detail = format!("VM {} on {} is locked ({}): {cure}", vm.vmid, drift.server_name, vm.lock);
        Err(Error::conflict("vm_locked", detail))
    }

    async fn accept_at_once(&self, tx: &mut Tx, actor: &Actor, drift: &Drift) -> Result<()> {
        let seen = &drift.seen;
        let number = |name: &str| {
            seen[name].as_u64().ok_or_else(|| Error::internal(format!("the drift {} has seen no {name}", drift.id)))
        };
        match drift.kind {
            Kind::Power => {
                let power = match seen["power"].as_str() {
                    Some("running") => DesiredPower::Running,
                    Some("stopped") => DesiredPower::Stopped,
                    other => {
                        let shown = other.unwrap_or("unknown");
                        let detail = format!("nobody can want a pod to be {shown}: heal it, or change it on its host");
                        return Err(Error::conflict("drift_not_acceptable", detail));
                    }
                };
                self.cloudpods.power_adopt(tx, actor, drift.pod, power).await
            }
            Kind::Size => {
                let vcpu = u32::try_from(number("vcpu")?).map_err(Error::internal)?;
                let (memory, disk) = (number("memory_mib")?, number("disk_gib")?);
                self.cloudpods.size_adopt(tx, actor, drift.pod, vcpu, memory, disk).await
            }
            Kind::Autostart => {
                let starts = seen["start_on_boot"].as_bool().unwrap_or_default();
                self.cloudpods.autostart_adopt(tx, actor, drift.pod, starts).await
            }
            _ => {
                let name = seen["name"].as_str().unwrap_or_default();
                self.cloudpods.name_adopt(tx, actor, drift.pod, name).await
            }
        }
    }

    /// Makes a job that puts the pod back as it is wanted.
    pub async fn drift_heal(&self, actor: &Actor, id: DriftId) -> Result<(Drift, Job)> {
        let drift = self.open(id, Action::Heal).await?;
        let job = self.heal(actor, &drift).await?;
        Ok((self.drift_get(id).await?, job))
    }

    /// Makes a job that removes a VM that bears our stamp and is nobody's. `confirm` is `SERVER/VMID`, typed by a person.
    pub async fn drift_destroy(&self, actor: &Actor, id: DriftId, confirm: &str) -> Result<(Drift, Job)> {
        let drift = self.open(id, Action::Destroy).await?;
        confirmed(&drift, confirm, "the VM and its disks will be gone for good")?;
        let job = self.cloudpods.orphan_destroy(actor, drift.pod, drift.server, drift.vmid).await?;
        Ok((self.drift_get(id).await?, job))
    }

    /// Makes a job that takes our stamp off a VM that is nobody's, which leaves it to whoever runs the host. `confirm` as for
    /// [`Service::drift_destroy`].
    pub async fn drift_release(&self, actor: &Actor, id: DriftId, confirm: &str) -> Result<(Drift, Job)> {
        let drift = self.open(id, Action::Release).await?;
        confirmed(&drift, confirm, "mPanel will know nothing of the VM any more")?;
        let job = self.cloudpods.orphan_release(actor, drift.pod, drift.server, drift.vmid).await?;
        Ok((self.drift_get(id).await?, job))
    }

    async fn open(&self, id: DriftId, action: Action) -> Result<Drift> {
        let drift = self.drift_get(id).await?;
        if drift.closed_at.is_some() {
            return Err(Error::conflict("drift_over", "it is over already; there is nothing to do"));
        }
        if !drift.kind.actions().contains(&action) {
            let detail = format!(
                "that cannot be done about a difference of kind {}: {}",
                drift.kind.as_str(),
                drift.kind.cure()
            );
            return Err(Error::conflict("drift_action", detail));
        }
        Ok(drift)
    }

    async fn heal(&self, actor: &Actor, drift: &Drift) -> Result<Job> {
        let mut tx = self.db.begin().await?;
        if !store::heal_claim(&mut tx, drift.id, drift.heal_tries, self.clock.now()).await? {
            return Err(Error::conflict(
                "drift_busy",
                "somebody else is putting it right at this moment; read it again",
            ));
        }
        tx.commit().await?;
        let job = match drift.kind {
            Kind::Autostart => self.cloudpods.cloudpod_autostart(actor, drift.pod).await?.1,
            Kind::Network => self.cloudpods.cloudpod_network(actor, drift.pod).await?.1,
            Kind::Firewall => self.cloudpods.cloudpod_firewall(actor, drift.pod).await?.1,
            _ => {
                let running = drift.expected["power"] == DesiredPower::Running.as_str();
                let wanted = if running { DesiredPower::Running } else { DesiredPower::Stopped };
                self.cloudpods.power_restore(actor, drift.pod, wanted).await?
            }
        };
        let mut tx = self.db.begin().await?;
        store::heal_job_set(&mut tx, drift.id, job.id).await?;
        tx.commit().await?;
        Ok(job)
    }

    fn ends_seen(&self) -> MutexGuard<'_, Ms> {
        self.ends_seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One run of the reconciler: compares hosts with something open anew, because a job or a person may have ended it, and those
    /// of jobs that have ended, because what was seen during a job was excused and is not told again; and puts right what may be
    /// put right by itself.
    pub async fn reconcile(&self) -> Result<Reconciled> {
        let mut done = Reconciled::default();
        let mut after = None;
        // A while after the end: until then the last inventory may be older than what the job did.
        let from = *self.ends_seen();
        let to = self.clock.now().minus(self.policy.grace).max(from);
        loop {
            let servers = store::servers_to_compare(self.db.read().await?.conn(), (from, to), after, BATCH).await?;
            let Some(last) = servers.last() else { break };
            after = Some(*last);
            for server in servers {
                match self.server_reconcile(server).await {
                    Ok(()) => done.compared += 1,
                    // The others have their turn, and this one has it again at the next run.
                    Err(error) => tracing::warn!(%server, %error, cause = ?error, "a server could not be compared"),
                }
            }
        }
        *self.ends_seen() = to;
        let Policy { heal_power, heal_network, .. } = self.policy;
        for (kind, heals) in [(Kind::Power, heal_power), (Kind::Network, heal_network), (Kind::Firewall, heal_network)]
        {
            if heals {
                done.healed += self.settled_heal(kind).await?;
            }
        }
        Ok(done)
    }

    async fn server_reconcile(&self, server: ServerId) -> Result<()> {
        let mut tx = self.db.begin().await?;
        self.server_compare(&mut tx, server).await?;
        tx.commit().await
    }

    async fn settled_heal(&self, kind: Kind) -> Result<u64> {
        let now = self.clock.now();
        let before = now.minus(self.policy.grace);
        let settled = store::drifts_settled(self.db.read().await?.conn(), kind, before, BATCH).await?;
        let actor = Actor::system("reconciler");
        let mut healed = 0;
        for drift in settled {
            // Again only when the last try has had its time.
            let waits = drift.healed_at.is_some_and(|at| now.since(at) < self.policy.grace);
            if waits || drift.heal_tries >= self.policy.heal_tries || self.is_busy(drift.pod).await? {
                continue;
            }
            match self.heal(&actor, &drift).await {
                Ok(job) => {
                    let (drift, pod) = (drift.id, drift.pod);
                    tracing::info!(%drift, %pod, kind = kind.as_str(), job = %job.id, "putting a pod right");
                    healed += 1;
                }
                // The try is spent: a pod that cannot be put right now stays shown.
                Err(error) => {
                    let (drift, pod) = (drift.id, drift.pod);
                    tracing::warn!(%drift, %pod, kind = kind.as_str(), %error, "a pod was not put right");
                }
            }
        }
        Ok(healed)
    }

    async fn is_busy(&self, pod: CloudPodId) -> Result<bool> {
        let mut read = self.db.read().await?;
        Ok(self.jobs.pods_busy(read.conn(), &[pod]).await?.contains(&pod))
    }

    /// Finds what differs and has lasted, of these kinds.
    pub async fn drift_check(&self, mut conn: Conn<'_>, kinds: &[Kind]) -> Result<Findings> {
        let now = self.clock.now();
        let mut found = Findings::default();
        for kind in kinds {
            let before = now.minus(kind.settles(self.policy.grace));
            for drift in store::drifts_settled(conn.again(), *kind, before, FINDINGS_MAX as i64 + 1).await? {
                if !found.push(finding(&drift)) {
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }

    /// Forgets what was over before `before`, up to `limit`; how many.
    pub async fn drifts_prune(&self, before: Ms, limit: u32) -> Result<u64> {
        let mut tx = self.db.begin().await?;
        let gone = store::drifts_prune(&mut tx, before, limit).await?;
        tx.commit().await?;
        Ok(gone)
    }
}

/// Whether somebody has typed which VM it is about.
fn confirmed(drift: &Drift, confirm: &str, because: &str) -> Result<()> {
    let wanted = format!("{}/{}", drift.server_name, drift.vmid);
    let mut checks = Checks::new();
    checks.require(confirm == wanted, "confirm", &format!("must be {wanted}: {because}"));
    checks.finish()
}

fn is_same(drift: &Drift, difference: &Difference) -> bool {
    (drift.kind, drift.pod, drift.vmid) == (difference.kind, difference.pod, difference.vmid)
}

fn finding(drift: &Drift) -> Finding {
    Finding {
        subject: format!("VM {} on server {} (drift {})", drift.vmid, drift.server_name, drift.id),
        since: Some(drift.since),
        detail: format!(
            "{} of cloudpod {}: expected {}, seen {}",
            drift.kind.as_str(),
            drift.pod,
            drift.expected,
            drift.seen
        ),
        cure: drift.kind.cure().to_owned(),
    }
}

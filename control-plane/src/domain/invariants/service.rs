//! Looks at all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

use super::{Check, OwnCertificates, Report};
use crate::clock::Clock;
use crate::db::Db;
use crate::domain::audit::service::Service as Audit;
use crate::domain::cloudpods::service::Service as CloudPods;
use crate::domain::drains::service::Service as Drains;
use crate::domain::drift::Kind;
use crate::domain::drift::service::Service as Drift;
use crate::domain::finding::Findings;
use crate::domain::jobs::service::Service as Jobs;
use crate::domain::servers::service::Service as Servers;
use crate::error::Result;

/// What differs of a pod's own VM.
const DRIFT: &[Kind] = &[
    Kind::VmMissing,
    Kind::Power,
    Kind::Size,
    Kind::Renamed,
    Kind::Autostart,
    Kind::Network,
    Kind::Firewall,
    Kind::Locked,
];

/// The service of this slice.
pub struct Service {
    db: Db,
    clock: Clock,
    servers: Arc<Servers>,
    cloudpods: Arc<CloudPods>,
    jobs: Arc<Jobs>,
    drains: Arc<Drains>,
    drift: Arc<Drift>,
    audit: Arc<Audit>,
    certificates: OwnCertificates,
    /// How many looks have begun.
    begun: AtomicU64,
    /// The last one that came to its end, and which it was.
    last: Mutex<Option<(u64, Arc<Report>)>>,
}

impl Service {
    /// Over these slices.
    #[must_use]
    pub fn new(
        db: Db,
        clock: Clock,
        servers: Arc<Servers>,
        cloudpods: Arc<CloudPods>,
        (jobs, drains): (Arc<Jobs>, Arc<Drains>),
        (drift, audit): (Arc<Drift>, Arc<Audit>),
        certificates: OwnCertificates,
    ) -> Self {
        Self {
            db,
            clock,
            servers,
            cloudpods,
            jobs,
            drains,
            drift,
            audit,
            certificates,
            begun: AtomicU64::new(0),
            last: Mutex::default(),
        }
    }

    /// All of them as they are at one moment after this was called. Looking at a large fleet is work: all who ask while somebody
    /// looks share the look after that one.
    pub async fn invariants_check(&self) -> Result<Arc<Report>> {
        let before = self.begun.load(Ordering::SeqCst);
        let mut last = self.last.lock().await;
        if let Some((_, report)) = last.as_ref().filter(|(look, _)| *look > before) {
            return Ok(report.clone());
        }
        let look = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let report = Arc::new(self.look().await?);
        *last = Some((look, report.clone()));
        Ok(report)
    }

    async fn look(&self) -> Result<Report> {
        let checked_at = self.clock.now();
        let own: Findings = (self.certificates)().into_iter().filter_map(|own| own.ending(checked_at)).collect();
        let mut at = self.db.snapshot().await?;
        let checks = vec![
            Check::new(
                "totals",
                "what servers and storages count as held is the sum of their reservations",
                self.servers.totals_check(at.conn()).await?,
            ),
            Check::new(
                "capacity",
                "reservations, VMIDs and moves are held by pods that are there, and pods that are there hold theirs",
                self.cloudpods.capacity_check(at.conn()).await?,
            ),
            Check::new(
                "addresses",
                "addresses are held once, by pods that are there",
                self.cloudpods.addresses_check(at.conn()).await?,
            ),
            Check::new(
                "jobs_overdue",
                "somebody works on every job that is due",
                self.jobs.overdue_check(at.conn()).await?,
            ),
            Check::new("jobs_stuck", "every undo can finish", self.jobs.stuck_check(at.conn()).await?),
            Check::new("drains", "every drain goes on", self.drains.blocked_check(at.conn()).await?),
            Check::new(
                "orphans",
                "every VM with our stamp is a pod's",
                self.drift.drift_check(at.conn(), &[Kind::Orphan]).await?,
            ),
            Check::new(
                "stamps",
                "every stamp is on one VM, on the host where its pod is",
                self.drift.drift_check(at.conn(), &[Kind::Duplicate, Kind::Moved]).await?,
            ),
            Check::new("drift", "pods' VMs are as they are wanted", self.drift.drift_check(at.conn(), DRIFT).await?),
            Check::new(
                "firewalls",
                "pods' hosts have the firewalls that are wanted",
                self.cloudpods.firewalls_check(at.conn()).await?,
            ),
            Check::new(
                "datacenter_firewalls",
                "pods' firewalls have an effect on their hosts",
                self.servers.firewalls_check(at.conn()).await?,
            ),
            Check::new(
                "certificates",
                "certificates are renewed in time: those of agents, of their CA and of this control plane's API",
                own.and(self.servers.certificates_check(at.conn()).await?),
            ),
            Check::new(
                "audit",
                "audit records are sealed soon after they are written, and the end of their chain holds",
                self.audit.chain_check(at.conn()).await?,
            ),
        ];
        Ok(Report { ok: checks.iter().all(|check| check.ok), checked_at, checks })
    }
}

use serde_json::json;

use crate::db::Conn;
use crate::domain::audit::{Actor, Scope};
use crate::domain::check::Checks;
use crate::domain::cloudpods::create::found;
use crate::domain::cloudpods::sagas::{ResizeParams, RestartParams, growth, kind, size_of};
use crate::domain::cloudpods::service::{Service, not_found};
use crate::domain::cloudpods::{CloudPod, Detail, store};
use crate::domain::jobs::Job;
use crate::domain::servers::Held;
use crate::error::{Error, Result};
use crate::ids::CloudPodId;

/// The size that somebody wants: that of a plan, or single figures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resize {
    /// Id or name.
    pub plan: Option<String>,
    /// Virtual CPUs.
    pub vcpu: Option<u32>,
    /// Memory in MiB.
    pub memory_mib: Option<u64>,
    /// Disk in GiB.
    pub disk_gib: Option<u64>,
    /// Restart it, if that is needed for the new size.
    pub restart: bool,
}

impl Service {
    /// Changes a pod's size. `NoCapacity` when its server has no room for what it would grow by, a conflict when its tenant's quotas
    /// have not.
    pub async fn cloudpod_resize(
        &self,
        actor: &Actor,
        scope: Scope,
        id: CloudPodId,
        input: &Resize,
    ) -> Result<(Detail, Job)> {
        let mut read = self.db.read().await?;
        let pod = store::pod_get(read.conn(), scope, id).await?.ok_or_else(|| not_found(id))?;
        pod.state.power_change("be resized")?;
        let params = self.resize_resolve(read.conn(), &pod, input).await?;
        let target = params.target(&pod);
        let lacks = self.books.servers.reservation_shortage(read.conn(), id, target).await?;
        if !lacks.is_empty() {
            return Err(Error::NoCapacity(lacks));
        }
        drop(read);
        let mut tx = self.db.begin().await?;
        let (pod, tenant) = self.pod_held_to_grow(&mut tx, scope, id).await?;
        pod.state.power_change("be resized")?;
        let held = self.books.servers.reservation_get(tx.conn(), id).await?.unwrap_or_else(|| size_of(&pod));
        tenant.require(&mut tx, growth(held.max(size_of(&pod)), params.target(&pod))).await?;
        let said = json!({ "before": shown(size_of(&pod)), "after": shown(params.target(&pod)) });
        let named = (kind::RESIZE, "cloudpod.resize_requested");
        self.operation_store(tx, (actor, scope), &pod, named, &params, said).await
    }

    async fn resize_resolve(&self, conn: Conn<'_>, pod: &CloudPod, input: &Resize) -> Result<ResizeParams> {
        let Resize { plan, vcpu, memory_mib, disk_gib, restart } = input;
        let restart = RestartParams { restart: *restart };
        let mut checks = Checks::new();
        if let Some(vcpu) = vcpu {
            checks.range("vcpu", *vcpu, 1..=512);
        }
        if let Some(memory_mib) = memory_mib {
            checks.range("memory_mib", *memory_mib, 16..=16_777_216);
        }
        if let Some(disk_gib) = disk_gib {
            checks.range("disk_gib", *disk_gib, 1..=1_048_576);
            shrink_check(&mut checks, "disk_gib", *disk_gib, pod);
        }
        let figures = vcpu.is_some() || memory_mib.is_some() || disk_gib.is_some();
        let Some(plan) = plan else {
            checks.require(
                figures,
                "plan",
                "is missing: give a plan, or at least one of vcpu, memory_mib and disk_gib",
            );
            checks.finish()?;
            let (vcpu, memory_mib, disk_gib) = (*vcpu, *memory_mib, *disk_gib);
            return Ok(ResizeParams { plan: None, vcpu, memory_mib, disk_gib, restart });
        };
        checks.require(!figures, "plan", "has a size of its own: give either a plan or single figures");
        let plan = found(&mut checks, "plan", self.plans.plan_find(conn, plan).await)?;
        if let Some(plan) = &plan {
            if !plan.active && plan.id != pod.plan.id {
                checks.wrong("plan", format!("the plan {} is not active: choose another one", plan.name));
            }
            shrink_check(&mut checks, "plan", plan.terms.disk_gib, pod);
        }
        checks.finish()?;
        let plan = plan.ok_or_else(|| Error::internal("a plan is missing, and no field was found wrong"))?;
        let (vcpu, memory_mib, disk_gib) =
            (Some(plan.terms.vcpu), Some(plan.terms.memory_mib), Some(plan.terms.disk_gib));
        Ok(ResizeParams { plan: Some(plan.id), vcpu, memory_mib, disk_gib, restart })
    }
}

fn shrink_check(checks: &mut Checks, field: &str, wanted_gib: u64, pod: &CloudPod) {
    if wanted_gib < pod.disk_gib {
        let has_gib = pod.disk_gib;
        let message = format!(
            "{wanted_gib} GiB is less than the {has_gib} GiB that the disk has, and disks only grow: keep at least {has_gib}"
        );
        checks.wrong(field, message);
    }
}

fn shown(size: Held) -> serde_json::Value {
    let Held { vcpu, memory_mib, disk_gib } = size;
    json!({ "vcpu": vcpu, "memory_mib": memory_mib, "disk_gib": disk_gib })
}

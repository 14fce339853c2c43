//! What can be done with plans.

use serde_json::json;

use super::{Plan, PlanCreate, PlanPatch, Terms, store};
use crate::clock::Clock;
use crate::db::{Conn, Db, Tx, Window};
use crate::domain::audit::{Actor, Record, audit_append};
use crate::domain::check::Checks;
use crate::error::{Error, Result};
use crate::events::{Event, event_append};
use crate::ids::PlanId;

/// The plans.
pub struct Service {
    db: Db,
    clock: Clock,
}

impl Service {
    /// A service over `db`.
    #[must_use]
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }

    /// The plan with this id; also one deleted since, because pods may be made of it.
    pub async fn plan_get(&self, conn: Conn<'_>, id: PlanId) -> Result<Plan> {
        store::plan_get(conn, id).await
    }

    /// The plan with this id or of this name.
    pub async fn plan_find(&self, conn: Conn<'_>, id_or_name: &str) -> Result<Plan> {
        store::plan_find(conn, id_or_name).await
    }

    /// As [`Service::plan_find`], outside a transaction.
    pub async fn plan_show(&self, id_or_name: &str) -> Result<Plan> {
        let mut read = self.db.read().await?;
        self.plan_find(read.conn(), id_or_name).await
    }

    /// A page of plans, in the order of their making.
    pub async fn plan_list(&self, active: Option<bool>, window: Window<PlanId>) -> Result<Vec<Plan>> {
        let mut read = self.db.read().await?;
        store::plan_list(read.conn(), active, window).await
    }

    /// Makes a plan.
    pub async fn plan_create(&self, actor: &Actor, input: PlanCreate) -> Result<Plan> {
        let PlanCreate { name, terms, active } = input;
        check(&name, &terms)?;
        let now = self.clock.now();
        let plan = Plan { id: PlanId::generate(), name, terms, active, version: 1, created_at: now, updated_at: now };
        let mut tx = self.db.begin().await?;
        store::plan_insert(&mut tx, &plan).await?;
        self.note(&mut tx, actor, "plan.created", plan.id, &json!({ "after": shown(&plan) })).await?;
        tx.commit().await?;
        Ok(plan)
    }

    /// Changes a plan; pods that were made of it stay as they are. `expected`: the version that the caller has read.
    pub async fn plan_update(
        &self,
        actor: &Actor,
        id_or_name: &str,
        expected: Option<i64>,
        patch: PlanPatch,
    ) -> Result<Plan> {
        let mut tx = self.db.begin().await?;
        let before = self.plan_find(tx.conn(), id_or_name).await?;
        if expected.is_some_and(|v| v != before.version) {
            return Err(Error::Stale);
        }
        let PlanPatch { name, vcpu, memory_mib, disk_gib, traffic_gib, price_minor, currency, active } = patch;
        let old = before.clone();
        let plan = Plan {
            id: old.id,
            name: name.unwrap_or(old.name),
            terms: Terms {
                vcpu: vcpu.unwrap_or(old.terms.vcpu),
                memory_mib: memory_mib.unwrap_or(old.terms.memory_mib),
                disk_gib: disk_gib.unwrap_or(old.terms.disk_gib),
                traffic_gib: traffic_gib.unwrap_or(old.terms.traffic_gib),
                price_minor: price_minor.unwrap_or(old.terms.price_minor),
                currency: currency.unwrap_or(old.terms.currency),
            },
            active: active.unwrap_or(old.active),
            version: old.version + 1,
            created_at: old.created_at,
            updated_at: self.clock.now(),
        };
        check(&plan.name, &plan.terms)?;
        store::plan_update(&mut tx, &plan, before.version).await?;
        let detail = json!({ "before": shown(&before), "after": shown(&plan) });
        self.note(&mut tx, actor, "plan.updated", plan.id, &detail).await?;
        tx.commit().await?;
        Ok(plan)
    }

    /// Deletes a plan that no pod is made of.
    pub async fn plan_delete(&self, actor: &Actor, id_or_name: &str, expected: Option<i64>) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let plan = self.plan_find(tx.conn(), id_or_name).await?;
        if expected.is_some_and(|v| v != plan.version) {
            return Err(Error::Stale);
        }
        let pods = store::plan_pods(tx.conn(), plan.id).await?;
        if pods > 0 {
            return Err(Error::conflict(
                "plan_in_use",
                format!(
                    "plan {} cannot be deleted: {pods} CloudPod(s) are made of it; set it inactive instead",
                    plan.name
                ),
            ));
        }
        store::plan_delete(&mut tx, plan.id, plan.version, self.clock.now()).await?;
        self.note(&mut tx, actor, "plan.deleted", plan.id, &json!({ "before": shown(&plan) })).await?;
        tx.commit().await
    }

    async fn note(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        name: &'static str,
        plan: PlanId,
        detail: &serde_json::Value,
    ) -> Result<()> {
        let (at, id) = (self.clock.now(), plan.to_string());
        let record = Record { actor, tenant: None, action: name, target_kind: "plan", target_id: id.clone() };
        audit_append(tx, at, record, detail).await?;
        event_append(tx, at, Event { tenant: None, name, subject: id }, detail).await
    }
}

fn check(name: &str, terms: &Terms) -> Result<()> {
    let Terms { vcpu, memory_mib, disk_gib, traffic_gib, price_minor, currency } = terms;
    let mut checks = Checks::new();
    checks.name("name", name);
    checks.range("vcpu", *vcpu, 1..=512);
    checks.range("memory_mib", *memory_mib, 16..=16_777_216);
    checks.range("disk_gib", *disk_gib, 1..=1_048_576);
    if let Some(traffic) = traffic_gib {
        checks.range("traffic_gib", *traffic, 0..=1 << 40);
    }
    checks.range("price_minor", *price_minor, 0..=1_000_000_000_000);
    checks.require(
        currency.len() == 3 && currency.chars().all(|c| c.is_ascii_uppercase()),
        "currency",
        "must be a currency code of ISO 4217, such as EUR or USD",
    );
    checks.finish()
}

fn shown(plan: &Plan) -> serde_json::Value {
    let Plan { id: _, name, terms, active, version, created_at: _, updated_at: _ } = plan;
    let Terms { vcpu, memory_mib, disk_gib, traffic_gib, price_minor, currency } = terms;
    json!({
        "name": name, "vcpu": vcpu, "memory_mib": memory_mib, "disk_gib": disk_gib, "traffic_gib": traffic_gib,
        "price_minor": price_minor, "currency": currency, "active": active, "version": version,
    })
}

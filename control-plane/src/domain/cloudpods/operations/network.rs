use serde_json::json;

use crate::db::Tx;
use crate::domain::audit::{Actor, Scope};
use crate::domain::check::Checks;
use crate::domain::cloudpods::sagas::kind;
use crate::domain::cloudpods::service::{Service, not_found};
use crate::domain::cloudpods::{Detail, store};
use crate::domain::firewall::{Kept, Policy};
use crate::domain::jobs::Job;
use crate::domain::traffic::{Month, Sample, Used};
use crate::error::{Error, Result};
use crate::ids::{CloudPodId, ServerId};

/// What a firewall is to be. The filters against forged addresses are the platform's: `None` leaves one as it is.
#[derive(Clone, Debug)]
pub struct FirewallPut {
    /// The whole of it; its filters are those below.
    pub policy: Policy,
    /// Only from its own MAC addresses.
    pub mac_filter: Option<bool>,
    /// Only from the addresses that it holds.
    pub ip_filter: Option<bool>,
    /// Whether who asks may change the two filters.
    pub may_filter: bool,
}

/// A pod's firewall, and whether it is in effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirewallShown {
    /// What is wanted, and what its host has.
    pub kept: Kept,
    /// Why that is not in effect, and what to do; `None`: it is.
    pub lack: Option<String>,
}

/// What a pod used, and may use, in a month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// The present month.
    pub month: Month,
    /// What its plan allows in a month, in GiB; `None`: any.
    pub limit_gib: Option<u64>,
    /// The newest month first.
    pub used: Vec<Used>,
}

impl Service {
    /// A pod's firewall: what is wanted, and what its host has.
    pub async fn firewall_get(&self, scope: Scope, id: CloudPodId) -> Result<FirewallShown> {
        let mut read = self.db.read().await?;
        let pod = store::pod_get(read.conn(), scope, id).await?.ok_or_else(|| not_found(id))?;
        let kept = self.books.firewalls.firewall_get(read.conn(), id).await?;
        let datacenter = match &pod.server {
            Some(server) => self.books.servers.server_get(read.conn(), server.id).await?.seen.datacenter_firewall,
            None => None,
        };
        let lack = kept.lack(datacenter);
        Ok(FirewallShown { kept, lack })
    }

    /// Says what a pod's firewall is to be from now on. `version`: what the caller read, if it said so.
    pub async fn firewall_put(
        &self,
        actor: &Actor,
        scope: Scope,
        id: CloudPodId,
        version: Option<i64>,
        put: FirewallPut,
    ) -> Result<(Detail, Job)> {
        let FirewallPut { mut policy, mac_filter, ip_filter, may_filter } = put;
        let mut tx = self.db.begin().await?;
        let pod = self.pod_held(&mut tx, scope, id).await?;
        pod.state.power_change("get another firewall")?;
        let before = self.books.firewalls.firewall_get(tx.conn(), id).await?;
        policy.mac_filter = mac_filter.unwrap_or(before.policy.mac_filter);
        policy.ip_filter = ip_filter.unwrap_or(before.policy.ip_filter);
        let filters = |policy: &Policy| (policy.mac_filter, policy.ip_filter);
        if !may_filter && filters(&policy) != filters(&before.policy) {
            let detail = "only the platform turns the filters against forged addresses on and off: leave mac_filter and \
                          ip_filter out";
            return Err(Error::Forbidden(detail.to_owned()));
        }
        let before = self.books.firewalls.firewall_put(&mut tx, id, version, &policy).await?;
        let said = json!({ "before": before.policy, "after": policy });
        let named = (kind::FIREWALL, "cloudpod.firewall_requested");
        self.operation_store(tx, (actor, scope), &pod, named, &json!({}), said).await
    }

    /// What a pod used in its newest `months`, beside what its plan allows in one.
    pub async fn traffic_get(&self, scope: Scope, id: CloudPodId, months: u32) -> Result<Traffic> {
        let mut checks = Checks::new();
        checks.range("months", months, 1..=36);
        checks.finish()?;
        let mut read = self.db.read().await?;
        let pod = store::pod_get(read.conn(), scope, id).await?.ok_or_else(|| not_found(id))?;
        let limit_gib = self.plans.plan_get(read.conn(), pod.plan.id).await?.terms.traffic_gib;
        let used = self.books.traffic.traffic_of(read.conn(), id, months).await?;
        Ok(Traffic { month: self.books.traffic.month(), limit_gib, used })
    }

    /// Deletes up to `limit` rows of traffic that nobody asks for any more; how many.
    pub async fn traffic_prune(&self, tx: &mut Tx, limit: u32) -> Result<u64> {
        self.books.traffic.traffic_prune(tx, limit).await
    }

    /// Adds what a server's VMs sent and received, if this is the server's present session.
    pub async fn traffic_record(&self, server: ServerId, session_epoch: u64, samples: &[Sample]) -> Result<u64> {
        let mut tx = self.db.begin().await?;
        let counted = self.books.traffic.traffic_record(&mut tx, server, session_epoch, samples).await?;
        tx.commit().await?;
        Ok(counted)
    }
}

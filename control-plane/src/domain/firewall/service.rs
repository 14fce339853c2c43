//! What others may do with pods' firewalls. Whoever changes one holds its pod's row.

use super::{Kept, Policy, policy_check, store};
use crate::clock::Clock;
use crate::db::{Conn, Tx};
use crate::error::{Error, Result};
use crate::ids::CloudPodId;

/// The firewalls.
pub struct Service {
    clock: Clock,
}

impl Service {
    /// Over whatever transaction it is given.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock }
    }

    /// A pod's firewall; the default, where nobody changed it.
    pub async fn firewall_get(&self, conn: Conn<'_>, pod: CloudPodId) -> Result<Kept> {
        Ok(store::firewall_get(conn, pod).await?.unwrap_or_else(|| Kept {
            policy: Policy::default(),
            version: 0,
            applied_version: 0,
            applied_at: None,
        }))
    }

    /// Stores what is wanted from now on, and gives what was wanted before. `expected`: the version that the caller has read.
    pub async fn firewall_put(
        &self,
        tx: &mut Tx,
        pod: CloudPodId,
        expected: Option<i64>,
        policy: &Policy,
    ) -> Result<Kept> {
        policy_check(policy)?;
        let before = self.firewall_get(tx.conn(), pod).await?;
        if expected.is_some_and(|version| version != before.version) {
            return Err(Error::Stale);
        }
        store::firewall_put(tx, pod, before.version, policy, self.clock.now()).await?;
        Ok(before)
    }

    /// What is to be brought to the pod's host now. Repeatable.
    pub async fn firewall_sending(&self, tx: &mut Tx, pod: CloudPodId) -> Result<Policy> {
        store::firewall_ensure(tx, pod, &Policy::default(), self.clock.now()).await?;
        store::firewall_sending(tx, pod).await?;
        Ok(self.firewall_get(tx.conn(), pod).await?.policy)
    }

    /// Notes that the pod's host is not known to have it any more: its VM is another, or elsewhere. Repeatable.
    pub async fn firewall_doubt(&self, tx: &mut Tx, pod: CloudPodId) -> Result<()> {
        store::firewall_doubt(tx, pod).await
    }

    /// Notes that the pod's host took what was brought last. Repeatable.
    pub async fn firewall_applied(&self, tx: &mut Tx, pod: CloudPodId) -> Result<()> {
        store::firewall_applied(tx, pod, self.clock.now()).await
    }
}

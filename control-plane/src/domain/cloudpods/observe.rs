//! What servers' inventories say of pods.

use std::time::Duration;

use serde_json::json;

use super::service::Service;
use super::store::{self, Observation, Observations};
use crate::db::Tx;
use crate::domain::servers::Inventory;
use crate::error::Result;
use crate::events::{Event, event_append};
use crate::ids::ServerId;

/// How often an unchanged observation is stored.
const OBSERVED_EVERY: Duration = Duration::from_mins(1);

impl Service {
    /// Stores what a server's inventory says of its pods. Deletes nothing, whatever is missing from it.
    pub async fn inventory_observe(&self, tx: &mut Tx, server: ServerId, inventory: &Inventory) -> Result<()> {
        let now = self.books.clock.now();
        let vms = inventory.vms.iter().filter(|vm| !vm.template);
        let vms: Vec<_> = vms
            .filter_map(|vm| {
                let pod = vm.pod?.0.simple().to_string();
                Some(Observation { pod, vmid: vm.vmid, power: vm.power.as_str() })
            })
            .collect();
        let seen = Observations { vms };
        self.names_observe(tx, server, inventory).await?;
        let mut changed = store::pods_observe(tx, server, &seen, now).await?;
        store::pods_still_observed(tx, server, &seen, now, now.minus(OBSERVED_EVERY)).await?;
        if inventory.full {
            changed.extend(store::pods_unseen(tx, server, &seen, now).await?);
        } else if !inventory.gone.is_empty() {
            changed.extend(store::pods_gone(tx, server, &inventory.gone, now).await?);
        }
        for (pod, tenant, power) in changed {
            let event = Event { tenant: Some(tenant), name: "cloudpod.observed", subject: pod.to_string() };
            event_append(tx, now, event, &json!({ "observed_power": power, "server_id": server })).await?;
        }
        Ok(())
    }
}

//! Who holds addresses, looked at as a whole.

mod store;

use std::net::IpAddr;

use super::service::Service;
use crate::clock::Ms;
use crate::db::{Conn, Tx};
use crate::domain::finding::{FINDINGS_MAX, Finding, Findings};
use crate::error::{Error, Result};
use crate::ids::CloudPodId;

/// What one pod holds of all pools.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct AddressHolding {
    /// Who holds it.
    #[sqlx(rename = "pod_id")]
    pub pod: CloudPodId,
    /// One of the addresses.
    pub address: String,
    /// How many they are.
    pub count: i64,
    /// Since when.
    pub since: Ms,
}

impl Service {
    /// Holds an address for a pod that uses it already. Repeatable. A conflict when it is of no pool, a gateway's, another
    /// pod's, or not the pod's only one of its pool.
    pub async fn address_claim(&self, tx: &mut Tx, pod: CloudPodId, address: IpAddr) -> Result<()> {
        let pools = super::store::pools_all(tx.conn()).await?;
        let of = pools.iter().find_map(|pool| Some((pool, pool.range.slot_of(address)?)));
        let refuse = |code, detail: String| Err(Error::conflict(code, detail));
        let Some((pool, slot)) = of else {
            return refuse(
                "address_of_no_pool",
                format!("no pool has the address {address}: add one, or leave it out"),
            );
        };
        if pool.range.gateway_slot() == Some(slot) {
            return refuse("address_is_gateway", format!("{address} is the gateway of the pool {}", pool.name));
        }
        if store::address_claim(tx, pool.id, slot, address, pod, self.clock.now()).await? {
            return Ok(());
        }
        let detail = format!("{address} of the pool {} is held already, or the pod holds another one of it", pool.name);
        refuse("address_taken", detail)
    }

    /// A page of pods that hold addresses, in the order of their ids.
    pub async fn holdings_page(
        &self,
        conn: Conn<'_>,
        after: Option<CloudPodId>,
        limit: i64,
    ) -> Result<Vec<AddressHolding>> {
        store::holdings_page(conn, after, limit).await
    }

    /// Finds pools that count other than their addresses are, and addresses that two hold.
    pub async fn addresses_check(&self, mut conn: Conn<'_>) -> Result<Findings> {
        let limit = FINDINGS_MAX as i64 + 1;
        let pools = store::pools_off(conn.again(), limit).await?.into_iter().map(|(name, counted, held)| Finding {
            subject: format!("ip pool {name}"),
            since: None,
            detail: format!("it counts {counted} addresses as given out, and {held} are held"),
            cure: "a defect of mPanel: report it with this text".to_owned(),
        });
        let doubled = store::addresses_doubled(conn, limit).await?.into_iter().map(|(address, held)| Finding {
            subject: format!("address {address}"),
            since: None,
            detail: format!("it is held {held} times"),
            cure: "take it from all but one of the pods that `mpanel ip-pool show` lists with it".to_owned(),
        });
        Ok(pools.chain(doubled).collect())
    }
}

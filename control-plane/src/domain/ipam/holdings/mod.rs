//! Who holds addresses, looked at as a whole.

mod store;

use super::service::Service;
use crate::clock::Ms;
use crate::db::Conn;
use crate::domain::finding::{FINDINGS_MAX, Finding, Findings};
use crate::error::Result;
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

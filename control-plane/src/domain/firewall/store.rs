//! The firewalls' rows.

use sqlx::types::Json;

use super::{Kept, Policy};
use crate::clock::Ms;
use crate::db::{Conn, Tx};
use crate::error::{Error, Result};
use crate::ids::CloudPodId;
use crate::{execute, fetch_optional};

#[derive(sqlx::FromRow)]
struct FirewallRow {
    policy: Json<Policy>,
    version: i64,
    applied_version: i64,
    applied_at: Option<Ms>,
}

pub(super) async fn firewall_get(conn: Conn<'_>, pod: CloudPodId) -> Result<Option<Kept>> {
    const SQL: &str = "SELECT policy, version, applied_version, applied_at FROM firewalls WHERE pod_id = $1";
    let row = fetch_optional!(conn, FirewallRow, SQL, pod)?;
    Ok(row.map(|FirewallRow { policy: Json(policy), version, applied_version, applied_at }| Kept {
        policy,
        version,
        applied_version,
        applied_at,
    }))
}

/// Makes the row that a pod's firewall begins with, if there is none.
pub(super) async fn firewall_ensure(tx: &mut Tx, pod: CloudPodId, policy: &Policy, at: Ms) -> Result<()> {
    const SQL: &str = "INSERT INTO firewalls (pod_id, policy, version, sent_version, applied_version, updated_at)
                       VALUES ($1, $2, 1, 0, 0, $3)
                       ON CONFLICT (pod_id) DO NOTHING";
    execute!(tx.conn(), SQL, pod, Json(policy), at)?;
    Ok(())
}

/// Stores the version after `version`; 0: the first.
pub(super) async fn firewall_put(tx: &mut Tx, pod: CloudPodId, version: i64, policy: &Policy, at: Ms) -> Result<()> {
    const INSERT: &str = "INSERT INTO firewalls (pod_id, policy, version, sent_version, applied_version, updated_at)
                          VALUES ($1, $2, $3, 0, 0, $4)
                          ON CONFLICT (pod_id) DO NOTHING";
    const UPDATE: &str = "UPDATE firewalls SET policy = $2, version = version + 1, updated_at = $4
                           WHERE pod_id = $1 AND version = $3";
    let touched = if version == 0 {
        execute!(tx.conn(), INSERT, pod, Json(policy), 1_i64, at)?
    } else {
        execute!(tx.conn(), UPDATE, pod, Json(policy), version, at)?
    };
    if touched == 1 { Ok(()) } else { Err(Error::Stale) }
}

/// Notes which version is on its way to the host.
pub(super) async fn firewall_sending(tx: &mut Tx, pod: CloudPodId) -> Result<()> {
    const SQL: &str = "UPDATE firewalls SET sent_version = version WHERE pod_id = $1 AND sent_version <> version";
    execute!(tx.conn(), SQL, pod)?;
    Ok(())
}

/// Notes that the host is not known to have any version.
pub(super) async fn firewall_doubt(tx: &mut Tx, pod: CloudPodId) -> Result<()> {
    const SQL: &str = "UPDATE firewalls SET applied_version = 0 WHERE pod_id = $1 AND applied_version <> 0";
    execute!(tx.conn(), SQL, pod)?;
    Ok(())
}

/// Notes that the host took what was on its way.
pub(super) async fn firewall_applied(tx: &mut Tx, pod: CloudPodId, at: Ms) -> Result<()> {
    const SQL: &str = "UPDATE firewalls SET applied_version = sent_version, applied_at = $2 WHERE pod_id = $1";
    execute!(tx.conn(), SQL, pod, at)?;
    Ok(())
}

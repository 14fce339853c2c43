//! The columns of a pod that only some operations change.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sqlx::types::Json;

use super::super::{Condition, DesiredPower, GivenCard, Media, RestartCause, Suspension};
use super::Keys;
use crate::clock::Ms;
use crate::db::{Conn, Tx};
use crate::domain::check::stored;
use crate::error::{Error, Result};
use crate::ids::{CloudPodId, ImageId, PlanId};
use crate::{execute, fetch_optional};

#[derive(sqlx::FromRow)]
pub(super) struct ConditionRow {
    suspend_reason: String,
    suspended_at: Option<Ms>,
    power_before: Option<String>,
    suspended_with_tenant: bool,
    restart_causes: Json<RestartCauses>,
    media_iso: String,
    media_first: bool,
    rescue_iso: String,
    rebuilding: bool,
    adopting: bool,
    as_found: bool,
}

/// JSONB holds objects only.
#[derive(Default, Serialize, Deserialize)]
pub(in super::super) struct RestartCauses {
    pub(in super::super) causes: BTreeSet<RestartCause>,
}

fn given(text: String) -> Option<String> {
    if text.is_empty() { None } else { Some(text) }
}

impl From<ConditionRow> for Condition {
    fn from(row: ConditionRow) -> Self {
        let ConditionRow {
            suspend_reason: reason,
            suspended_at,
            power_before,
            suspended_with_tenant,
            restart_causes: Json(RestartCauses { causes: restart_causes }),
            media_iso,
            media_first,
            rescue_iso,
            rebuilding,
            adopting,
            as_found,
        } = row;
        let suspension = suspended_at.zip(power_before).map(|(since, before)| Suspension {
            reason,
            since,
            power_before: DesiredPower::parse(&before),
        });
        let media = Media { iso: given(media_iso), boot_from_cd: media_first };
        Self {
            suspension,
            suspended_with_tenant,
            restart_causes,
            media,
            rescue: given(rescue_iso),
            rebuilding,
            adopting,
            as_found,
        }
    }
}

/// Notes why it is suspended and what was wanted of its power before; stopped is wanted from now on.
pub(in super::super) async fn pod_suspension_set(tx: &mut Tx, id: CloudPodId, reason: &str, at: Ms) -> Result<()> {
    const SQL: &str = "UPDATE cloudpods SET suspend_reason = $2, suspended_at = $3, power_before = desired_power,
                              desired_power = 'stopped', version = version + 1, updated_at = $3
                        WHERE id = $1 AND suspended_at IS NULL";
    execute!(tx.conn(), SQL, id, reason, at)?;
    Ok(())
}

/// What was wanted of its power before its suspension is wanted again.
pub(in super::super) async fn pod_suspension_clear(tx: &mut Tx, id: CloudPodId, at: Ms) -> Result<()> {
    const SQL: &str = "UPDATE cloudpods SET desired_power = COALESCE(power_before, desired_power), suspend_reason = '',
                              suspended_at = NULL, power_before = NULL, suspended_with_tenant = FALSE, version = version + 1, updated_at = $2
                        WHERE id = $1 AND suspended_at IS NOT NULL";
    execute!(tx.conn(), SQL, id, at)?;
    Ok(())
}

/// Notes whether its suspension is its tenant's.
pub(in super::super) async fn pod_with_tenant_set(tx: &mut Tx, id: CloudPodId, with: bool, at: Ms) -> Result<()> {
    const SQL: &str = "UPDATE cloudpods SET suspended_with_tenant = $2, version = version + 1, updated_at = $3
                        WHERE id = $1 AND suspended_with_tenant <> $2";
    execute!(tx.conn(), SQL, id, with, at)?;
    Ok(())
}

/// Notes all that waits for its next start.
pub(in super::super) async fn pod_restart_causes_set(
    tx: &mut Tx,
    id: CloudPodId,
    causes: BTreeSet<RestartCause>,
    at: Ms,
) -> Result<()> {
    const SQL: &str = "UPDATE cloudpods SET restart_causes = $2, version = version + 1, updated_at = $3
                        WHERE id = $1 AND restart_causes <> $2";
    execute!(tx.conn(), SQL, id, Json(RestartCauses { causes }), at)?;
    Ok(())
}

/// Notes its new CPUs and memory and, where it was resized to one, its plan.
pub(in super::super) async fn pod_size_set(
    tx: &mut Tx,
    id: CloudPodId,
    vcpu: u32,
    memory_mib: u64,
    plan: Option<PlanId>,
    at: Ms,
) -> Result<()> {
    const SQL: &str = "UPDATE cloudpods SET vcpu = $2, memory_mib = $3, plan_id = COALESCE($4, plan_id),
                              version = version + 1, updated_at = $5
                        WHERE id = $1 AND state <> 'deleted'";
    execute!(tx.conn(), SQL, id, i64::from(vcpu), stored(memory_mib), plan, at)?;
    Ok(())
}

/// Notes that its disk has grown, or may have.
pub(in super::super) async fn pod_disk_set(tx: &mut Tx, id: CloudPodId, disk_gib: u64, at: Ms) -> Result<()> {
    const SQL: &str = "UPDATE cloudpods SET disk_gib = $2, version = version + 1, updated_at = $3
                        WHERE id = $1 AND disk_gib < $2";
    execute!(tx.conn(), SQL, id, stored(disk_gib), at)?;
    Ok(())
}

pub(in super::super) async fn pod_keys_set(tx: &mut Tx, id: CloudPodId, keys: &[String], at: Ms) -> Result<()> {
    const SQL: &str = "UPDATE cloudpods SET ssh_keys = $2, version = version + 1, updated_at = $3 WHERE id = $1";
    execute!(tx.conn(), SQL, id, Json(Keys { keys: keys.to_vec() }), at)?;
    Ok(())
}

pub(in super::super) async fn pod_media_set(tx: &mut Tx, id: CloudPodId, media: &Media, at: Ms) -> Result<()> {
    const SQL: &str = "UPDATE cloudpods SET media_iso = $2, media_first = $3, version = version + 1, updated_at = $4
                        WHERE id = $1";
    execute!(tx.conn(), SQL, id, media.iso.as_deref().unwrap_or_default(), media.boot_from_cd, at)?;
    Ok(())
}

/// Notes with which CD it is rescued; `None`: it is not.
pub(in super::super) async fn pod_rescue_set(tx: &mut Tx, id: CloudPodId, iso: Option<&str>, at: Ms) -> Result<()> {
    const SQL: &str = "UPDATE cloudpods SET rescue_iso = $2, version = version + 1, updated_at = $3 WHERE id = $1";
    execute!(tx.conn(), SQL, id, iso.unwrap_or_default(), at)?;
    Ok(())
}

pub(in super::super) async fn pod_rebuilding_set(tx: &mut Tx, id: CloudPodId, rebuilding: bool, at: Ms) -> Result<()> {
    const SQL: &str = "UPDATE cloudpods SET rebuilding = $2, version = version + 1, updated_at = $3
                        WHERE id = $1 AND rebuilding <> $2";
    execute!(tx.conn(), SQL, id, rebuilding, at)?;
    Ok(())
}

/// JSONB holds objects only.
#[derive(Default, Serialize, Deserialize)]
struct Macs {
    macs: BTreeMap<u32, String>,
}

/// The MAC addresses of its network cards, by index, as they were before its last rebuild.
pub(in super::super) async fn pod_macs(conn: Conn<'_>, id: CloudPodId) -> Result<BTreeMap<u32, String>> {
    const SQL: &str = "SELECT macs FROM cloudpods WHERE id = $1";
    let found = fetch_optional!(conn, (Option<Json<Macs>>,), SQL, id)?;
    Ok(found.and_then(|(macs,)| macs).map(|Json(Macs { macs })| macs).unwrap_or_default())
}

/// Notes the MAC addresses that it has and is to keep.
pub(in super::super) async fn pod_macs_set(tx: &mut Tx, id: CloudPodId, macs: &BTreeMap<u32, String>) -> Result<()> {
    const SQL: &str = "UPDATE cloudpods SET macs = $2 WHERE id = $1";
    execute!(tx.conn(), SQL, id, Json(Macs { macs: macs.clone() }))?;
    Ok(())
}

/// JSONB holds objects only.
#[derive(Serialize, Deserialize)]
pub(in super::super) struct Cards {
    pub(in super::super) cards: Vec<GivenCard>,
}

/// The network cards that its VM was given; `None`: none that are known.
pub(in super::super) async fn pod_cards(conn: Conn<'_>, id: CloudPodId) -> Result<Option<Vec<GivenCard>>> {
    const SQL: &str = "SELECT cards FROM cloudpods WHERE id = $1";
    let found = fetch_optional!(conn, (Option<Json<Cards>>,), SQL, id)?;
    Ok(found.and_then(|(cards,)| cards).map(|Json(Cards { cards })| cards))
}

/// Notes the network cards that its VM is given; `None`: it is another VM, and what it has is not known.
pub(in super::super) async fn pod_cards_set(tx: &mut Tx, id: CloudPodId, cards: Option<Vec<GivenCard>>) -> Result<()> {
    const SQL: &str = "UPDATE cloudpods SET cards = $2 WHERE id = $1";
    execute!(tx.conn(), SQL, id, cards.map(|cards| Json(Cards { cards })))?;
    Ok(())
}

/// What is being adopted, or was, is as it was found.
pub(in super::super) async fn pod_adopting_set(tx: &mut Tx, id: CloudPodId, adopting: bool, at: Ms) -> Result<()> {
    const SQL: &str =
        "UPDATE cloudpods SET adopting = $2, as_found = as_found OR $2, version = version + 1, updated_at = $3
                        WHERE id = $1 AND adopting <> $2";
    execute!(tx.conn(), SQL, id, adopting, at)?;
    Ok(())
}

/// What a pod is made of from now on.
pub(in super::super) struct Remake<'a> {
    pub(in super::super) image: ImageId,
    pub(in super::super) template_vmid: u32,
    pub(in super::super) ssh_keys: &'a [String],
    pub(in super::super) user: &'a str,
}

/// Notes what its VM is made of anew; what was in the old one's drive is gone with it.
pub(in super::super) async fn pod_remake(tx: &mut Tx, id: CloudPodId, remake: Remake<'_>, at: Ms) -> Result<()> {
    const SQL: &str = "UPDATE cloudpods SET image_id = $2, template_vmid = $3, ssh_keys = $4, cloud_init_user = $5,
                              media_iso = '', media_first = FALSE, rescue_iso = '', restart_causes = $7, as_found = FALSE, cards = NULL,
                              observed_power = 'unknown', version = version + 1, updated_at = $6
                        WHERE id = $1 AND rebuilding";
    let Remake { image, template_vmid, ssh_keys, user } = remake;
    let keys = Json(Keys { keys: ssh_keys.to_vec() });
    let nothing = Json(RestartCauses::default());
    let touched = execute!(tx.conn(), SQL, id, image, i64::from(template_vmid), keys, user, at, nothing)?;
    if touched == 1 { Ok(()) } else { Err(Error::Stale) }
}

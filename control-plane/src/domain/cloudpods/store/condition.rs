//! The columns of a pod that only some operations change.

use super::super::{Condition, DesiredPower, Media, Suspension};
use crate::clock::Ms;
use crate::db::Tx;
use crate::domain::check::stored;
use crate::error::Result;
use crate::execute;
use crate::ids::{CloudPodId, PlanId};

#[derive(sqlx::FromRow)]
pub(super) struct ConditionRow {
    suspend_reason: String,
    suspended_at: Option<Ms>,
    power_before: Option<String>,
    restart_needed: bool,
    media_iso: String,
    media_first: bool,
    rescue_iso: String,
    rebuilding: bool,
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
            restart_needed,
            media_iso,
            media_first,
            rescue_iso,
            rebuilding,
        } = row;
        let suspension = suspended_at.zip(power_before).map(|(since, before)| Suspension {
            reason,
            since,
            power_before: DesiredPower::parse(&before),
        });
        let media = Media { iso: given(media_iso), boot_from_cd: media_first };
        Self { suspension, restart_needed, media, rescue: given(rescue_iso), rebuilding }
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
                              suspended_at = NULL, power_before = NULL, version = version + 1, updated_at = $2
                        WHERE id = $1 AND suspended_at IS NOT NULL";
    execute!(tx.conn(), SQL, id, at)?;
    Ok(())
}

pub(in super::super) async fn pod_restart_needed_set(tx: &mut Tx, id: CloudPodId, needed: bool, at: Ms) -> Result<()> {
    const SQL: &str = "UPDATE cloudpods SET restart_needed = $2, version = version + 1, updated_at = $3
                        WHERE id = $1 AND restart_needed <> $2";
    execute!(tx.conn(), SQL, id, needed, at)?;
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

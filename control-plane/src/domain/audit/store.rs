use sqlx::types::Json;

use super::Record;
use crate::clock::Ms;
use crate::db::Tx;
use crate::error::Result;
use crate::execute;
use crate::ids::AuditId;

pub(super) async fn record_insert(tx: &mut Tx, at: Ms, record: &Record<'_>, detail: serde_json::Value) -> Result<()> {
    const SQL: &str =
        "INSERT INTO audit_records (id, tenant_id, actor, action, target_kind, target_id, detail, created_at)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let Record { actor, tenant, action, target_kind, target_id } = record;
    execute!(
        tx.conn(),
        SQL,
        AuditId::generate(),
        *tenant,
        actor.to_string(),
        *action,
        *target_kind,
        target_id.as_str(),
        Json(detail),
        at
    )?;
    Ok(())
}

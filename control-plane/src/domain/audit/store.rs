//! The records' rows; the chain's are in `chain`.

pub(super) mod chain;
pub(super) mod names;

use sqlx::types::Json;
use uuid::Uuid;

use super::{Entry, Filter, Hash, Link, Record, Scope};
use crate::clock::Ms;
use crate::db::{Conn, Tx};
use crate::error::{Error, Result};
use crate::ids::{AuditId, TenantId};
use crate::{execute, fetch_all};

/// Ids tell when a record was made by the clock on its writer's wall, which may be off by no more than this.
const WALL_OFF_MAX_MS: i64 = 24 * 60 * 60 * 1000;

#[derive(sqlx::FromRow)]
pub(super) struct EntryRow {
    id: AuditId,
    tenant_id: Option<TenantId>,
    actor: String,
    address: Option<String>,
    request_id: Option<String>,
    action: String,
    target_kind: String,
    target_id: String,
    detail: String,
    created_at: Ms,
    seq: Option<i64>,
    hash: Option<Vec<u8>>,
}

impl TryFrom<EntryRow> for Entry {
    type Error = Error;

    fn try_from(row: EntryRow) -> Result<Self> {
        let EntryRow {
            id,
            tenant_id,
            actor,
            address,
            request_id,
            action,
            target_kind,
            target_id,
            detail,
            created_at: at,
            seq,
            hash,
        } = row;
        let link = match seq.zip(hash) {
            Some((seq, hash)) => Some(Link { seq, hash: hash_of(hash)? }),
            None => None,
        };
        let tenant = tenant_id;
        // What is no JSON was put there by somebody else, and has to be shown all the same.
        let detail = serde_json::from_str(&detail).unwrap_or(serde_json::Value::String(detail));
        Ok(Self { id, tenant, actor, address, request_id, action, target_kind, target_id, detail, at, link })
    }
}

/// As the table's CHECK has it.
pub(super) fn hash_of(bytes: Vec<u8>) -> Result<Hash> {
    bytes.try_into().map(Hash).map_err(|_| Error::internal("a hash in the audit's chain is not 32 bytes long"))
}

pub(super) async fn record_insert(tx: &mut Tx, at: Ms, record: &Record<'_>, detail: serde_json::Value) -> Result<()> {
    const SQL: &str = "INSERT INTO audit_records
                (id, tenant_id, actor, action, target_kind, target_id, detail, created_at, address, request_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let Record { actor, tenant, action, target_kind, target_id } = record;
    let address = actor.origin.as_ref().and_then(|origin| origin.address).map(|address| address.to_string());
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
        at,
        address,
        actor.origin.as_ref().map(|origin| origin.request_id.as_str())
    )?;
    Ok(())
}

/// The columns of an [`EntryRow`].
macro_rules! entry_columns {
    () => {
        "r.id, r.tenant_id, r.actor, r.address, r.request_id, r.action, r.target_kind, r.target_id,
         CAST(r.detail AS TEXT) AS detail, r.created_at, c.seq, c.hash"
    };
}
pub(super) use entry_columns;

/// Led by what an index finds; the rest of the filter goes over what that leaves.
macro_rules! listing {
    ($lead:literal, $order:literal) => {
        concat!(
            "SELECT ",
            entry_columns!(),
            " FROM audit_records r LEFT JOIN audit_chain c ON c.record_id = r.id WHERE ",
            $lead,
            " AND ($1 IS NULL OR r.tenant_id = $1) AND ($2 IS NULL OR r.actor = $2) AND ($3 IS NULL OR r.action = $3)
              AND ($4 IS NULL OR r.target_kind = $4) AND ($5 IS NULL OR r.target_id = $5)
              AND r.created_at >= $6 AND r.created_at < $7 AND r.id > $8 AND r.id < $9 ORDER BY r.id ",
            $order,
            " LIMIT $10"
        )
    };
}

/// The text whose index leaves the fewest records.
macro_rules! chosen {
    ($filter:expr, $scope:expr, $order:literal) => {
        match ($filter, $scope) {
            (Filter { target_kind: Some(_), target_id: Some(_), .. }, _) => {
                listing!("r.target_kind = $4 AND r.target_id = $5", $order)
            }
            (Filter { actor: Some(_), .. }, _) => listing!("r.actor = $2", $order),
            (Filter { action: Some(_), .. }, _) => listing!("r.action = $3", $order),
            (_, Scope::Tenant(_)) => listing!("r.tenant_id = $1", $order),
            (_, Scope::Platform) => listing!("1 = 1", $order),
        }
    };
}

/// Records, the newest first, before the record `before`.
pub(super) async fn record_list(
    conn: Conn<'_>,
    scope: Scope,
    filter: &Filter,
    before: Option<AuditId>,
    limit: i64,
) -> Result<Vec<Entry>> {
    let sql = chosen!(filter, scope, "DESC");
    let (low, high) = ids_within(filter);
    listed(conn, sql, scope, filter, (low, before.map_or(high, |before| before.0.min(high))), limit).await
}

/// Records, the oldest first, after the record `after`.
pub(super) async fn record_list_forth(
    conn: Conn<'_>,
    scope: Scope,
    filter: &Filter,
    after: Option<AuditId>,
    limit: i64,
) -> Result<Vec<Entry>> {
    let sql = chosen!(filter, scope, "ASC");
    let (low, high) = ids_within(filter);
    listed(conn, sql, scope, filter, (after.map_or(low, |after| after.0.max(low)), high), limit).await
}

async fn listed(
    conn: Conn<'_>,
    sql: &'static str,
    scope: Scope,
    filter: &Filter,
    (low, high): (Uuid, Uuid),
    limit: i64,
) -> Result<Vec<Entry>> {
    let Filter { actor, action, target_kind, target_id, from, until } = filter;
    let from = from.map_or(i64::MIN, |from| from.0);
    let until = until.map_or(i64::MAX, |until| until.0);
    let (actor, action) = (actor.as_deref(), action.as_deref());
    let (kind, target) = (target_kind.as_deref(), target_id.as_deref());
    let tenant = scope.tenant();
    let rows = fetch_all!(conn, EntryRow, sql, tenant, actor, action, kind, target, from, until, low, high, limit)?;
    rows.into_iter().map(Entry::try_from).collect()
}

/// Between which ids the records of these times are.
fn ids_within(filter: &Filter) -> (Uuid, Uuid) {
    let id_at = |ms: i64| Uuid::from_u128(u128::try_from(ms.clamp(0, (1 << 48) - 1)).unwrap_or(0) << 80);
    let low = filter.from.map_or(Uuid::nil(), |from| id_at(from.0.saturating_sub(WALL_OFF_MAX_MS)));
    let high = filter.until.map_or(Uuid::max(), |until| id_at(until.0.saturating_add(WALL_OFF_MAX_MS)));
    (low, high)
}

pub(super) async fn record_get(conn: Conn<'_>, scope: Scope, id: AuditId) -> Result<Option<Entry>> {
    const SQL: &str = concat!(
        "SELECT ",
        entry_columns!(),
        " FROM audit_records r LEFT JOIN audit_chain c ON c.record_id = r.id
          WHERE r.id = $1 AND ($2 IS NULL OR r.tenant_id = $2)"
    );
    crate::fetch_optional!(conn, EntryRow, SQL, id, scope.tenant())?.map(Entry::try_from).transpose()
}

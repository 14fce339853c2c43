//! The tenants' rows.

use std::collections::HashMap;

use sqlx::types::Json;

use super::{Tenant, TenantFilter, TenantKey, TenantSuspension};
use crate::clock::Ms;
use crate::db::{Conn, Tx, Window};
use crate::domain::audit::Scope;
use crate::domain::sort::AgeOrName;
use crate::error::{Error, Result, is_unique_violation};
use crate::ids::{IdList, TenantId};
use crate::{execute, fetch_all, fetch_by_ids, fetch_optional, sql_by_db};

macro_rules! select {
    ($($rest:literal),+ $(,)?) => {
        concat!(
            "SELECT id, name, contact_email, default_region, suspended_at, suspend_reason, version, created_at,
                    COALESCE(updated_at, created_at) AS updated_at
               FROM tenants WHERE ",
            $($rest),+
        )
    };
}

#[derive(sqlx::FromRow)]
struct TenantRow {
    id: TenantId,
    name: String,
    contact_email: Option<String>,
    default_region: Option<String>,
    suspended_at: Option<Ms>,
    suspend_reason: String,
    version: i64,
    created_at: Ms,
    updated_at: Ms,
}

impl From<TenantRow> for Tenant {
    fn from(row: TenantRow) -> Self {
        let TenantRow {
            id,
            name,
            contact_email,
            default_region,
            suspended_at,
            suspend_reason: reason,
            version,
            created_at,
            updated_at,
        } = row;
        let suspension = suspended_at.map(|since| TenantSuspension { reason, since });
        Self { id, name, contact_email, default_region, suspension, version, created_at, updated_at }
    }
}

pub(super) async fn tenant_by_name(conn: Conn<'_>, name: &str) -> Result<Option<Tenant>> {
    const SQL: &str = select!("name = $1");
    Ok(fetch_optional!(conn, TenantRow, SQL, name)?.map(Tenant::from))
}

pub(super) async fn tenant_get(conn: Conn<'_>, scope: Scope, id: TenantId) -> Result<Option<Tenant>> {
    const SQL: &str = select!("id = $1 AND ($2 IS NULL OR id = $2)");
    Ok(fetch_optional!(conn, TenantRow, SQL, id, scope.tenant())?.map(Tenant::from))
}

/// The tenant, held until the transaction ends.
pub(super) async fn tenant_lock(tx: &mut Tx, scope: Scope, id: TenantId) -> Result<Option<Tenant>> {
    // SQLite has one writer. Rows that refer to the tenant, such as pods, may be written meanwhile.
    const SQLITE: &str = select!("id = $1 AND ($2 IS NULL OR id = $2)");
    const POSTGRES: &str = select!("id = $1 AND ($2 IS NULL OR id = $2) FOR NO KEY UPDATE");
    let conn = tx.conn();
    let sql = sql_by_db!(conn, sqlite: SQLITE, postgres: POSTGRES);
    Ok(fetch_optional!(conn, TenantRow, sql, id, scope.tenant())?.map(Tenant::from))
}

/// `false`: there is one of this name.
pub(super) async fn tenant_insert(tx: &mut Tx, tenant: &Tenant) -> Result<bool> {
    const SQL: &str =
        "INSERT INTO tenants (id, name, contact_email, default_region, version, created_at, updated_at, search)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";
    let Tenant { id, name, contact_email, default_region, suspension: _, version, created_at, updated_at } = tenant;
    let (email, region, search) =
        (contact_email.as_deref(), default_region.as_deref(), search_of(name, contact_email.as_deref()));
    Ok(execute!(tx.conn(), SQL, *id, name.as_str(), email, region, *version, *created_at, *updated_at, search)? == 1)
}

/// What a tenant is searched by. Databases know lower case of ASCII alone, some of them.
fn search_of(name: &str, contact_email: Option<&str>) -> String {
    format!("{name}\n{}", contact_email.unwrap_or_default()).to_lowercase()
}

/// Writes down what tenants of before are searched by, up to `limit` of them; of how many.
pub(super) async fn search_fill(tx: &mut Tx, limit: u32) -> Result<u64> {
    const MISSING: &str = "SELECT id, name, contact_email FROM tenants WHERE search IS NULL ORDER BY id LIMIT $1";
    const SQL: &str = "UPDATE tenants SET search = $2 WHERE id = $1 AND search IS NULL";
    let missing = fetch_all!(tx.conn(), (TenantId, String, Option<String>), MISSING, i64::from(limit))?;
    let mut filled = 0;
    for (id, name, email) in missing {
        filled += execute!(tx.conn(), SQL, id, search_of(&name, email.as_deref()))?;
    }
    Ok(filled)
}

/// Stores a tenant that is held.
pub(super) async fn tenant_update(tx: &mut Tx, tenant: &Tenant) -> Result<()> {
    const SQL: &str =
        "UPDATE tenants SET name = $2, contact_email = $3, default_region = $4, suspended_at = $5, suspend_reason = $6,
                            version = $7, updated_at = $8, search = $9
          WHERE id = $1";
    let Tenant { id, name, contact_email, default_region, suspension, version, created_at: _, updated_at } = tenant;
    let (since, reason) = suspension.as_ref().map_or((None, ""), |one| (Some(one.since), one.reason.as_str()));
    let (email, region) = (contact_email.as_deref(), default_region.as_deref());
    let search = search_of(name, email);
    let stored =
        execute!(tx.conn(), SQL, *id, name.as_str(), email, region, since, reason, *version, *updated_at, search);
    match stored {
        Ok(1) => Ok(()),
        Ok(_) => Err(Error::Stale),
        Err(error) if is_unique_violation(&error) => Err(name_taken(name)),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn name_taken(name: &str) -> Error {
    Error::conflict("tenant_name_taken", format!("there is a tenant named {name} already; choose another name"))
}

/// What several are called: one statement.
pub(super) async fn tenant_names(conn: Conn<'_>, ids: &[TenantId]) -> Result<HashMap<TenantId, String>> {
    let rows = fetch_by_ids!(conn, (TenantId, String), "SELECT id, name FROM tenants WHERE id", "", ids)?;
    Ok(rows.into_iter().collect())
}

/// The part of a page's text that all its orders share.
macro_rules! select_page {
    ($conn:expr, $after_and_order:literal) => {
        sql_by_db!(
            $conn,
            sqlite: select_page!(in "SELECT unhex(value) FROM json_each($6, '$.ids')", $after_and_order),
            postgres: select_page!(in "SELECT value::uuid FROM jsonb_array_elements_text($6 -> 'ids')", $after_and_order)
        )
    };
    (in $ids:literal, $after_and_order:literal) => {
        select!(
            "($1 IS NULL OR id = $1) AND ($2 IS NULL OR (suspended_at IS NOT NULL) = $2)
             AND ($3 IS NULL OR substr(name, 1, length($3)) = $3) AND ($6 IS NULL OR id IN (",
            $ids,
            ")) AND ",
            $after_and_order,
            " LIMIT $5"
        )
    };
}

pub(super) async fn tenant_list(
    conn: Conn<'_>,
    scope: Scope,
    filter: &TenantFilter,
    window: Window<TenantKey>,
) -> Result<Vec<Tenant>> {
    let sort = filter.sort.unwrap_or(AgeOrName::Oldest);
    let sql = match sort {
        AgeOrName::Oldest => select_page!(conn, "($4 IS NULL OR id > $4) ORDER BY id"),
        AgeOrName::Newest => select_page!(conn, "($4 IS NULL OR id < $4) ORDER BY id DESC"),
        AgeOrName::Name => select_page!(conn, "($4 IS NULL OR name > $4) ORDER BY name"),
        AgeOrName::NameBackwards => select_page!(conn, "($4 IS NULL OR name < $4) ORDER BY name DESC"),
    };
    let (Window { limit, after }, TenantFilter { suspended, name_prefix, among, sort: _ }) = (window, filter);
    let (own, prefix) = (scope.tenant(), name_prefix.as_deref());
    let among = among.as_ref().map(|ids| Json(ids.iter().map(|id| id.0).collect::<IdList>()));
    let (name, id) = after.unzip();
    let rows = match sort {
        AgeOrName::Oldest | AgeOrName::Newest => {
            fetch_all!(conn, TenantRow, sql, own, *suspended, prefix, id, limit, among)
        }
        AgeOrName::Name | AgeOrName::NameBackwards => {
            fetch_all!(conn, TenantRow, sql, own, *suspended, prefix, name, limit, among)
        }
    };
    Ok(rows?.into_iter().map(Tenant::from).collect())
}

//! The tenants' rows.

use super::Tenant;
use crate::clock::Ms;
use crate::db::{Conn, Tx, Window};
use crate::domain::audit::Scope;
use crate::error::Result;
use crate::ids::TenantId;
use crate::{execute, fetch_all, fetch_optional};

#[derive(sqlx::FromRow)]
struct TenantRow {
    id: TenantId,
    name: String,
    created_at: Ms,
}

impl From<TenantRow> for Tenant {
    fn from(TenantRow { id, name, created_at }: TenantRow) -> Self {
        Self { id, name, created_at }
    }
}

pub(super) async fn tenant_by_name(conn: Conn<'_>, name: &str) -> Result<Option<Tenant>> {
    const SQL: &str = "SELECT id, name, created_at FROM tenants WHERE name = $1";
    Ok(fetch_optional!(conn, TenantRow, SQL, name)?.map(Tenant::from))
}

pub(super) async fn tenant_get(conn: Conn<'_>, id: TenantId) -> Result<Option<Tenant>> {
    const SQL: &str = "SELECT id, name, created_at FROM tenants WHERE id = $1";
    Ok(fetch_optional!(conn, TenantRow, SQL, id)?.map(Tenant::from))
}

/// `false`: there is one of this name.
pub(super) async fn tenant_insert(tx: &mut Tx, id: TenantId, name: &str, now: Ms) -> Result<bool> {
    const SQL: &str = "INSERT INTO tenants (id, name, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    Ok(execute!(tx.conn(), SQL, id, name, now)? == 1)
}

pub(super) async fn tenant_list(conn: Conn<'_>, scope: Scope, window: Window<TenantId>) -> Result<Vec<Tenant>> {
    const SQL: &str =
        "SELECT id, name, created_at FROM tenants WHERE ($1 IS NULL OR id > $1) AND ($2 IS NULL OR id = $2)
                       ORDER BY id LIMIT $3";
    let Window { limit, after } = window;
    Ok(fetch_all!(conn, TenantRow, SQL, after, scope.tenant(), limit)?.into_iter().map(Tenant::from).collect())
}

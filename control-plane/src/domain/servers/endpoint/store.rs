use std::collections::HashSet;

use super::Endpoint;
use crate::clock::Ms;
use crate::db::{Conn, Tx};
use crate::domain::check::loaded;
use crate::error::Result;
use crate::ids::ServerId;
use crate::{execute, fetch_all, fetch_optional};

#[derive(sqlx::FromRow)]
struct EndpointRow {
    host: String,
    port: i64,
    fingerprint: String,
    token: Vec<u8>,
    updated_at: Ms,
}

/// The endpoint and its sealed token.
pub(super) async fn endpoint_get(conn: Conn<'_>, server: ServerId) -> Result<Option<(Endpoint, Vec<u8>)>> {
    const SQL: &str = "SELECT host, port, fingerprint, token, updated_at FROM migration_endpoints WHERE server_id = $1";
    let Some(row) = fetch_optional!(conn, EndpointRow, SQL, server)? else { return Ok(None) };
    let EndpointRow { host, port, fingerprint, token, updated_at } = row;
    Ok(Some((Endpoint { host, port: loaded(port, "port")?, fingerprint, updated_at }, token)))
}

pub(super) async fn endpoint_set(tx: &mut Tx, server: ServerId, endpoint: &Endpoint, sealed: &[u8]) -> Result<()> {
    const SQL: &str = "INSERT INTO migration_endpoints (server_id, host, port, fingerprint, token, updated_at)
                       VALUES ($1, $2, $3, $4, $5, $6)
                       ON CONFLICT (server_id) DO UPDATE SET host = excluded.host, port = excluded.port,
                           fingerprint = excluded.fingerprint, token = excluded.token, updated_at = excluded.updated_at";
    let Endpoint { host, port, fingerprint, updated_at } = endpoint;
    let (host, fingerprint) = (host.as_str(), fingerprint.as_str());
    execute!(tx.conn(), SQL, server, host, i64::from(*port), fingerprint, sealed, *updated_at)?;
    Ok(())
}

/// `false`: there was none.
pub(super) async fn endpoint_delete(tx: &mut Tx, server: ServerId) -> Result<bool> {
    const SQL: &str = "DELETE FROM migration_endpoints WHERE server_id = $1";
    Ok(execute!(tx.conn(), SQL, server)? == 1)
}

pub(super) async fn endpoints_known(conn: Conn<'_>) -> Result<HashSet<ServerId>> {
    const SQL: &str = "SELECT server_id FROM migration_endpoints";
    Ok(fetch_all!(conn, (ServerId,), SQL)?.into_iter().map(|(server,)| server).collect())
}

//! Join tokens and certificates.

use std::collections::HashMap;

use super::Certificate;
use crate::clock::Ms;
use crate::db::{Conn, Tx};
use crate::error::Result;
use crate::ids::{EnrolmentTokenId, ServerId};
use crate::{execute, fetch_by_ids, fetch_optional};

#[derive(sqlx::FromRow)]
pub(super) struct TokenRow {
    pub(super) server_id: ServerId,
    pub(super) secret_hash: Vec<u8>,
    pub(super) expires_at: Ms,
    pub(super) used_at: Option<Ms>,
}

pub(super) async fn token_insert(
    tx: &mut Tx,
    id: EnrolmentTokenId,
    server: ServerId,
    secret_hash: &[u8],
    now: Ms,
    expires_at: Ms,
) -> Result<()> {
    const SQL: &str = "INSERT INTO enrolment_tokens (id, server_id, secret_hash, created_at, expires_at)
                       VALUES ($1, $2, $3, $4, $5)";
    execute!(tx.conn(), SQL, id, server, secret_hash, now, expires_at)?;
    Ok(())
}

pub(super) async fn token_get(conn: Conn<'_>, id: EnrolmentTokenId) -> Result<Option<TokenRow>> {
    const SQL: &str = "SELECT server_id, secret_hash, expires_at, used_at FROM enrolment_tokens WHERE id = $1";
    Ok(fetch_optional!(conn, TokenRow, SQL, id)?)
}

/// `false`: somebody else used it first.
pub(super) async fn token_use(tx: &mut Tx, id: EnrolmentTokenId, now: Ms) -> Result<bool> {
    const SQL: &str = "UPDATE enrolment_tokens SET used_at = $2 WHERE id = $1 AND used_at IS NULL AND expires_at > $2";
    Ok(execute!(tx.conn(), SQL, id, now)? == 1)
}

pub(super) async fn tokens_void(tx: &mut Tx, server: ServerId) -> Result<()> {
    const SQL: &str = "DELETE FROM enrolment_tokens WHERE server_id = $1 AND used_at IS NULL";
    execute!(tx.conn(), SQL, server)?;
    Ok(())
}

pub(super) async fn certificate_insert(
    tx: &mut Tx,
    server: ServerId,
    serial: &str,
    now: Ms,
    not_after: Ms,
) -> Result<()> {
    const SQL: &str =
        "INSERT INTO agent_certificates (serial, server_id, issued_at, not_after) VALUES ($1, $2, $3, $4)";
    execute!(tx.conn(), SQL, serial, server, now, not_after)?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Serial {
    #[sqlx(rename = "serial")]
    _serial: String,
}

pub(super) async fn certificate_is_valid(conn: Conn<'_>, serial: &str, server: ServerId, now: Ms) -> Result<bool> {
    const SQL: &str = "SELECT c.serial FROM agent_certificates c JOIN servers s ON s.id = c.server_id
                       WHERE c.serial = $1 AND c.server_id = $2 AND c.revoked_at IS NULL AND c.not_after > $3
                         AND s.deleted_at IS NULL";
    Ok(fetch_optional!(conn, Serial, SQL, serial, server, now)?.is_some())
}

pub(super) async fn certificates_revoke(tx: &mut Tx, server: ServerId, now: Ms) -> Result<u64> {
    const SQL: &str = "UPDATE agent_certificates SET revoked_at = $2 WHERE server_id = $1 AND revoked_at IS NULL";
    Ok(execute!(tx.conn(), SQL, server, now)?)
}

pub(super) async fn session_fence(tx: &mut Tx, server: ServerId, now: Ms) -> Result<()> {
    const SQL: &str = "UPDATE servers SET session_epoch = session_epoch + 1, session_owner = NULL, machine_id = NULL,
                              machine_problem = '',
                              connection_since = CASE WHEN connection = 'online' THEN $2 ELSE connection_since END,
                              connection = CASE WHEN connection = 'online' THEN 'offline' ELSE connection END
                       WHERE id = $1";
    execute!(tx.conn(), SQL, server, now)?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct NotAfter {
    not_after: Ms,
}

/// When the newest certificate ends that still counts.
pub(in crate::domain::servers) async fn certificate_not_after(conn: Conn<'_>, server: ServerId) -> Result<Option<Ms>> {
    const SQL: &str = "SELECT not_after FROM agent_certificates WHERE server_id = $1 AND revoked_at IS NULL
                       ORDER BY issued_at DESC LIMIT 1";
    Ok(fetch_optional!(conn, NotAfter, SQL, server)?.map(|NotAfter { not_after }| not_after))
}

#[derive(sqlx::FromRow)]
struct CertificateRow {
    server_id: ServerId,
    serial: String,
    issued_at: Ms,
    not_after: Ms,
}

/// The newest certificate of each of these servers that still counts.
pub(super) async fn certificates_newest(
    conn: Conn<'_>,
    servers: &[ServerId],
) -> Result<HashMap<ServerId, Certificate>> {
    let rows = fetch_by_ids!(
        conn,
        CertificateRow,
        "SELECT c.server_id, c.serial, c.issued_at, c.not_after FROM agent_certificates c
          WHERE c.revoked_at IS NULL
            AND NOT EXISTS (SELECT 1 FROM agent_certificates n
                             WHERE n.server_id = c.server_id AND n.revoked_at IS NULL
                               AND (n.issued_at > c.issued_at OR n.issued_at = c.issued_at AND n.serial > c.serial))
            AND c.server_id",
        "",
        servers
    )?;
    let certificate = |CertificateRow { server_id, serial, issued_at, not_after }| {
        (server_id, Certificate { serial, issued_at, not_after })
    };
    Ok(rows.into_iter().map(certificate).collect())
}

pub(super) async fn identities_prune(tx: &mut Tx, before: Ms) -> Result<u64> {
    const TOKENS: &str = "DELETE FROM enrolment_tokens WHERE expires_at < $1";
    const CERTIFICATES: &str = "DELETE FROM agent_certificates WHERE not_after < $1";
    Ok(execute!(tx.conn(), TOKENS, before)? + execute!(tx.conn(), CERTIFICATES, before)?)
}

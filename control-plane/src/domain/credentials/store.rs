use super::Account;
use crate::clock::Ms;
use crate::db::{Conn, Tx};
use crate::error::Result;
use crate::ids::UserId;
use crate::{execute, fetch_optional, sql_by_db};
use uuid::Uuid;

#[derive(sqlx::FromRow)]
struct AccountRow {
    id: UserId,
    email: String,
    name: String,
    password_hash: Option<String>,
    totp_secret: Option<Vec<u8>>,
    totp_enabled_at: Option<Ms>,
    email_proven_at: Option<Ms>,
}

impl From<AccountRow> for Account {
    fn from(row: AccountRow) -> Self {
        let AccountRow { id, email, name, password_hash, totp_secret, totp_enabled_at, email_proven_at } = row;
        Self { id, email, name, password_hash, totp_secret, totp_enabled_at, email_proven_at }
    }
}

macro_rules! held_account {
    ($lock:literal) => {
        concat!(
            "SELECT id FROM users WHERE id = $1 AND COALESCE(password_hash, '') = $2 AND COALESCE(totp_enabled_at, 0) = $3",
            $lock
        )
    };
}

#[derive(sqlx::FromRow)]
struct ResetRow {
    id: Uuid,
    user_id: UserId,
    secret_hash: Vec<u8>,
    mailed: bool,
}

/// A link for a new password.
pub(super) struct Reset {
    pub(super) id: Uuid,
    pub(super) user: UserId,
    pub(super) secret_hash: Vec<u8>,
    /// Whether it was mailed to the account's address, and shown to nobody else.
    pub(super) mailed: bool,
}

impl From<ResetRow> for Reset {
    fn from(ResetRow { id, user_id: user, secret_hash, mailed }: ResetRow) -> Self {
        Self { id, user, secret_hash, mailed }
    }
}

#[derive(sqlx::FromRow)]
struct CountRow {
    count: i64,
}

macro_rules! accounts {
    ($rest:literal) => {
        concat!(
            "SELECT id, email, name, password_hash, totp_secret, totp_enabled_at, email_proven_at FROM users WHERE ",
            $rest
        )
    };
}

pub(super) async fn account_by_email(conn: Conn<'_>, email: &str) -> Result<Option<Account>> {
    const SQL: &str = accounts!("email = $1");
    Ok(fetch_optional!(conn, AccountRow, SQL, email)?.map(Account::from))
}

pub(super) async fn account_get(conn: Conn<'_>, id: UserId) -> Result<Option<Account>> {
    const SQL: &str = accounts!("id = $1");
    Ok(fetch_optional!(conn, AccountRow, SQL, id)?.map(Account::from))
}

pub(super) async fn password_set(tx: &mut Tx, id: UserId, hash: &str, now: Ms) -> Result<bool> {
    const SQL: &str =
        "UPDATE users SET password_hash = $1, password_changed_at = $2, version = version + 1, updated_at = $2
                       WHERE id = $3";
    Ok(execute!(tx.conn(), SQL, hash, now, id)? == 1)
}

/// Notes that an account's owner reads the mail of its address, if that was not known.
pub(super) async fn email_prove(tx: &mut Tx, id: UserId, now: Ms) -> Result<()> {
    const SQL: &str = "UPDATE users SET email_proven_at = $1, version = version + 1, updated_at = $1
                       WHERE id = $2 AND email_proven_at IS NULL";
    execute!(tx.conn(), SQL, now, id)?;
    Ok(())
}

/// Holds the account for the transaction; `false`: its password or its second factor is not what it was.
pub(super) async fn account_hold(tx: &mut Tx, id: UserId, hash: Option<&str>, totp: Option<Ms>) -> Result<bool> {
    const SQLITE: &str = held_account!("");
    const POSTGRES: &str = held_account!(" FOR NO KEY UPDATE");
    let conn = tx.conn();
    let sql = sql_by_db!(conn, sqlite: SQLITE, postgres: POSTGRES);
    let found = fetch_optional!(conn, (UserId,), sql, id, hash.unwrap_or_default(), totp.unwrap_or(Ms(0)))?;
    Ok(found.is_some())
}

/// A secret that waits for its first code; `false`: a second factor is on already.
pub(super) async fn totp_offer(tx: &mut Tx, id: UserId, sealed: &[u8], now: Ms) -> Result<bool> {
    const SQL: &str = "UPDATE users SET totp_secret = $1, totp_step = NULL, version = version + 1, updated_at = $2
                       WHERE id = $3 AND totp_enabled_at IS NULL";
    Ok(execute!(tx.conn(), SQL, sealed, now, id)? == 1)
}

/// `false`: it is on already, or there is another secret by now.
pub(super) async fn totp_enable(tx: &mut Tx, id: UserId, sealed: &[u8], step: i64, now: Ms) -> Result<bool> {
    const SQL: &str = "UPDATE users SET totp_enabled_at = $1, totp_step = $2, version = version + 1, updated_at = $1
                       WHERE id = $3 AND totp_enabled_at IS NULL AND totp_secret = $4";
    Ok(execute!(tx.conn(), SQL, now, step, id, sealed)? == 1)
}

/// Uses up a step's code; `false`: it or a newer one was used.
pub(super) async fn totp_use(tx: &mut Tx, id: UserId, step: i64) -> Result<bool> {
    const SQL: &str = "UPDATE users SET totp_step = $1
                       WHERE id = $2 AND totp_enabled_at IS NOT NULL AND (totp_step IS NULL OR totp_step < $1)";
    Ok(execute!(tx.conn(), SQL, step, id)? == 1)
}

pub(super) async fn totp_clear(tx: &mut Tx, id: UserId, now: Ms) -> Result<bool> {
    const SQL: &str =
        "UPDATE users SET totp_secret = NULL, totp_enabled_at = NULL, totp_step = NULL, version = version + 1,
                           updated_at = $1
                       WHERE id = $2 AND totp_enabled_at IS NOT NULL";
    Ok(execute!(tx.conn(), SQL, now, id)? == 1)
}

/// Takes away password and second factor; `false`: there is no such person.
pub(super) async fn proofs_clear(tx: &mut Tx, id: UserId, now: Ms) -> Result<bool> {
    const SQL: &str =
        "UPDATE users SET password_hash = NULL, password_changed_at = NULL, totp_secret = NULL, totp_enabled_at = NULL,
                           totp_step = NULL, version = version + 1, updated_at = $1
                       WHERE id = $2";
    Ok(execute!(tx.conn(), SQL, now, id)? == 1)
}

pub(super) async fn recovery_insert(tx: &mut Tx, user: UserId, hash: &[u8]) -> Result<()> {
    const SQL: &str = "INSERT INTO recovery_codes (user_id, code_hash) VALUES ($1, $2)";
    execute!(tx.conn(), SQL, user, hash)?;
    Ok(())
}

/// `false`: there is no such code, or it was used.
pub(super) async fn recovery_use(tx: &mut Tx, user: UserId, hash: &[u8], now: Ms) -> Result<bool> {
    const SQL: &str =
        "UPDATE recovery_codes SET used_at = $1 WHERE user_id = $2 AND code_hash = $3 AND used_at IS NULL";
    Ok(execute!(tx.conn(), SQL, now, user, hash)? == 1)
}

pub(super) async fn recovery_clear(tx: &mut Tx, user: UserId) -> Result<()> {
    const SQL: &str = "DELETE FROM recovery_codes WHERE user_id = $1";
    execute!(tx.conn(), SQL, user)?;
    Ok(())
}

pub(super) async fn recovery_left(conn: Conn<'_>, user: UserId) -> Result<i64> {
    const SQL: &str = "SELECT count(*) AS count FROM recovery_codes WHERE user_id = $1 AND used_at IS NULL";
    Ok(fetch_optional!(conn, CountRow, SQL, user)?.map_or(0, |CountRow { count }| count))
}

pub(super) async fn reset_insert(
    tx: &mut Tx,
    id: Uuid,
    user: UserId,
    hash: &[u8],
    (mailed, now, expires_at): (bool, Ms, Ms),
) -> Result<()> {
    const SQL: &str = "INSERT INTO password_resets (id, user_id, secret_hash, mailed, created_at, expires_at)
                       VALUES ($1, $2, $3, $4, $5, $6)";
    execute!(tx.conn(), SQL, id, user, hash, mailed, now, expires_at)?;
    Ok(())
}

/// The link of this id, if it is still good.
pub(super) async fn reset_get(conn: Conn<'_>, id: Uuid, now: Ms) -> Result<Option<Reset>> {
    const SQL: &str = "SELECT id, user_id, secret_hash, mailed FROM password_resets
                       WHERE id = $1 AND used_at IS NULL AND expires_at > $2";
    Ok(fetch_optional!(conn, ResetRow, SQL, id, now)?.map(Reset::from))
}

/// `false`: somebody used it first.
pub(super) async fn reset_use(tx: &mut Tx, id: Uuid, now: Ms) -> Result<bool> {
    const SQL: &str = "UPDATE password_resets SET used_at = $1 WHERE id = $2 AND used_at IS NULL AND expires_at > $1";
    Ok(execute!(tx.conn(), SQL, now, id)? == 1)
}

/// Makes all of a user's links useless.
pub(super) async fn resets_close(tx: &mut Tx, user: UserId, now: Ms) -> Result<()> {
    const SQL: &str = "UPDATE password_resets SET used_at = $1 WHERE user_id = $2 AND used_at IS NULL";
    execute!(tx.conn(), SQL, now, user)?;
    Ok(())
}

pub(super) async fn resets_prune(tx: &mut Tx, before: Ms, limit: i64) -> Result<u64> {
    const SQL: &str = "DELETE FROM password_resets WHERE id IN
                           (SELECT id FROM password_resets WHERE expires_at < $1 ORDER BY id LIMIT $2)";
    Ok(execute!(tx.conn(), SQL, before, limit)?)
}

//! The rows of accounts, as staff see them.

use super::{Account, AccountFilter};
use crate::clock::Ms;
use crate::db::{Conn, Tx, Window};
use crate::error::{Error, Result};
use crate::ids::UserId;
use crate::{execute, fetch_all, fetch_one, fetch_optional, sql_by_db};

#[derive(sqlx::FromRow)]
struct AccountRow {
    id: UserId,
    email: String,
    name: String,
    platform_role: Option<String>,
    email_proven_at: Option<Ms>,
    totp_enabled_at: Option<Ms>,
    suspended_at: Option<Ms>,
    last_sign_in_at: Option<Ms>,
    version: i64,
    created_at: Ms,
}

impl From<AccountRow> for Account {
    fn from(row: AccountRow) -> Self {
        let AccountRow {
            id,
            email,
            name,
            platform_role,
            email_proven_at,
            totp_enabled_at,
            suspended_at,
            last_sign_in_at,
            version,
            created_at,
        } = row;
        Self {
            id,
            email,
            name,
            staff: platform_role.is_some(),
            email_proven: email_proven_at.is_some(),
            totp_enabled: totp_enabled_at.is_some(),
            suspended_at,
            last_sign_in_at,
            version,
            created_at,
        }
    }
}

macro_rules! accounts {
    ($rest:literal) => {
        concat!(
            "SELECT id, email, name, platform_role, email_proven_at, totp_enabled_at, suspended_at, last_sign_in_at, version,
                    created_at FROM users WHERE ",
            $rest
        )
    };
}

pub(super) async fn account_get(conn: Conn<'_>, id: UserId) -> Result<Option<Account>> {
    const SQL: &str = accounts!("id = $1");
    Ok(fetch_optional!(conn, AccountRow, SQL, id)?.map(Account::from))
}

/// A page of accounts. Those of staff, and those that are suspended, are few among many and have indexes of their own.
pub(super) async fn account_list(
    conn: Conn<'_>,
    filter: &AccountFilter,
    window: Window<UserId>,
) -> Result<Vec<Account>> {
    const ALL: &str = accounts!(
        "($1 IS NULL OR (platform_role IS NOT NULL) = $1) AND ($2 IS NULL OR (suspended_at IS NOT NULL) = $2)
         AND ($3 IS NULL OR substr(email, 1, length($3)) = $3) AND ($4 IS NULL OR id > $4) AND $6 IS NULL
         ORDER BY id LIMIT $5"
    );
    const ADDRESS: &str = accounts!(
        "email = $6 AND ($1 IS NULL OR (platform_role IS NOT NULL) = $1) AND ($2 IS NULL OR (suspended_at IS NOT NULL) = $2)
         AND ($3 IS NULL OR substr(email, 1, length($3)) = $3) AND ($4 IS NULL OR id > $4) ORDER BY id LIMIT $5"
    );
    const STAFF: &str = accounts!(
        "platform_role IS NOT NULL AND $1 AND $6 IS NULL AND ($2 IS NULL OR (suspended_at IS NOT NULL) = $2)
         AND ($3 IS NULL OR substr(email, 1, length($3)) = $3) AND ($4 IS NULL OR id > $4) ORDER BY id LIMIT $5"
    );
    const SUSPENDED: &str = accounts!(
        "suspended_at IS NOT NULL AND ($1 IS NULL OR (platform_role IS NOT NULL) = $1) AND $2 AND $6 IS NULL
         AND ($3 IS NULL OR substr(email, 1, length($3)) = $3) AND ($4 IS NULL OR id > $4) ORDER BY id LIMIT $5"
    );
    let AccountFilter { staff, suspended, email, email_prefix } = filter;
    let sql = match (staff, suspended) {
        _ if email.is_some() => ADDRESS,
        (Some(true), _) => STAFF,
        (_, Some(true)) => SUSPENDED,
        _ => ALL,
    };
    let Window { limit, after } = window;
    let (email, prefix) = (email.as_deref(), email_prefix.as_deref());
    let rows = fetch_all!(conn, AccountRow, sql, *staff, *suspended, prefix, after, limit, email)?;
    Ok(rows.into_iter().map(Account::from).collect())
}

/// Holds the rows of all staff until the transaction ends, so that one after the other changes who is of them.
pub(in crate::domain::users) async fn staff_hold(tx: &mut Tx) -> Result<()> {
    const SQLITE: &str = "SELECT id FROM users WHERE platform_role IS NOT NULL ORDER BY id";
    const POSTGRES: &str = "SELECT id FROM users WHERE platform_role IS NOT NULL ORDER BY id FOR NO KEY UPDATE";
    let conn = tx.conn();
    let sql = sql_by_db!(conn, sqlite: SQLITE, postgres: POSTGRES);
    fetch_all!(conn, (UserId,), sql)?;
    Ok(())
}

/// How many of the staff come in.
pub(super) async fn staff_count(conn: Conn<'_>) -> Result<i64> {
    const SQL: &str = "SELECT COUNT(*) FROM users WHERE platform_role IS NOT NULL AND suspended_at IS NULL";
    let (count,): (i64,) = fetch_one!(conn, (i64,), SQL)?;
    Ok(count)
}

/// Writes whether somebody is of the staff and whether they may come in, if the account is still of the version before.
pub(super) async fn account_update(tx: &mut Tx, account: &Account, at: Ms) -> Result<()> {
    const SQL: &str = "UPDATE users SET platform_role = $1, suspended_at = $2, version = $3, updated_at = $4
                       WHERE id = $5 AND version = $3 - 1";
    let Account {
        id,
        email: _,
        name: _,
        staff,
        email_proven: _,
        totp_enabled: _,
        suspended_at,
        last_sign_in_at: _,
        version,
        created_at: _,
    } = account;
    let platform_role = staff.then_some("PLATFORM_ADMIN");
    let written = execute!(tx.conn(), SQL, platform_role, *suspended_at, *version, at, *id)?;
    if written == 1 { Ok(()) } else { Err(Error::Stale) }
}

use std::time::Duration;

use crate::clock::Ms;
use crate::db::{Conn, Tx};
use crate::error::{Error, Result};
use crate::{execute, fetch_optional};

#[derive(sqlx::FromRow)]
struct WaitRow {
    wait_until: Ms,
}

#[derive(sqlx::FromRow)]
struct CountRow {
    failures: i64,
}

pub(super) async fn wait_until(conn: Conn<'_>, subject: &str) -> Result<Option<Ms>> {
    const SQL: &str = "SELECT wait_until FROM sign_in_failures WHERE subject = $1";
    Ok(fetch_optional!(conn, WaitRow, SQL, subject)?.map(|WaitRow { wait_until }| wait_until))
}

/// Lets failures fade, one in each `fade`, and all of them where nobody has tried since `forget`. `updated_at` goes on by what has faded, so
/// that attempts between do not hold it up; where the clock was set back nothing fades until it is as late again.
pub(super) async fn failures_fade(tx: &mut Tx, subject: &str, (now, forget): (Ms, Ms), fade: Duration) -> Result<()> {
    const SQL: &str = "UPDATE sign_in_failures SET
                           failures = CASE WHEN updated_at < $3 OR ($2 - updated_at) / $4 >= failures THEN 0
                                           ELSE failures - ($2 - updated_at) / $4 END,
                           updated_at = updated_at + ($2 - updated_at) / $4 * $4
                       WHERE subject = $1 AND updated_at <= $2 - $4";
    let fade = i64::try_from(fade.as_millis()).map_err(Error::internal)?;
    execute!(tx.conn(), SQL, subject, now, forget, fade)?;
    Ok(())
}

/// How many failures there are with this one, of which `max` are kept; `None`: it has to wait, and was not counted.
pub(super) async fn failure_count(tx: &mut Tx, subject: &str, now: Ms, max: i64) -> Result<Option<i64>> {
    const SQL: &str = "INSERT INTO sign_in_failures (subject, failures, wait_until, updated_at) VALUES ($1, 1, 0, $2)
                       ON CONFLICT (subject) DO UPDATE SET
                           failures = CASE WHEN sign_in_failures.failures >= $3 THEN $3
                                           ELSE sign_in_failures.failures + 1 END
                       WHERE sign_in_failures.wait_until <= $2
                       RETURNING failures";
    let row = fetch_optional!(tx.conn(), CountRow, SQL, subject, now, max)?;
    Ok(row.map(|CountRow { failures }| failures))
}

pub(super) async fn wait_set(tx: &mut Tx, subject: &str, until: Ms) -> Result<()> {
    const SQL: &str = "UPDATE sign_in_failures SET wait_until = $1 WHERE subject = $2";
    execute!(tx.conn(), SQL, until, subject)?;
    Ok(())
}

pub(super) async fn failure_refund(tx: &mut Tx, subject: &str, now: Ms) -> Result<()> {
    const SQL: &str =
        "UPDATE sign_in_failures SET failures = failures - 1, wait_until = $1 WHERE subject = $2 AND failures > 0";
    execute!(tx.conn(), SQL, now, subject)?;
    Ok(())
}

pub(super) async fn failures_forget(tx: &mut Tx, subject: &str) -> Result<()> {
    const SQL: &str = "DELETE FROM sign_in_failures WHERE subject = $1";
    execute!(tx.conn(), SQL, subject)?;
    Ok(())
}

pub(super) async fn failures_prune(tx: &mut Tx, before: Ms, limit: i64) -> Result<u64> {
    const SQL: &str = "DELETE FROM sign_in_failures WHERE subject IN
                           (SELECT subject FROM sign_in_failures WHERE updated_at < $1 ORDER BY updated_at LIMIT $2)";
    Ok(execute!(tx.conn(), SQL, before, limit)?)
}

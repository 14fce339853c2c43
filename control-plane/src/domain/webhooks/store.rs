//! The rows of webhooks, their secrets, and what is sent.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use uuid::Uuid;

use super::{Attempt, Delivery, Webhook};
use crate::clock::Ms;
use crate::db::{Conn, Tx, Window};
use crate::domain::audit::Scope;
use crate::domain::check::{loaded, loaded_option, stored};
use crate::domain::feed::Names;
use crate::error::{Error, Result};
use crate::ids::{DeliveryId, TenantId, WebhookId};
use crate::{execute, fetch_all, fetch_by_ids, fetch_one, fetch_optional, sql_by_db};

/// JSONB holds objects only.
#[derive(Serialize, Deserialize)]
struct NameList {
    names: Vec<String>,
}

impl From<&Names> for NameList {
    fn from(names: &Names) -> Self {
        Self { names: names.iter().map(str::to_owned).collect() }
    }
}

#[derive(sqlx::FromRow)]
struct WebhookRow {
    id: WebhookId,
    tenant_id: Option<TenantId>,
    name: String,
    url: String,
    event_names: Json<NameList>,
    active: bool,
    disabled_reason: Option<String>,
    failing_since: Option<Ms>,
    dropped: i64,
    dropped_since: Option<Ms>,
    version: i64,
    created_at: Ms,
    updated_at: Ms,
}

impl TryFrom<WebhookRow> for Webhook {
    type Error = Error;

    fn try_from(row: WebhookRow) -> Result<Self> {
        let WebhookRow {
            id,
            tenant_id: tenant,
            name,
            url,
            event_names: Json(NameList { names }),
            active,
            disabled_reason,
            failing_since,
            dropped,
            dropped_since,
            version,
            created_at,
            updated_at,
        } = row;
        let names = Names::parse(names.iter().map(String::as_str));
        let names = names.ok_or_else(|| Error::internal(format!("webhook {id} has a wrong name of an event")))?;
        Ok(Self {
            id,
            tenant,
            name,
            url,
            names,
            active,
            disabled_reason,
            failing_since,
            dropped: loaded(dropped, "webhooks.dropped")?,
            dropped_since,
            version,
            created_at,
            updated_at,
        })
    }
}

macro_rules! webhook_select {
    ($rest:literal) => {
        concat!(
            "SELECT id, tenant_id, name, url, event_names, active, disabled_reason, failing_since, dropped, dropped_since,
                    version, created_at, updated_at FROM webhooks WHERE ",
            $rest
        )
    };
}

pub(super) async fn webhook_list(conn: Conn<'_>, scope: Scope, window: Window<WebhookId>) -> Result<Vec<Webhook>> {
    const SQL: &str =
        webhook_select!("($1 IS NULL OR tenant_id = $1) AND ($2 IS NULL OR id > $2) ORDER BY id LIMIT $3");
    let Window { limit, after } = window;
    let rows = fetch_all!(conn, WebhookRow, SQL, scope.tenant(), after, limit)?;
    rows.into_iter().map(Webhook::try_from).collect()
}

pub(super) async fn webhook_get(conn: Conn<'_>, scope: Scope, id: WebhookId) -> Result<Option<Webhook>> {
    const SQL: &str = webhook_select!("id = $1 AND ($2 IS NULL OR tenant_id = $2)");
    fetch_optional!(conn, WebhookRow, SQL, id, scope.tenant())?.map(Webhook::try_from).transpose()
}

/// The same, held until the transaction ends.
pub(super) async fn webhook_hold(tx: &mut Tx, scope: Scope, id: WebhookId) -> Result<Option<Webhook>> {
    const SQLITE: &str = webhook_select!("id = $1 AND ($2 IS NULL OR tenant_id = $2)");
    const POSTGRES: &str = webhook_select!("id = $1 AND ($2 IS NULL OR tenant_id = $2) FOR NO KEY UPDATE");
    let sql = sql_by_db!(tx.conn(), sqlite: SQLITE, postgres: POSTGRES);
    fetch_optional!(tx.conn(), WebhookRow, sql, id, scope.tenant())?.map(Webhook::try_from).transpose()
}

/// The platform's that are active, and those of these tenants, by an index: there may be many others.
pub(super) async fn webhooks_active(mut conn: Conn<'_>, tenants: &BTreeSet<TenantId>) -> Result<Vec<Webhook>> {
    const PLATFORM: &str = webhook_select!("active AND tenant_id IS NULL ORDER BY id");
    let mut rows = fetch_all!(conn.again(), WebhookRow, PLATFORM)?;
    if !tenants.is_empty() {
        rows.extend(fetch_by_ids!(
            conn,
            WebhookRow,
            "SELECT id, tenant_id, name, url, event_names, active, disabled_reason, failing_since, dropped, dropped_since,
                    version, created_at, updated_at FROM webhooks WHERE active AND tenant_id",
            "ORDER BY id",
            tenants
        )?);
    }
    rows.into_iter().map(Webhook::try_from).collect()
}

/// How many the owner has.
pub(super) async fn webhook_count(conn: Conn<'_>, tenant: Option<TenantId>) -> Result<i64> {
    const OF: &str = "SELECT COUNT(*) FROM webhooks WHERE tenant_id = $1";
    const PLATFORM: &str = "SELECT COUNT(*) FROM webhooks WHERE tenant_id IS NULL";
    let (count,) = match tenant {
        Some(tenant) => fetch_one!(conn, (i64,), OF, tenant)?,
        None => fetch_one!(conn, (i64,), PLATFORM)?,
    };
    Ok(count)
}

pub(super) async fn webhook_insert(tx: &mut Tx, webhook: &Webhook) -> Result<()> {
    const SQL: &str =
        "INSERT INTO webhooks (id, tenant_id, name, url, event_names, active, version, created_at, updated_at)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let Webhook {
        id,
        tenant,
        name,
        url,
        names,
        active,
        disabled_reason: _,
        failing_since: _,
        dropped: _,
        dropped_since: _,
        version,
        created_at,
        updated_at,
    } = webhook;
    let names = Json(NameList::from(names));
    let (name, url) = (name.as_str(), url.as_str());
    execute!(tx.conn(), SQL, *id, *tenant, name, url, names, *active, *version, *created_at, *updated_at)?;
    Ok(())
}

/// Stores it over the version that it was made of; `false`: that is not there any more.
pub(super) async fn webhook_update(tx: &mut Tx, webhook: &Webhook, expected: i64) -> Result<bool> {
    const SQL: &str = "UPDATE webhooks SET name = $1, url = $2, event_names = $3, active = $4, disabled_reason = $5,
            failing_since = $6, dropped = $7, dropped_since = $8, version = $9, updated_at = $10
         WHERE id = $11 AND version = $12";
    let Webhook {
        id,
        tenant: _,
        name,
        url,
        names,
        active,
        disabled_reason,
        failing_since,
        dropped,
        dropped_since,
        version,
        created_at: _,
        updated_at,
    } = webhook;
    let names = Json(NameList::from(names));
    let (name, url, reason) = (name.as_str(), url.as_str(), disabled_reason.as_deref());
    let (dropped, missing) = (stored(*dropped), *dropped_since);
    let (id, active, failing, version, at) = (*id, *active, *failing_since, *version, *updated_at);
    let changed = execute!(
        tx.conn(),
        SQL,
        name,
        url,
        names,
        active,
        reason,
        failing,
        dropped,
        missing,
        version,
        at,
        id,
        expected,
    )?;
    Ok(changed == 1)
}

/// Counts what it is not sent.
pub(super) async fn webhook_drops(tx: &mut Tx, id: WebhookId, count: u64, now: Ms) -> Result<()> {
    const SQL: &str =
        "UPDATE webhooks SET dropped = dropped + $2, dropped_since = COALESCE(dropped_since, $3) WHERE id = $1";
    execute!(tx.conn(), SQL, id, stored(count), now)?;
    Ok(())
}

/// Notes since when each try has failed, or that one did not.
pub(super) async fn webhook_failing(tx: &mut Tx, id: WebhookId, since: Option<Ms>) -> Result<()> {
    const FAILS: &str = "UPDATE webhooks SET failing_since = $2 WHERE id = $1 AND failing_since IS NULL";
    const WORKS: &str = "UPDATE webhooks SET failing_since = NULL WHERE id = $1 AND failing_since IS NOT NULL";
    match since {
        Some(since) => execute!(tx.conn(), FAILS, id, since)?,
        None => execute!(tx.conn(), WORKS, id)?,
    };
    Ok(())
}

pub(super) async fn webhook_delete(tx: &mut Tx, id: WebhookId) -> Result<()> {
    const SQL: &str = "DELETE FROM webhooks WHERE id = $1";
    execute!(tx.conn(), SQL, id)?;
    Ok(())
}

pub(super) async fn secret_insert(tx: &mut Tx, webhook: WebhookId, id: Uuid, sealed: &[u8], at: Ms) -> Result<()> {
    const SQL: &str = "INSERT INTO webhook_secrets (id, webhook_id, sealed, created_at) VALUES ($1, $2, $3, $4)";
    execute!(tx.conn(), SQL, id, webhook, sealed, at)?;
    Ok(())
}

/// Lets the secrets that have no end yet end at `at`, and forgets those that have ended.
pub(super) async fn secrets_expire(tx: &mut Tx, webhook: WebhookId, now: Ms, at: Ms) -> Result<()> {
    const END: &str = "UPDATE webhook_secrets SET expires_at = $2 WHERE webhook_id = $1 AND expires_at IS NULL";
    const FORGET: &str = "DELETE FROM webhook_secrets WHERE webhook_id = $1 AND expires_at <= $2";
    execute!(tx.conn(), FORGET, webhook, now)?;
    execute!(tx.conn(), END, webhook, at)?;
    Ok(())
}

/// Those that have not ended, sealed, the newest first.
pub(super) async fn secret_list(conn: Conn<'_>, webhook: WebhookId, now: Ms) -> Result<Vec<(Uuid, Vec<u8>)>> {
    const SQL: &str = "SELECT id, sealed FROM webhook_secrets
        WHERE webhook_id = $1 AND (expires_at IS NULL OR expires_at > $2) ORDER BY created_at DESC, id DESC LIMIT 10";
    Ok(fetch_all!(conn, (Uuid, Vec<u8>), SQL, webhook, now)?)
}

#[derive(sqlx::FromRow)]
struct DeliveryRow {
    id: DeliveryId,
    webhook_id: WebhookId,
    message_id: String,
    event_name: String,
    body: String,
    state: String,
    attempt: i64,
    run_at: Ms,
    created_at: Ms,
    finished_at: Option<Ms>,
}

impl TryFrom<DeliveryRow> for Delivery {
    type Error = Error;

    fn try_from(row: DeliveryRow) -> Result<Self> {
        let DeliveryRow {
            id,
            webhook_id: webhook,
            message_id: message,
            event_name,
            body,
            state,
            attempt,
            run_at,
            created_at,
            finished_at,
        } = row;
        let attempt = loaded(attempt, "webhook_deliveries.attempt")?;
        Ok(Self { id, webhook, message, event_name, body, state, attempt, run_at, created_at, finished_at })
    }
}

pub(super) async fn delivery_insert(tx: &mut Tx, delivery: &Delivery) -> Result<()> {
    const SQL: &str = "INSERT INTO webhook_deliveries
            (id, webhook_id, message_id, event_name, body, state, attempt, run_at, created_at, finished_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let Delivery { id, webhook, message, event_name, body, state, attempt, run_at, created_at, finished_at } = delivery;
    let (message, name, body, state) = (message.as_str(), event_name.as_str(), body.as_str(), state.as_str());
    let attempt = i64::from(*attempt);
    execute!(tx.conn(), SQL, *id, *webhook, message, name, body, state, attempt, *run_at, *created_at, *finished_at)?;
    Ok(())
}

/// How many wait for this webhook or are on their way to it; no more than `limit` are counted.
pub(super) async fn pending_count(conn: Conn<'_>, webhook: WebhookId, limit: i64) -> Result<i64> {
    const SQL: &str = "SELECT COUNT(*) FROM
        (SELECT id FROM webhook_deliveries WHERE webhook_id = $1 AND state = 'pending' LIMIT $2) AS waiting";
    let (count,) = fetch_one!(conn, (i64,), SQL, webhook, limit)?;
    Ok(count)
}

/// How many are on their way to this webhook.
pub(super) async fn leased_count(conn: Conn<'_>, webhook: WebhookId, now: Ms) -> Result<i64> {
    const SQL: &str = "SELECT COUNT(*) FROM webhook_deliveries WHERE webhook_id = $1 AND lease_until > $2";
    let (count,) = fetch_one!(conn, (i64,), SQL, webhook, now)?;
    Ok(count)
}

/// Up to `limit` webhooks for which something is due while fewer than `per_webhook` are on their way, and how many are: those with
/// the fewest first, by lot among equals.
pub(super) async fn webhooks_due(
    conn: Conn<'_>,
    now: Ms,
    per_webhook: i64,
    limit: i64,
) -> Result<Vec<(WebhookId, i64)>> {
    // From one webhook for which something waits to the next, by the index, and the first of each: however much waits.
    const SQL: &str = "
        WITH RECURSIVE waiting (id) AS (
            SELECT (SELECT webhook_id FROM webhook_deliveries WHERE state = 'pending' ORDER BY webhook_id LIMIT 1)
            UNION ALL
            SELECT (SELECT d.webhook_id FROM webhook_deliveries d WHERE d.state = 'pending' AND d.webhook_id > w.id
                    ORDER BY d.webhook_id LIMIT 1)
            FROM waiting w WHERE w.id IS NOT NULL)
        SELECT id, leased FROM (
            SELECT w.id, (SELECT COUNT(*) FROM webhook_deliveries l WHERE l.webhook_id = w.id AND l.lease_until > $1) AS leased
            FROM waiting w
            WHERE (SELECT d.run_at FROM webhook_deliveries d
                   WHERE d.webhook_id = w.id AND d.state = 'pending' AND (d.lease_until IS NULL OR d.lease_until <= $1)
                   ORDER BY d.run_at LIMIT 1) <= $1) AS due
        WHERE leased < $2 ORDER BY leased, random() LIMIT $3";
    Ok(fetch_all!(conn, (WebhookId, i64), SQL, now, per_webhook, limit)?)
}

/// Takes up to `limit` of a webhook's deliveries that are due, the oldest first.
pub(super) async fn deliveries_claim(
    tx: &mut Tx,
    webhook: WebhookId,
    now: Ms,
    lease_until: Ms,
    limit: i64,
) -> Result<Vec<Delivery>> {
    const SQL: &str = "
        UPDATE webhook_deliveries SET lease_until = $3, attempt = attempt + 1
        WHERE id IN (
            SELECT id FROM webhook_deliveries
            WHERE webhook_id = $1 AND state = 'pending' AND run_at <= $2 AND (lease_until IS NULL OR lease_until <= $2)
            ORDER BY run_at, id LIMIT $4)
          AND state = 'pending' AND (lease_until IS NULL OR lease_until <= $2)
        RETURNING id, webhook_id, message_id, event_name, body, state, attempt, run_at, created_at, finished_at";
    let rows = fetch_all!(tx.conn(), DeliveryRow, SQL, webhook, now, lease_until, limit)?;
    rows.into_iter().map(Delivery::try_from).collect()
}

/// Stores what a try came to, if it is still the newest one.
pub(super) async fn delivery_settle(
    tx: &mut Tx,
    delivery: &Delivery,
    state: &str,
    run_at: Ms,
    finished_at: Option<Ms>,
) -> Result<bool> {
    const SQL: &str = "UPDATE webhook_deliveries SET state = $1, run_at = $2, finished_at = $3, lease_until = NULL
                       WHERE id = $4 AND attempt = $5 AND state = 'pending'";
    let attempt = i64::from(delivery.attempt);
    Ok(execute!(tx.conn(), SQL, state, run_at, finished_at, delivery.id, attempt)? == 1)
}

/// Gives up what still waits for this webhook.
pub(super) async fn deliveries_give_up(tx: &mut Tx, webhook: WebhookId, now: Ms) -> Result<()> {
    const SQL: &str = "UPDATE webhook_deliveries SET state = 'failed', finished_at = $2, lease_until = NULL
                       WHERE webhook_id = $1 AND state = 'pending'";
    execute!(tx.conn(), SQL, webhook, now)?;
    Ok(())
}

pub(super) async fn delivery_list(
    conn: Conn<'_>,
    webhook: WebhookId,
    state: Option<&str>,
    window: Window<DeliveryId>,
) -> Result<Vec<Delivery>> {
    const SQL: &str =
        "SELECT id, webhook_id, message_id, event_name, body, state, attempt, run_at, created_at, finished_at
         FROM webhook_deliveries WHERE webhook_id = $1 AND ($2 IS NULL OR state = $2) AND ($3 IS NULL OR id < $3)
         ORDER BY id DESC LIMIT $4";
    let Window { limit, after } = window;
    let rows = fetch_all!(conn, DeliveryRow, SQL, webhook, state, after, limit)?;
    rows.into_iter().map(Delivery::try_from).collect()
}

pub(super) async fn delivery_get(conn: Conn<'_>, webhook: WebhookId, id: DeliveryId) -> Result<Option<Delivery>> {
    const SQL: &str =
        "SELECT id, webhook_id, message_id, event_name, body, state, attempt, run_at, created_at, finished_at
                       FROM webhook_deliveries WHERE webhook_id = $1 AND id = $2";
    fetch_optional!(conn, DeliveryRow, SQL, webhook, id)?.map(Delivery::try_from).transpose()
}

/// Deletes up to `limit` that are over and older than this.
pub(super) async fn deliveries_prune(tx: &mut Tx, before: Ms, limit: u32) -> Result<u64> {
    const SQL: &str = "DELETE FROM webhook_deliveries WHERE id IN
        (SELECT id FROM webhook_deliveries WHERE state <> 'pending' AND created_at < $1 ORDER BY created_at LIMIT $2)";
    Ok(execute!(tx.conn(), SQL, before, i64::from(limit))?)
}

#[derive(sqlx::FromRow)]
struct AttemptRow {
    attempt: i64,
    at: Ms,
    took_ms: i64,
    status: Option<i64>,
    error: Option<String>,
    answer: String,
}

impl TryFrom<AttemptRow> for Attempt {
    type Error = Error;

    fn try_from(row: AttemptRow) -> Result<Self> {
        let AttemptRow { attempt, at, took_ms, status, error, answer } = row;
        Ok(Self {
            number: loaded(attempt, "webhook_attempts.attempt")?,
            at,
            took_ms: loaded(took_ms, "webhook_attempts.took_ms")?,
            status: loaded_option(status, "webhook_attempts.status")?,
            error,
            answer,
        })
    }
}

pub(super) async fn attempt_insert(tx: &mut Tx, delivery: DeliveryId, attempt: &Attempt) -> Result<()> {
    const SQL: &str = "INSERT INTO webhook_attempts (delivery_id, attempt, at, took_ms, status, error, answer)
                       VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let Attempt { number, at, took_ms, status, error, answer } = attempt;
    let (number, took, status) = (i64::from(*number), stored(*took_ms), status.map(i64::from));
    execute!(tx.conn(), SQL, delivery, number, *at, took, status, error.as_deref(), answer.as_str())?;
    Ok(())
}

pub(super) async fn attempt_list(conn: Conn<'_>, delivery: DeliveryId) -> Result<Vec<Attempt>> {
    const SQL: &str = "SELECT attempt, at, took_ms, status, error, answer FROM webhook_attempts
                       WHERE delivery_id = $1 ORDER BY attempt LIMIT 100";
    fetch_all!(conn, AttemptRow, SQL, delivery)?.into_iter().map(Attempt::try_from).collect()
}

/// Up to which event deliveries were made, kept from everybody else until the transaction ends.
pub(super) async fn head_lock(tx: &mut Tx) -> Result<i64> {
    const SQLITE: &str = "SELECT seq FROM webhook_head WHERE id = 1";
    const POSTGRES: &str = "SELECT seq FROM webhook_head WHERE id = 1 FOR UPDATE";
    let sql = sql_by_db!(tx.conn(), sqlite: SQLITE, postgres: POSTGRES);
    let (seq,) = fetch_one!(tx.conn(), (i64,), sql)?;
    Ok(seq)
}

/// The same, only to look.
pub(super) async fn head_get(conn: Conn<'_>) -> Result<i64> {
    const SQL: &str = "SELECT seq FROM webhook_head WHERE id = 1";
    let (seq,) = fetch_one!(conn, (i64,), SQL)?;
    Ok(seq)
}

pub(super) async fn head_put(tx: &mut Tx, seq: i64) -> Result<()> {
    const SQL: &str = "UPDATE webhook_head SET seq = $1 WHERE id = 1";
    execute!(tx.conn(), SQL, seq)?;
    Ok(())
}

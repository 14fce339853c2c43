//! The plans' rows.

use super::{Plan, Terms};
use crate::clock::Ms;
use crate::db::{Conn, Tx, Window};
use crate::domain::check::{loaded, loaded_option, stored};
use crate::error::{Error, Result, is_unique_violation};
use crate::ids::PlanId;
use crate::{execute, fetch_all, fetch_one, fetch_optional};

#[derive(sqlx::FromRow)]
struct PlanRow {
    id: PlanId,
    name: String,
    vcpu: i64,
    memory_mib: i64,
    disk_gib: i64,
    traffic_gib: Option<i64>,
    price_minor: i64,
    currency: String,
    active: bool,
    version: i64,
    created_at: Ms,
    updated_at: Ms,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, vcpu, memory_mib, disk_gib, traffic_gib, price_minor, currency, active, version, created_at,
                    updated_at
             FROM plans WHERE ",
            $rest
        )
    };
}

impl PlanRow {
    fn into_plan(self) -> Result<Plan> {
        let Self {
            id,
            name,
            vcpu,
            memory_mib,
            disk_gib,
            traffic_gib,
            price_minor,
            currency,
            active,
            version,
            created_at,
            updated_at,
        } = self;
        let terms = Terms {
            vcpu: loaded(vcpu, "vcpu")?,
            memory_mib: loaded(memory_mib, "memory_mib")?,
            disk_gib: loaded(disk_gib, "disk_gib")?,
            traffic_gib: loaded_option(traffic_gib, "traffic_gib")?,
            price_minor: loaded(price_minor, "price_minor")?,
            currency,
        };
        Ok(Plan { id, name, terms, active, version, created_at, updated_at })
    }
}

pub(super) async fn plan_get(conn: Conn<'_>, id: PlanId) -> Result<Plan> {
    const SQL: &str = select!("id = $1");
    fetch_optional!(conn, PlanRow, SQL, id)?.ok_or_else(|| Error::not_found("plan", id))?.into_plan()
}

pub(super) async fn plan_find(conn: Conn<'_>, id_or_name: &str) -> Result<Plan> {
    const BY_ID: &str = select!("id = $1 AND deleted_at IS NULL");
    const BY_NAME: &str = select!("name = $1 AND deleted_at IS NULL");
    let row = match id_or_name.parse::<PlanId>() {
        Ok(id) => fetch_optional!(conn, PlanRow, BY_ID, id)?,
        // PostgreSQL cannot even compare with a NUL.
        Err(_) if id_or_name.contains('\0') => None,
        Err(_) => fetch_optional!(conn, PlanRow, BY_NAME, id_or_name)?,
    };
    row.ok_or_else(|| Error::not_found("plan", id_or_name))?.into_plan()
}

pub(super) async fn plan_list(conn: Conn<'_>, active: Option<bool>, window: Window<PlanId>) -> Result<Vec<Plan>> {
    const SQL: &str =
        select!("deleted_at IS NULL AND ($1 IS NULL OR active = $1) AND ($2 IS NULL OR id > $2) ORDER BY id LIMIT $3");
    let Window { limit, after } = window;
    fetch_all!(conn, PlanRow, SQL, active, after, limit)?.into_iter().map(PlanRow::into_plan).collect()
}

pub(super) async fn plan_insert(tx: &mut Tx, plan: &Plan) -> Result<()> {
    const SQL: &str =
        "INSERT INTO plans (id, name, vcpu, memory_mib, disk_gib, traffic_gib, price_minor, currency, active, version,
                                          created_at, updated_at)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let Plan { id, name, terms, active, version, created_at, updated_at } = plan;
    let Terms { vcpu, memory_mib, disk_gib, traffic_gib, price_minor, currency } = terms;
    execute!(
        tx.conn(),
        SQL,
        *id,
        name,
        i64::from(*vcpu),
        stored(*memory_mib),
        stored(*disk_gib),
        traffic_gib.map(stored),
        stored(*price_minor),
        currency,
        *active,
        *version,
        *created_at,
        *updated_at
    )
    .map_err(|e| name_taken(e, name))?;
    Ok(())
}

pub(super) async fn plan_update(tx: &mut Tx, plan: &Plan, expected: i64) -> Result<()> {
    const SQL: &str =
        "UPDATE plans SET name = $3, vcpu = $4, memory_mib = $5, disk_gib = $6, traffic_gib = $7, price_minor = $8,
                          currency = $9, active = $10, version = $11, updated_at = $12
         WHERE id = $1 AND version = $2 AND deleted_at IS NULL";
    let Plan { id, name, terms, active, version, created_at: _, updated_at } = plan;
    let Terms { vcpu, memory_mib, disk_gib, traffic_gib, price_minor, currency } = terms;
    let touched = execute!(
        tx.conn(),
        SQL,
        *id,
        expected,
        name,
        i64::from(*vcpu),
        stored(*memory_mib),
        stored(*disk_gib),
        traffic_gib.map(stored),
        stored(*price_minor),
        currency,
        *active,
        *version,
        *updated_at
    )
    .map_err(|e| name_taken(e, name))?;
    if touched == 1 { Ok(()) } else { Err(Error::Stale) }
}

fn name_taken(error: sqlx::Error, name: &str) -> Error {
    if is_unique_violation(&error) {
        Error::conflict("plan_name_taken", format!("there is a plan named {name} already; choose another name"))
    } else {
        error.into()
    }
}

#[derive(sqlx::FromRow)]
struct Count {
    count: i64,
}

/// How many pods there are of the plan.
pub(super) async fn plan_pods(conn: Conn<'_>, id: PlanId) -> Result<i64> {
    const SQL: &str = "SELECT COUNT(*) AS count FROM cloudpods WHERE plan_id = $1 AND state <> 'deleted'";
    let Count { count } = fetch_one!(conn, Count, SQL, id)?;
    Ok(count)
}

pub(super) async fn plan_delete(tx: &mut Tx, id: PlanId, version: i64, now: Ms) -> Result<()> {
    const SQL: &str = "UPDATE plans SET deleted_at = $3, updated_at = $3, active = FALSE, version = version + 1
                       WHERE id = $1 AND version = $2 AND deleted_at IS NULL";
    if execute!(tx.conn(), SQL, id, version, now)? == 1 { Ok(()) } else { Err(Error::Stale) }
}

//! The images' rows.

use std::collections::{BTreeMap, HashMap};

use sqlx::types::Json;

use super::{Captured, CapturedState, Image, TemplateRef};
use crate::clock::Ms;
use crate::db::{Conn, Tx, Window};
use crate::domain::check::{loaded, stored};
use crate::error::{Error, Result, is_unique_violation};
use crate::ids::{CloudPodId, IdList, ImageId, ServerId, TenantId};
use crate::{execute, fetch_all, fetch_one, fetch_optional, sql_by_db};

#[derive(sqlx::FromRow)]
struct ImageRow {
    id: ImageId,
    tenant_id: Option<TenantId>,
    name: String,
    os: String,
    default_user: String,
    min_disk_gib: i64,
    template_vmid: Option<i64>,
    template_name: Option<String>,
    active: bool,
    version: i64,
    created_at: Ms,
    updated_at: Ms,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, tenant_id, name, os, default_user, min_disk_gib, template_vmid, template_name, active, version,
                    created_at, updated_at
             FROM images WHERE ",
            $rest
        )
    };
}

impl ImageRow {
    fn into_image(self, overrides: BTreeMap<ServerId, TemplateRef>) -> Result<Image> {
        let Self {
            id,
            tenant_id,
            name,
            os,
            default_user,
            min_disk_gib,
            template_vmid,
            template_name,
            active,
            version,
            created_at,
            updated_at,
        } = self;
        Ok(Image {
            id,
            tenant: tenant_id,
            name,
            os,
            default_user,
            min_disk_gib: loaded(min_disk_gib, "min_disk_gib")?,
            template: template_of(template_vmid, template_name)?,
            overrides,
            active,
            version,
            created_at,
            updated_at,
        })
    }
}

fn template_of(vmid: Option<i64>, name: Option<String>) -> Result<Option<TemplateRef>> {
    Ok(match vmid {
        Some(vmid) => Some(TemplateRef::Vmid(loaded(vmid, "template_vmid")?)),
        None => name.map(TemplateRef::Name),
    })
}

fn columns(template: Option<&TemplateRef>) -> (Option<i64>, Option<&str>) {
    match template {
        Some(TemplateRef::Vmid(vmid)) => (Some(i64::from(*vmid)), None),
        Some(TemplateRef::Name(name)) => (None, Some(name)),
        None => (None, None),
    }
}

#[derive(sqlx::FromRow)]
struct OverrideRow {
    image_id: ImageId,
    server_id: ServerId,
    template_vmid: Option<i64>,
    template_name: Option<String>,
}

/// The images of `rows` with their overrides, in one more query. Those of deleted servers are left out.
async fn with_overrides(conn: Conn<'_>, rows: Vec<ImageRow>) -> Result<Vec<Image>> {
    const SQL: &str = "SELECT t.image_id, t.server_id, t.template_vmid, t.template_name
                       FROM image_templates t JOIN servers s ON s.id = t.server_id AND s.deleted_at IS NULL
                       WHERE t.image_id BETWEEN $1 AND $2";
    let Some(first) = rows.iter().map(|r| r.id).min() else { return Ok(Vec::new()) };
    let last = rows.iter().map(|r| r.id).max().unwrap_or(first);
    let mut by_image: HashMap<ImageId, BTreeMap<ServerId, TemplateRef>> = HashMap::new();
    for row in fetch_all!(conn, OverrideRow, SQL, first, last)? {
        let OverrideRow { image_id, server_id, template_vmid, template_name } = row;
        if let Some(template) = template_of(template_vmid, template_name)? {
            by_image.entry(image_id).or_default().insert(server_id, template);
        }
    }
    rows.into_iter()
        .map(|row| {
            let overrides = by_image.remove(&row.id).unwrap_or_default();
            row.into_image(overrides)
        })
        .collect()
}

async fn one(conn: Conn<'_>, row: Option<ImageRow>, id: &str) -> Result<Image> {
    let row = row.ok_or_else(|| Error::not_found("image", id))?;
    with_overrides(conn, vec![row]).await?.pop().ok_or_else(|| Error::not_found("image", id))
}

pub(super) async fn image_get(mut conn: Conn<'_>, id: ImageId) -> Result<Image> {
    const SQL: &str = select!("id = $1");
    let row = fetch_optional!(conn.again(), ImageRow, SQL, id)?;
    one(conn, row, &id.to_string()).await
}

/// Of those that this tenant sees, its own first; `None`: of the platform's by name, of all by id.
pub(super) async fn image_find(mut conn: Conn<'_>, tenant: Option<TenantId>, id_or_name: &str) -> Result<Image> {
    const BY_ID: &str =
        select!("id = $1 AND deleted_at IS NULL AND ($2 IS NULL OR tenant_id IS NULL OR tenant_id = $2)");
    const BY_NAME: &str = select!(
        "name = $1 AND deleted_at IS NULL AND (tenant_id IS NULL OR tenant_id = $2) ORDER BY tenant_id IS NULL LIMIT 1"
    );
    let row = match id_or_name.parse::<ImageId>() {
        Ok(id) => fetch_optional!(conn.again(), ImageRow, BY_ID, id, tenant)?,
        // PostgreSQL cannot even compare with a NUL.
        Err(_) if id_or_name.contains('\0') => None,
        Err(_) => fetch_optional!(conn.again(), ImageRow, BY_NAME, id_or_name, tenant)?,
    };
    one(conn, row, id_or_name).await
}

pub(super) async fn image_list(
    mut conn: Conn<'_>,
    active: Option<bool>,
    window: Window<ImageId>,
) -> Result<Vec<Image>> {
    const SQL: &str =
        select!("deleted_at IS NULL AND ($1 IS NULL OR active = $1) AND ($2 IS NULL OR id > $2) ORDER BY id LIMIT $3");
    let Window { limit, after } = window;
    let rows = fetch_all!(conn.again(), ImageRow, SQL, active, after, limit)?;
    with_overrides(conn, rows).await
}

pub(super) async fn image_insert(tx: &mut Tx, image: &Image) -> Result<()> {
    const SQL: &str =
        "INSERT INTO images (id, name, os, default_user, min_disk_gib, template_vmid, template_name, active, version,
                                           created_at, updated_at, tenant_id)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let Image {
        id,
        tenant,
        name,
        os,
        default_user,
        min_disk_gib,
        template,
        overrides,
        active,
        version,
        created_at,
        updated_at,
    } = image;
    let (vmid, template_name) = columns(template.as_ref());
    execute!(
        tx.conn(),
        SQL,
        *id,
        name,
        os,
        default_user,
        stored(*min_disk_gib),
        vmid,
        template_name,
        *active,
        *version,
        *created_at,
        *updated_at,
        *tenant
    )
    .map_err(|e| name_taken(e, name))?;
    overrides_set(tx, *id, overrides).await
}

pub(super) async fn image_update(tx: &mut Tx, image: &Image, expected: i64) -> Result<()> {
    const SQL: &str = "UPDATE images SET name = $3, os = $4, default_user = $5, min_disk_gib = $6, template_vmid = $7,
                                         template_name = $8, active = $9, version = $10, updated_at = $11
                       WHERE id = $1 AND version = $2 AND deleted_at IS NULL";
    let Image {
        id,
        tenant: _,
        name,
        os,
        default_user,
        min_disk_gib,
        template,
        overrides,
        active,
        version,
        created_at: _,
        updated_at,
    } = image;
    let (vmid, template_name) = columns(template.as_ref());
    let touched = execute!(
        tx.conn(),
        SQL,
        *id,
        expected,
        name,
        os,
        default_user,
        stored(*min_disk_gib),
        vmid,
        template_name,
        *active,
        *version,
        *updated_at
    )
    .map_err(|e| name_taken(e, name))?;
    if touched != 1 {
        return Err(Error::Stale);
    }
    overrides_set(tx, *id, overrides).await
}

async fn overrides_set(tx: &mut Tx, id: ImageId, overrides: &BTreeMap<ServerId, TemplateRef>) -> Result<()> {
    const CLEAR: &str = "DELETE FROM image_templates WHERE image_id = $1";
    const ONE: &str =
        "INSERT INTO image_templates (image_id, server_id, template_vmid, template_name) VALUES ($1, $2, $3, $4)";
    execute!(tx.conn(), CLEAR, id)?;
    for (server, template) in overrides {
        let (vmid, name) = columns(Some(template));
        execute!(tx.conn(), ONE, id, *server, vmid, name)?;
    }
    Ok(())
}

fn name_taken(error: sqlx::Error, name: &str) -> Error {
    if is_unique_violation(&error) {
        Error::conflict("image_name_taken", format!("there is an image named {name} already; choose another name"))
    } else {
        error.into()
    }
}

#[derive(sqlx::FromRow)]
struct Count {
    count: i64,
}

/// How many pods there are of the image.
pub(super) async fn image_pods(conn: Conn<'_>, id: ImageId) -> Result<i64> {
    const SQL: &str = "SELECT COUNT(*) AS count FROM cloudpods WHERE image_id = $1 AND state <> 'deleted'";
    let Count { count } = fetch_one!(conn, Count, SQL, id)?;
    Ok(count)
}

pub(super) async fn image_delete(tx: &mut Tx, id: ImageId, version: i64, now: Ms) -> Result<()> {
    const SQL: &str = "UPDATE images SET deleted_at = $3, updated_at = $3, active = FALSE, version = version + 1
                       WHERE id = $1 AND version = $2 AND deleted_at IS NULL";
    if execute!(tx.conn(), SQL, id, version, now)? == 1 { Ok(()) } else { Err(Error::Stale) }
}

/// What a tenant sees: its own, and the platform's that are active.
pub(super) async fn image_list_visible(
    mut conn: Conn<'_>,
    tenant: TenantId,
    window: Window<ImageId>,
) -> Result<Vec<Image>> {
    const SQL: &str = select!(
        "deleted_at IS NULL AND (tenant_id = $1 OR (tenant_id IS NULL AND active)) AND ($2 IS NULL OR id > $2)
         ORDER BY id LIMIT $3"
    );
    let rows = fetch_all!(conn.again(), ImageRow, SQL, tenant, window.after, window.limit)?;
    with_overrides(conn, rows).await
}

#[derive(sqlx::FromRow)]
struct CapturedRow {
    image_id: ImageId,
    tenant_id: TenantId,
    pod_id: CloudPodId,
    server_id: ServerId,
    vmid: Option<i64>,
    state: String,
}

pub(super) async fn captured_get(conn: Conn<'_>, id: ImageId) -> Result<Option<Captured>> {
    const SQL: &str = "SELECT v.image_id, i.tenant_id, v.pod_id, v.server_id, v.vmid, v.state
                         FROM image_vms v JOIN images i ON i.id = v.image_id
                        WHERE v.image_id = $1 AND i.tenant_id IS NOT NULL";
    let Some(row) = fetch_optional!(conn, CapturedRow, SQL, id)? else { return Ok(None) };
    let CapturedRow { image_id, tenant_id, pod_id, server_id, vmid, state } = row;
    let state =
        CapturedState::parse(&state).ok_or_else(|| Error::internal(format!("image_vms.state holds {state}")))?;
    let vmid = vmid.map(|vmid| loaded(vmid, "image_vms.vmid")).transpose()?;
    Ok(Some(Captured { image: image_id, tenant: tenant_id, pod: pod_id, server: server_id, vmid, state }))
}

/// Where the templates of these images are, or are being made.
pub(super) async fn captured_vms(conn: Conn<'_>, images: IdList) -> Result<Vec<(ImageId, ServerId, u32)>> {
    macro_rules! select {
        ($list:literal) => {
            concat!(
                "SELECT image_id, server_id, vmid FROM image_vms WHERE vmid IS NOT NULL AND image_id IN (SELECT ",
                $list,
                ")"
            )
        };
    }
    let sql = sql_by_db!(
        conn,
        sqlite: select!("unhex(value) FROM json_each($1, '$.ids')"),
        postgres: select!("value::uuid FROM jsonb_array_elements_text($1 -> 'ids')")
    );
    let rows = fetch_all!(conn, (ImageId, ServerId, i64), sql, Json(images))?;
    rows.into_iter().map(|(image, server, vmid)| Ok((image, server, loaded(vmid, "image_vms.vmid")?))).collect()
}

pub(super) async fn captured_insert(
    tx: &mut Tx,
    image: ImageId,
    pod: CloudPodId,
    server: ServerId,
    now: Ms,
) -> Result<()> {
    const SQL: &str = "INSERT INTO image_vms (image_id, pod_id, server_id, state, created_at)
                       VALUES ($1, $2, $3, 'creating', $4)";
    execute!(tx.conn(), SQL, image, pod, server, now)?;
    Ok(())
}

pub(super) async fn captured_at(tx: &mut Tx, image: ImageId, server: ServerId, vmid: Option<u32>) -> Result<()> {
    const SQL: &str = "UPDATE image_vms SET server_id = $2, vmid = $3 WHERE image_id = $1";
    execute!(tx.conn(), SQL, image, server, vmid.map(i64::from))?;
    Ok(())
}

pub(super) async fn captured_state_set(tx: &mut Tx, image: ImageId, state: CapturedState) -> Result<()> {
    const SQL: &str = "UPDATE image_vms SET state = $2 WHERE image_id = $1";
    execute!(tx.conn(), SQL, image, state.as_str())?;
    Ok(())
}

/// Active with its template on that server, or inactive.
pub(super) async fn captured_image_set(
    tx: &mut Tx,
    image: ImageId,
    template: Option<(ServerId, &TemplateRef)>,
    now: Ms,
) -> Result<()> {
    const SQL: &str = "UPDATE images SET active = $2, updated_at = $3, version = version + 1
                        WHERE id = $1 AND deleted_at IS NULL AND active <> $2";
    execute!(tx.conn(), SQL, image, template.is_some(), now)?;
    let overrides = template.into_iter().map(|(server, template)| (server, template.clone())).collect();
    overrides_set(tx, image, &overrides).await
}

pub(super) async fn captured_delete(tx: &mut Tx, image: ImageId, now: Ms) -> Result<()> {
    const SQL: &str = "UPDATE images SET deleted_at = $2, updated_at = $2, active = FALSE, version = version + 1
                        WHERE id = $1 AND deleted_at IS NULL";
    const VM: &str = "DELETE FROM image_vms WHERE image_id = $1";
    execute!(tx.conn(), SQL, image, now)?;
    execute!(tx.conn(), VM, image)?;
    Ok(())
}

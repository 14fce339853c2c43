//! What can be done with images.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::json;

use super::{Image, ImageCreate, ImagePatch, TemplateOverride, TemplateRef, store};
use crate::clock::Clock;
use crate::db::{Conn, Db, Tx, Window};
use crate::domain::audit::{Actor, Record, audit_append};
use crate::domain::check::Checks;
use crate::domain::servers;
use crate::error::{Error, Result};
use crate::events::{Event, event_append};
use crate::ids::{ImageId, ServerId, TenantId};

/// How many servers an image may name.
const OVERRIDES_MAX: usize = 1000;

/// The images.
pub struct Service {
    pub(super) db: Db,
    pub(super) clock: Clock,
    servers: Arc<servers::service::Service>,
}

impl Service {
    /// A service over `db`.
    #[must_use]
    pub fn new(db: Db, clock: Clock, servers: Arc<servers::service::Service>) -> Self {
        Self { db, clock, servers }
    }

    /// The image with this id; also one deleted since, because pods may be made of it.
    pub async fn image_get(&self, conn: Conn<'_>, id: ImageId) -> Result<Image> {
        store::image_get(conn, id).await
    }

    /// The image with this id or of this name among those that this tenant sees: its own and the platform's. `None`: the
    /// platform's of this name, or any with this id.
    pub async fn image_find(&self, conn: Conn<'_>, tenant: Option<TenantId>, id_or_name: &str) -> Result<Image> {
        store::image_find(conn, tenant, id_or_name).await
    }

    /// As [`Service::image_find`], outside a transaction.
    pub async fn image_show(&self, id_or_name: &str) -> Result<Image> {
        let mut read = self.db.read().await?;
        self.image_find(read.conn(), None, id_or_name).await
    }

    /// A page of images, in the order of their making.
    pub async fn image_list(&self, active: Option<bool>, window: Window<ImageId>) -> Result<Vec<Image>> {
        let mut read = self.db.read().await?;
        store::image_list(read.conn(), active, window).await
    }

    /// The image's template on every server that has it.
    pub async fn image_templates(&self, conn: Conn<'_>, id: ImageId) -> Result<HashMap<ServerId, u32>> {
        let seen = self.image_templates_seen(conn, id).await?;
        Ok(seen.into_iter().map(|(server, template)| (server, template.vmid)).collect())
    }

    /// The same with what is known of each.
    pub async fn image_templates_seen(
        &self,
        mut conn: Conn<'_>,
        id: ImageId,
    ) -> Result<HashMap<ServerId, servers::TemplateSeen>> {
        let image = store::image_get(conn.again(), id).await?;
        let seen = self.servers.templates_seen(conn).await?;
        Ok(seen
            .into_iter()
            .filter_map(|(server, templates)| image.template_on(server, &templates).cloned().map(|seen| (server, seen)))
            .collect())
    }

    /// The VMIDs of templates that active images expect on a server by number, for its connection test.
    pub async fn templates_expected(&self, conn: Conn<'_>, server: ServerId) -> Result<Vec<u32>> {
        let window = Window { limit: 500, after: None };
        let images = store::image_list(conn, Some(true), window).await?;
        let mut vmids: Vec<u32> = images
            .iter()
            .filter_map(|image| match image.overrides.get(&server).or(image.template.as_ref()) {
                Some(TemplateRef::Vmid(vmid)) => Some(*vmid),
                Some(TemplateRef::Name(_)) | None => None,
            })
            .collect();
        vmids.sort_unstable();
        vmids.dedup();
        Ok(vmids)
    }

    /// Makes an image.
    pub async fn image_create(&self, actor: &Actor, input: ImageCreate) -> Result<Image> {
        let ImageCreate { name, os, default_user, min_disk_gib, template_vmid, template_name, templates, active } =
            input;
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let mut checks = Checks::new();
        let template = template_ref(&mut checks, "", template_vmid, template_name);
        let overrides = self.overrides(&mut tx, &mut checks, templates).await?;
        let image = Image {
            id: ImageId::generate(),
            tenant: None,
            name,
            os,
            default_user,
            min_disk_gib,
            template,
            overrides,
            active,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        check(checks, &image)?;
        store::image_insert(&mut tx, &image).await?;
        self.note(&mut tx, actor, "image.created", image.id, &json!({ "after": shown(&image) })).await?;
        tx.commit().await?;
        Ok(image)
    }

    /// Changes an image; pods that were made of it stay as they are. `expected`: the version that the caller has read.
    pub async fn image_update(
        &self,
        actor: &Actor,
        id_or_name: &str,
        expected: Option<i64>,
        patch: ImagePatch,
    ) -> Result<Image> {
        let mut tx = self.db.begin().await?;
        let before = self.image_find(tx.conn(), None, id_or_name).await?;
        if expected.is_some_and(|v| v != before.version) {
            return Err(Error::Stale);
        }
        let ImagePatch { name, os, default_user, min_disk_gib, template_vmid, template_name, templates, active } =
            patch;
        let mut checks = Checks::new();
        let old = before.clone();
        let template = match (template_vmid, template_name) {
            (None, None) => old.template,
            (vmid, name) => template_ref(&mut checks, "", vmid.flatten(), name.flatten()),
        };
        let overrides = match templates {
            Some(templates) => self.overrides(&mut tx, &mut checks, templates).await?,
            None => old.overrides,
        };
        let image = Image {
            id: old.id,
            tenant: old.tenant,
            name: name.unwrap_or(old.name),
            os: os.unwrap_or(old.os),
            default_user: default_user.unwrap_or(old.default_user),
            min_disk_gib: min_disk_gib.unwrap_or(old.min_disk_gib),
            template,
            overrides,
            active: active.unwrap_or(old.active),
            version: old.version + 1,
            created_at: old.created_at,
            updated_at: self.clock.now(),
        };
        check(checks, &image)?;
        store::image_update(&mut tx, &image, before.version).await?;
        let detail = json!({ "before": shown(&before), "after": shown(&image) });
        self.note(&mut tx, actor, "image.updated", image.id, &detail).await?;
        tx.commit().await?;
        Ok(image)
    }

    /// Deletes an image that no pod is made of. The templates stay where they are.
    pub async fn image_delete(&self, actor: &Actor, id_or_name: &str, expected: Option<i64>) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let image = self.image_find(tx.conn(), None, id_or_name).await?;
        if expected.is_some_and(|v| v != image.version) {
            return Err(Error::Stale);
        }
        if store::captured_get(tx.conn(), image.id).await?.is_some() {
            let detail = "the image was made of a CloudPod and has a template of its own, which goes with it: delete it \
                          with DELETE /api/admin/hosting/images/{id}, or `mpanel image destroy`";
            return Err(Error::conflict("image_captured", detail));
        }
        let pods = store::image_pods(tx.conn(), image.id).await?;
        if pods > 0 {
            let name = &image.name;
            return Err(Error::conflict(
                "image_in_use",
                format!("image {name} cannot be deleted: {pods} CloudPod(s) are made of it; set it inactive instead"),
            ));
        }
        store::image_delete(&mut tx, image.id, image.version, self.clock.now()).await?;
        self.note(&mut tx, actor, "image.deleted", image.id, &json!({ "before": shown(&image) })).await?;
        tx.commit().await
    }

    async fn overrides(
        &self,
        tx: &mut Tx,
        checks: &mut Checks,
        templates: Vec<TemplateOverride>,
    ) -> Result<BTreeMap<ServerId, TemplateRef>> {
        let mut overrides = BTreeMap::new();
        if templates.len() > OVERRIDES_MAX {
            checks.wrong("templates", format!("has {} entries; at most {OVERRIDES_MAX} are allowed", templates.len()));
            return Ok(overrides);
        }
        for (i, TemplateOverride { server, template_vmid, template_name }) in templates.into_iter().enumerate() {
            let prefix = format!("templates[{i}].");
            let found = match self.servers.server_find(tx.conn(), &server).await {
                Ok(found) => found,
                Err(Error::NotFound { .. }) => {
                    checks.wrong(format!("{prefix}server"), "there is no such server; give the id or name of one");
                    continue;
                }
                Err(error) => return Err(error),
            };
            match template_ref(checks, &prefix, template_vmid, template_name) {
                None => checks.wrong(
                    format!("{prefix}template_vmid"),
                    "is missing; say which template it is by template_vmid or by template_name",
                ),
                Some(template) => {
                    if overrides.insert(found.id, template).is_some() {
                        checks.wrong(format!("{prefix}server"), "is named twice; name each server once");
                    }
                }
            }
        }
        Ok(overrides)
    }

    async fn note(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        name: &'static str,
        image: ImageId,
        detail: &serde_json::Value,
    ) -> Result<()> {
        let (at, id) = (self.clock.now(), image.to_string());
        let record = Record { actor, tenant: None, action: name, target_kind: "image", target_id: id.clone() };
        audit_append(tx, at, record, detail).await?;
        event_append(tx, at, Event { tenant: None, name, subject: id }, detail).await
    }
}

fn template_ref(checks: &mut Checks, prefix: &str, vmid: Option<u32>, name: Option<String>) -> Option<TemplateRef> {
    match (vmid, name) {
        (Some(_), Some(_)) => {
            checks.wrong(format!("{prefix}template_name"), "goes with no template_vmid; give one of the two");
            None
        }
        (Some(vmid), None) => {
            checks.range(&format!("{prefix}template_vmid"), vmid, 100..=999_999_999);
            Some(TemplateRef::Vmid(vmid))
        }
        (None, Some(name)) => {
            checks.text(&format!("{prefix}template_name"), &name, 1..=100);
            Some(TemplateRef::Name(name))
        }
        (None, None) => None,
    }
}

fn check(mut checks: Checks, image: &Image) -> Result<()> {
    checks.name("name", &image.name);
    checks.text("os", &image.os, 0..=100);
    let user = &image.default_user;
    let first = user.chars().next();
    checks.require(
        user.len() <= 32
            && first.is_some_and(|c| c.is_ascii_lowercase() || c == '_')
            && user.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-')),
        "default_user",
        "must be a Linux user name: 1 to 32 lower-case letters, digits, '_' or '-', not beginning with a digit, such as debian",
    );
    checks.range("min_disk_gib", image.min_disk_gib, 0..=1_048_576);
    checks.finish()?;
    if image.template.is_none() && image.overrides.is_empty() {
        return Err(Error::invalid(
            "template_vmid",
            "is missing; say where the template is by template_vmid, template_name, or templates for particular servers",
        ));
    }
    Ok(())
}

fn shown(image: &Image) -> serde_json::Value {
    let Image {
        id: _,
        tenant,
        name,
        os,
        default_user,
        min_disk_gib,
        template,
        overrides,
        active,
        version,
        created_at: _,
        updated_at: _,
    } = image;
    let place = |template: &TemplateRef| match template {
        TemplateRef::Vmid(vmid) => json!(vmid),
        TemplateRef::Name(name) => json!(name),
    };
    let overrides: BTreeMap<String, _> = overrides.iter().map(|(server, t)| (server.to_string(), place(t))).collect();
    json!({
        "tenant_id": tenant, "name": name, "os": os, "default_user": default_user, "min_disk_gib": min_disk_gib,
        "template": template.as_ref().map(place), "templates": overrides, "active": active, "version": version,
    })
}

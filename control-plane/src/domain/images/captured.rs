//! Images that were made of pods: a template VM of their own on one server, and for their tenant alone.

use std::collections::HashSet;

use super::{Image, TemplateRef, service::Service, store};
use crate::db::{Conn, Tx, Window};
use crate::domain::audit::Scope;
use crate::domain::check::Checks;
use crate::error::{Error, Result};
use crate::ids::{CloudPodId, ImageId, ServerId, TenantId};

/// The template VM of an image that was made of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// The image.
    pub image: ImageId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Of which pod it was made.
    pub pod: CloudPodId,
    /// Where the template is.
    pub server: ServerId,
    /// Its number; `None`: it has none yet.
    pub vmid: Option<u32>,
    /// Where it is in its life.
    pub state: CapturedState,
}

/// The life of such a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CapturedState {
    /// A job is to make it.
    Creating,
    /// It is there.
    Ready,
    /// A job is to destroy it.
    Deleting,
}

impl CapturedState {
    /// As it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Ready => "ready",
            Self::Deleting => "deleting",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "creating" => Some(Self::Creating),
            "ready" => Some(Self::Ready),
            "deleting" => Some(Self::Deleting),
            _ => None,
        }
    }
}

impl Captured {
    /// What its VM bears for a stamp: the image's id in the place of a pod's, because it is no pod's VM.
    #[must_use]
    pub fn stamp(&self) -> CloudPodId {
        stamp(self.image)
    }

    /// What its VM is called on the host.
    #[must_use]
    pub fn vm_name(&self) -> String {
        format!("image-{}", self.image.0.simple())
    }
}

fn stamp(image: ImageId) -> CloudPodId {
    CloudPodId(image.0)
}

/// An image to be made of a pod.
#[derive(Clone, Debug)]
pub struct NewCaptured {
    /// Of which pod.
    pub pod: CloudPodId,
    /// Whose it will be.
    pub tenant: TenantId,
    /// Where the pod is.
    pub server: ServerId,
    /// No other image that the tenant sees is called so.
    pub name: String,
    /// For people; `None`: as of the image that the pod was made of.
    pub os: Option<String>,
    /// The user that cloud-init makes.
    pub default_user: String,
    /// As large as the pod's disk.
    pub min_disk_gib: u64,
}

impl Service {
    /// Notes that an image is to be made of a pod: nobody can make pods of it before its template is there.
    pub async fn captured_insert(&self, tx: &mut Tx, made_of: ImageId, new: NewCaptured) -> Result<Image> {
        let NewCaptured { pod, tenant, server, name, os, default_user, min_disk_gib } = new;
        let mut checks = Checks::new();
        checks.name("name", &name);
        if let Some(os) = &os {
            checks.text("os", os, 0..=100);
        }
        checks.finish()?;
        if let Ok(taken) = store::image_find(tx.conn(), Some(tenant), &name).await {
            let detail = format!("there is an image named {} already; choose another name", taken.name);
            return Err(Error::conflict("image_name_taken", detail));
        }
        let os = match os {
            Some(os) => os,
            None => store::image_get(tx.conn(), made_of).await?.os,
        };
        let now = self.clock.now();
        let image = Image {
            id: ImageId::generate(),
            tenant: Some(tenant),
            name,
            os,
            default_user,
            min_disk_gib,
            template: None,
            overrides: std::collections::BTreeMap::new(),
            active: false,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        store::image_insert(tx, &image).await?;
        store::captured_insert(tx, image.id, pod, server, now).await?;
        Ok(image)
    }

    /// The template of an image that was made of a pod; `None`: it was not, or is gone.
    pub async fn captured_find(&self, conn: Conn<'_>, image: ImageId) -> Result<Option<Captured>> {
        store::captured_get(conn, image).await
    }

    /// Where the template is, or is to be.
    pub async fn captured_at(&self, tx: &mut Tx, image: ImageId, server: ServerId, vmid: Option<u32>) -> Result<()> {
        store::captured_at(tx, image, server, vmid).await
    }

    /// The template is made: pods may be made of it on its server. Repeatable.
    pub async fn captured_activate(&self, tx: &mut Tx, captured: &Captured) -> Result<()> {
        let vmid = captured.vmid.ok_or_else(|| Error::internal("an image without a template is to be activated"))?;
        let template = TemplateRef::Vmid(vmid);
        store::captured_state_set(tx, captured.image, CapturedState::Ready).await?;
        store::captured_image_set(tx, captured.image, Some((captured.server, &template)), self.clock.now()).await
    }

    /// No pod may be made of it any more.
    pub async fn captured_deactivate(&self, tx: &mut Tx, image: ImageId, state: CapturedState) -> Result<()> {
        store::captured_state_set(tx, image, state).await?;
        store::captured_image_set(tx, image, None, self.clock.now()).await
    }

    /// The image is no more: its template is known to be absent, or was never made. Repeatable.
    pub async fn captured_forget(&self, tx: &mut Tx, image: ImageId) -> Result<()> {
        store::captured_delete(tx, image, self.clock.now()).await
    }

    /// A conflict while pods are made of it.
    pub async fn unused_check(&self, conn: Conn<'_>, image: ImageId) -> Result<()> {
        let pods = store::image_pods(conn, image).await?;
        if pods == 0 {
            return Ok(());
        }
        Err(Error::conflict("image_in_use", format!("the image cannot be deleted: {pods} CloudPod(s) are made of it")))
    }

    /// Of VMs with these stamps those that are templates of images, made or in the making, each by stamp, server and number:
    /// they are no pod's, and no orphans.
    pub async fn image_vms(
        &self,
        conn: Conn<'_>,
        stamps: &[CloudPodId],
    ) -> Result<HashSet<(CloudPodId, ServerId, u32)>> {
        if stamps.is_empty() {
            return Ok(HashSet::new());
        }
        let found = store::captured_vms(conn, stamps.iter().map(|stamp| stamp.0).collect()).await?;
        Ok(found.into_iter().map(|(image, server, vmid)| (stamp(image), server, vmid)).collect())
    }

    /// A page of the images that a tenant sees: its own and the platform's active ones.
    pub async fn image_list_visible(&self, scope: Scope, window: Window<ImageId>) -> Result<Vec<Image>> {
        let mut read = self.db.read().await?;
        match scope.tenant() {
            None => store::image_list(read.conn(), None, window).await,
            Some(tenant) => store::image_list_visible(read.conn(), tenant, window).await,
        }
    }
}

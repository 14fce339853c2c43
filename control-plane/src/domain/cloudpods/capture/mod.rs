//! What is asked for of images that are made of pods.

pub mod routes;

use serde_json::json;

use super::Detail;
use super::asked::Asked;
use super::sagas::{ImageParams, kind};
use super::service::Service;
use crate::db::Window;
use crate::domain::audit::{Actor, Scope};
use crate::domain::images::{CapturedState, Image, NewCaptured};
use crate::domain::jobs::Job;
use crate::error::{Error, Result};
use crate::ids::{CloudPodId, ImageId};

impl Service {
    /// Makes an image of a pod, for its tenant alone. The pod stays as it is, and may run meanwhile: what is on its disk is then
    /// as after a power cut.
    pub async fn image_capture(
        &self,
        actor: &Actor,
        scope: Scope,
        id: CloudPodId,
        name: &str,
        os: Option<String>,
    ) -> Result<(Detail, Job)> {
        let mut tx = self.db.begin().await?;
        let pod = self.pod_held(&mut tx, scope, id).await?;
        pod.state.power_change("be captured")?;
        let (Some(server), Some(_)) = (&pod.server, pod.vmid) else {
            return Err(Error::conflict("cloudpod_without_vm", "the pod has no VM to make an image of"));
        };
        let new = NewCaptured {
            pod: id,
            tenant: pod.tenant,
            server: server.id,
            name: name.to_owned(),
            os,
            default_user: pod.cloud_init_user.clone(),
            min_disk_gib: pod.disk_gib,
        };
        let image = self.books.images.captured_insert(&mut tx, pod.image.id, new).await?;
        let params = serde_json::to_value(ImageParams { image: image.id }).map_err(Error::internal)?;
        let (event, detail) = ("cloudpod.capture_requested", json!({ "image_id": image.id, "image": image.name }));
        let job = self.job_ask(&mut tx, actor, &pod, Asked { kind: kind::CAPTURE, params, event, detail }).await?;
        tx.commit().await?;
        self.asked(scope, id, job).await
    }

    /// A page of the images that a tenant sees: its own and the platform's.
    pub async fn image_list_visible(&self, scope: Scope, window: Window<ImageId>) -> Result<Vec<Image>> {
        self.books.images.image_list_visible(scope, window).await
    }

    /// Deletes an image that was made of a pod, with its template. The pod of the job is the one that it was made of.
    pub async fn image_captured_delete(&self, actor: &Actor, scope: Scope, id: ImageId) -> Result<(Detail, Job)> {
        let mut tx = self.db.begin().await?;
        let found = self.books.images.captured_find(tx.conn(), id).await?;
        let template = found
            .filter(|template| scope.tenant().is_none_or(|tenant| tenant == template.tenant))
            .ok_or_else(|| Error::not_found("image that was made of a CloudPod", id))?;
        let pod = self.pod_held(&mut tx, scope, template.pod).await?;
        // Again, now that nobody else asks for the same.
        let template = self.books.images.captured_find(tx.conn(), id).await?.unwrap_or(template);
        let cure = match template.state {
            CapturedState::Ready => None,
            CapturedState::Creating => Some("wait until the job that makes it has ended, or cancel that"),
            CapturedState::Deleting => Some("it is on its way out"),
        };
        if let Some(cure) = cure {
            let detail = format!("the image is {}: {cure}", template.state.as_str());
            return Err(Error::conflict("image_state", detail));
        }
        self.books.images.unused_check(tx.conn(), id).await?;
        self.books.images.captured_deactivate(&mut tx, id, CapturedState::Deleting).await?;
        let params = serde_json::to_value(ImageParams { image: id }).map_err(Error::internal)?;
        let (event, detail) = ("cloudpod.image_delete_requested", json!({ "image_id": id }));
        let asked = Asked { kind: kind::DELETE_IMAGE, params, event, detail };
        let job = self.job_ask(&mut tx, actor, &pod, asked).await?;
        tx.commit().await?;
        self.asked(scope, template.pod, job).await
    }
}

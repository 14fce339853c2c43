//! VMIDs of templates that are made for images: out of the same spaces as those of pods.

use super::store;
use crate::db::Tx;
use crate::domain::servers::service::Service;
use crate::error::{Error, Result};
use crate::ids::{ImageId, ServerId};

impl Service {
    /// Takes a VMID for an image's template, as [`Service::vmid_take`] does for a pod's VM. Repeatable.
    pub async fn image_vmid_take(&self, tx: &mut Tx, server: ServerId, image: ImageId) -> Result<u32> {
        let record = crate::domain::servers::store::server_get(tx.conn(), server).await?;
        for _ in 0..super::VMID_ROUNDS {
            if let Some(own) = store::image_vmid_of(tx.conn(), image).await? {
                return if own.server_id == server {
                    crate::domain::check::loaded(own.vmid, "vmid")
                } else {
                    let detail = format!("image {image} has VMID {} on another server; release that first", own.vmid);
                    Err(Error::conflict("vmid_elsewhere", detail))
                };
            }
            let Some(vmid) = store::vmid_free(tx.conn(), &record).await? else {
                let (min, max) = (record.vmid_min, record.vmid_max);
                let message = super::vmids_used_up(&record.name, min, max);
                return Err(Error::NoCapacity(vec![crate::error::FieldError { field: record.name, message }]));
            };
            if store::image_vmid_insert(tx, &record, vmid, image, self.clock.now()).await? {
                return crate::domain::check::loaded(vmid, "vmid");
            }
        }
        Err(Error::unavailable("too many VMIDs are being taken at once"))
    }

    /// Notes that somebody else's VM has the VMID that an image's template took. Repeatable.
    pub async fn image_vmid_mark_foreign(&self, tx: &mut Tx, image: ImageId) -> Result<()> {
        store::image_vmid_mark_foreign(tx, image).await
    }

    /// Frees the VMID of an image's template. Only once the template is known to be absent. Repeatable.
    pub async fn image_vmid_release(&self, tx: &mut Tx, image: ImageId) -> Result<()> {
        store::image_vmid_release(tx, image).await
    }
}

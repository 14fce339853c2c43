use serde_json::json;

use crate::domain::audit::{Actor, Scope};
use crate::domain::cloudpods::sagas::{MediaParams, PowerParams, RescueParams, in_rescue, kind, not_in_rescue};
use crate::domain::cloudpods::service::Service;
use crate::domain::cloudpods::{DesiredPower, Detail, Media, check, store};
use crate::domain::jobs::Job;
use crate::error::{Error, Result};
use crate::ids::CloudPodId;

impl Service {
    /// Puts a CD into a pod's drive or takes it out, and says what is booted from first.
    pub async fn cloudpod_media(
        &self,
        actor: &Actor,
        scope: Scope,
        id: CloudPodId,
        media: Media,
    ) -> Result<(Detail, Job)> {
        match &media.iso {
            Some(iso) => check::iso(iso).map_err(|message| Error::invalid("iso", message))?,
            None if media.boot_from_cd => {
                return Err(Error::invalid(
                    "boot_from_cd",
                    "there is no CD to boot from: give `iso`, or leave this out",
                ));
            }
            None => {}
        }
        let mut tx = self.db.begin().await?;
        let pod = self.pod_held(&mut tx, scope, id).await?;
        pod.state.power_change("get another CD")?;
        not_in_rescue(&pod)?;
        let said = json!({ "before": pod.condition.media, "after": media });
        let named = (kind::MEDIA, "cloudpod.media_requested");
        self.operation_store(tx, (actor, scope), &pod, named, &MediaParams { media }, said).await
    }

    /// Stops a pod and starts it from a CD.
    pub async fn cloudpod_rescue(
        &self,
        actor: &Actor,
        scope: Scope,
        id: CloudPodId,
        iso: &str,
    ) -> Result<(Detail, Job)> {
        check::iso(iso).map_err(|message| Error::invalid("iso", message))?;
        let mut tx = self.db.begin().await?;
        let pod = self.pod_held(&mut tx, scope, id).await?;
        pod.state.power_change("be rescued")?;
        not_in_rescue(&pod)?;
        let power = PowerParams { was: pod.desired_power };
        store::pod_desire(&mut tx, id, DesiredPower::Running, self.books.clock.now()).await?;
        let params = RescueParams { power, iso: Some(iso.to_owned()) };
        let named = (kind::RESCUE, "cloudpod.rescue_requested");
        self.operation_store(tx, (actor, scope), &pod, named, &params, json!({ "iso": iso })).await
    }

    /// Stops a pod that is being rescued and starts it from its disk again.
    pub async fn cloudpod_unrescue(&self, actor: &Actor, scope: Scope, id: CloudPodId) -> Result<(Detail, Job)> {
        let mut tx = self.db.begin().await?;
        let pod = self.pod_held(&mut tx, scope, id).await?;
        pod.state.power_change("be started from its disk")?;
        in_rescue(&pod)?;
        let params = RescueParams { power: PowerParams { was: pod.desired_power }, iso: None };
        let named = (kind::UNRESCUE, "cloudpod.unrescue_requested");
        self.operation_store(tx, (actor, scope), &pod, named, &params, json!({})).await
    }
}

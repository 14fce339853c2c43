use serde_json::json;

use crate::domain::audit::{Actor, Scope};
use crate::domain::check::Checks;
use crate::domain::cloudpods::create::{found, keys_check};
use crate::domain::cloudpods::sagas::{PowerParams, RebuildParams, RestartParams, SshKeysParams, kind, template_on};
use crate::domain::cloudpods::service::Service;
use crate::domain::cloudpods::{DesiredPower, Detail, check, store};
use crate::domain::jobs::Job;
use crate::error::{Error, Result};
use crate::ids::CloudPodId;

/// What a pod is to be made of anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rebuild {
    /// Id or name.
    pub image: String,
    /// OpenSSH public keys; `None`: as before.
    pub ssh_keys: Option<Vec<String>>,
    /// The user that cloud-init makes; `None`: as before or, if that was the image's own, the new image's.
    pub user: Option<String>,
}

impl Service {
    /// Makes a pod's VM anew from an image. All that is on its disk is lost; its id, addresses and VMID stay.
    pub async fn cloudpod_rebuild(
        &self,
        actor: &Actor,
        scope: Scope,
        id: CloudPodId,
        input: &Rebuild,
    ) -> Result<(Detail, Job)> {
        let Rebuild { image, ssh_keys, user } = input;
        let mut tx = self.db.begin().await?;
        let pod = self.pod_held(&mut tx, scope, id).await?;
        pod.state.rebuild(pod.condition.rebuilding)?;
        let mut checks = Checks::new();
        let ssh_keys = ssh_keys.as_ref().map(|keys| keys_check(&mut checks, keys));
        if let Some(user) = user
            && let Err(message) = check::user(user)
        {
            checks.wrong("user", message);
        }
        let image =
            found(&mut checks, "image", self.books.images.image_find(tx.conn(), Some(pod.tenant), image).await)?;
        if let Some(image) = &image {
            if !image.active && image.id != pod.image.id {
                checks.wrong("image", format!("the image {} is not active: choose another one", image.name));
            }
            if pod.disk_gib < image.min_disk_gib {
                let (has, needs) = (pod.disk_gib, image.min_disk_gib);
                checks.wrong("image", format!("needs {needs} GiB of disk, and the pod has {has}: resize it first"));
            }
            let seen = self.books.images.image_templates_seen(tx.conn(), image.id).await?;
            let here = pod.server.as_ref().and_then(|server| seen.get(&server.id));
            if let Some(larger) = here.filter(|template| template.disk_mib > pod.disk_gib << 10) {
                let (has, needs) = (pod.disk_gib, larger.disk_mib.div_ceil(1024));
                checks.wrong(
                    "image",
                    format!("its template has {needs} GiB of disk, and the pod has {has}: resize it first"),
                );
            }
            let templates = seen.iter().map(|(server, template)| (*server, template.vmid)).collect();
            match template_on(&templates, &pod, image.id) {
                Err(Error::Conflict { .. }) => {
                    let server = pod.server.as_ref().map_or("", |server| server.name.as_str());
                    checks.wrong("image", format!("has no template on the pod's server {server}: choose another one"));
                }
                found => drop(found?),
            }
        }
        checks.finish()?;
        let image = image.ok_or_else(|| Error::internal("an image is missing, and no field was found wrong"))?;
        let before = self.books.images.image_get(tx.conn(), pod.image.id).await?;
        let kept = if pod.cloud_init_user == before.default_user { &image.default_user } else { &pod.cloud_init_user };
        let user = user.as_ref().unwrap_or(kept).clone();
        let power = PowerParams { was: pod.desired_power };
        store::pod_desire(&mut tx, id, DesiredPower::Running, self.books.clock.now()).await?;
        let params = RebuildParams { power, image: image.id, ssh_keys, user };
        let said = json!({ "before": { "image": pod.image.name }, "after": { "image": image.name } });
        let named = (kind::REBUILD, "cloudpod.rebuild_requested");
        self.operation_store(tx, (actor, scope), &pod, named, &params, said).await
    }

    /// Replaces a pod's SSH keys. They reach its guest at its next start; `restart`: at once. `version`: what the caller
    /// read, if it said so.
    pub async fn cloudpod_ssh_keys(
        &self,
        actor: &Actor,
        scope: Scope,
        id: CloudPodId,
        version: Option<i64>,
        keys: &[String],
        restart: bool,
    ) -> Result<(Detail, Job)> {
        let mut checks = Checks::new();
        let keys = keys_check(&mut checks, keys);
        checks.finish()?;
        let mut tx = self.db.begin().await?;
        let pod = self.pod_held(&mut tx, scope, id).await?;
        if version.is_some_and(|version| version != pod.version) {
            return Err(Error::Stale);
        }
        pod.state.power_change("get other SSH keys")?;
        let said = json!({ "before": pod.ssh_keys, "after": keys });
        let running = pod.desired_power == DesiredPower::Running;
        let params = SshKeysParams { keys, running, restart: RestartParams { restart } };
        let named = (kind::SSH_KEYS, "cloudpod.ssh_keys_requested");
        self.operation_store(tx, (actor, scope), &pod, named, &params, said).await
    }
}

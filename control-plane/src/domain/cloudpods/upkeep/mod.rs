//! What is done to pods because of what their hosts show: taking what is seen for what is wanted, giving a pod the VM that was
//! found, removing what is nobody's, adopting what is somebody else's, and letting go of what is lost.

pub mod routes;
pub(super) mod store;

use std::collections::HashSet;
use std::net::IpAddr;

use serde_json::json;

use super::asked::Asked;
use super::create::{found, pod_new, taken};
use super::sagas::{AdoptParams, Books, OrphanParams, RehomeParams, growth, kind, size_of};
use super::service::{Service, not_found};
use super::{CloudPod, CloudPodCreate, DesiredPower, Detail, Wish, store as pods};
use crate::db::{Conn, Tx};
use crate::domain::audit::{Actor, Record, Scope, audit_append};
use crate::domain::check::Checks;
use crate::domain::jobs::{Job, NewJob};
use crate::domain::servers::{ConnectionState, Held, Inventory};
use crate::domain::tenants::quotas;
use crate::error::{Error, Result, is_unique_violation};
use crate::events::{Event, event_append};
use crate::ids::{CloudPodId, ServerId, TenantId};

/// The most addresses that one adopted VM may have.
const ADDRESSES_MAX: usize = 16;

/// A VM that is to become a pod. Names and ids are as the caller wrote them.
#[derive(Clone, Debug, Default)]
pub struct CloudPodAdopt {
    /// Whose it shall be; `None`: the caller's tenant or, for staff, the default one.
    pub tenant: Option<TenantId>,
    /// A DNS label.
    pub name: String,
    /// On which server it is: id or name.
    pub server: String,
    /// Its number there.
    pub vmid: u32,
    /// What it is sold as: id or name.
    pub plan: String,
    /// What it was made from, or the nearest to it: id or name.
    pub image: String,
    /// Which storage its disk is on; `None`: the server's only one for pods.
    pub storage: Option<String>,
    /// Addresses of pools that it uses.
    pub addresses: Vec<String>,
}

impl Service {
    /// Notes the names of VMs that were not seen before.
    pub(super) async fn names_observe(&self, tx: &mut Tx, server: ServerId, inventory: &Inventory) -> Result<()> {
        let names = inventory.vms.iter().filter(|vm| !vm.template && !vm.name.is_empty() && vm.lock.is_empty());
        let names: Vec<_> = names.filter_map(|vm| Some((vm.pod?, vm.vmid, vm.name.clone()))).collect();
        if names.is_empty() {
            return Ok(());
        }
        store::names_set(tx, server, names).await
    }

    /// Wants a pod to be as it is: running or stopped.
    pub async fn power_adopt(&self, tx: &mut Tx, actor: &Actor, id: CloudPodId, power: DesiredPower) -> Result<()> {
        let pod = self.hold(tx, id).await?;
        pod.state.power_change("be started or stopped")?;
        pods::pod_desire(tx, id, power, self.books.clock.now()).await?;
        let detail = json!({ "before": { "desired_power": pod.desired_power }, "after": { "desired_power": power } });
        self.record(tx, actor, &pod, "cloudpod.drift_accepted", &detail).await
    }

    /// Takes the size that a VM was given on its host for the pod's, within its tenant's quotas.
    pub async fn size_adopt(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        id: CloudPodId,
        vcpu: u32,
        memory_mib: u64,
        disk_gib: u64,
    ) -> Result<()> {
        let (pod, tenant) = self.pod_held_to_grow(tx, Scope::Platform, id).await?;
        pod.state.update()?;
        let held = self.books.servers.reservation_get(tx.conn(), id).await?.unwrap_or_else(|| size_of(&pod));
        tenant.require(tx, growth(held.max(size_of(&pod)), Held { vcpu, memory_mib, disk_gib })).await?;
        store::pod_size_set(tx, id, (vcpu, memory_mib, disk_gib), self.books.clock.now()).await?;
        self.books.servers.reservation_correct(tx, id, vcpu, memory_mib, disk_gib).await?;
        let detail = json!({
            "before": { "vcpu": pod.vcpu, "memory_mib": pod.memory_mib, "disk_gib": pod.disk_gib },
            "after": { "vcpu": vcpu, "memory_mib": memory_mib, "disk_gib": disk_gib },
        });
        self.record(tx, actor, &pod, "cloudpod.drift_accepted", &detail).await
    }

    /// Wants a pod's VM to start with its host as it does.
    pub async fn autostart_adopt(&self, tx: &mut Tx, actor: &Actor, id: CloudPodId, starts: bool) -> Result<()> {
        let pod = self.hold(tx, id).await?;
        // A suspended one never does, whatever is wanted of it afterwards.
        pod.state.power_change("start with its host, or not")?;
        store::start_on_boot_set(tx, id, starts, self.books.clock.now()).await?;
        let detail = json!({ "before": { "start_on_boot": pod.start_on_boot }, "after": { "start_on_boot": starts } });
        self.record(tx, actor, &pod, "cloudpod.drift_accepted", &detail).await
    }

    /// Makes the job that has a pod's VM start with its host as it is wanted.
    pub async fn cloudpod_autostart(&self, actor: &Actor, id: CloudPodId) -> Result<(Detail, Job)> {
        let mut tx = self.db.begin().await?;
        let pod = self.hold(&mut tx, id).await?;
        pod.state.update()?;
        let detail = json!({ "start_on_boot": pod.start_on_boot });
        self.repair_store(tx, actor, &pod, (kind::AUTOSTART, "cloudpod.autostart_requested"), detail).await
    }

    /// Makes the job that gives a pod's VM the network cards again that it was given.
    pub async fn cloudpod_network(&self, actor: &Actor, id: CloudPodId) -> Result<(Detail, Job)> {
        let mut tx = self.db.begin().await?;
        let pod = self.hold(&mut tx, id).await?;
        pod.state.update()?;
        let detail = json!({ "name": pod.name });
        self.repair_store(tx, actor, &pod, (kind::NETWORK, "cloudpod.network_requested"), detail).await
    }

    /// Makes the job that brings a pod's firewall to its host again, as it is wanted.
    pub async fn cloudpod_firewall(&self, actor: &Actor, id: CloudPodId) -> Result<(Detail, Job)> {
        let mut tx = self.db.begin().await?;
        let pod = self.hold(&mut tx, id).await?;
        pod.state.update()?;
        let policy = self.books.firewalls.firewall_get(tx.conn(), id).await?.policy;
        let detail = json!({ "before": policy, "after": policy });
        self.repair_store(tx, actor, &pod, (kind::FIREWALL, "cloudpod.firewall_requested"), detail).await
    }

    /// Queues a job that makes a held pod's VM as it is wanted, and commits.
    async fn repair_store(
        &self,
        mut tx: Tx,
        actor: &Actor,
        pod: &CloudPod,
        (kind, event): (&'static str, &'static str),
        detail: serde_json::Value,
    ) -> Result<(Detail, Job)> {
        let job = self.job_ask(&mut tx, actor, pod, Asked { kind, params: json!({}), event, detail }).await?;
        tx.commit().await?;
        self.asked(Scope::Platform, pod.id, job).await
    }

    /// Takes the name that a VM was given on its host for its name; the pod keeps its own.
    pub async fn name_adopt(&self, tx: &mut Tx, actor: &Actor, id: CloudPodId, name: &str) -> Result<()> {
        let pod = self.hold(tx, id).await?;
        store::vm_name_set(tx, id, name).await?;
        self.record(tx, actor, &pod, "cloudpod.drift_accepted", &json!({ "after": { "vm_name": name } })).await
    }

    /// Makes the job that takes a pod's VM where it was found, once the hosts confirm it.
    pub async fn cloudpod_rehome(&self, actor: &Actor, id: CloudPodId, server: ServerId, vmid: u32) -> Result<Job> {
        let mut tx = self.db.begin().await?;
        let pod = pods::pod_lock(&mut tx, Scope::Platform, id).await?;
        let Some(pod) = pod else {
            let detail = "there is no such pod: destroy the VM, or release it and adopt it as another pod";
            return Err(Error::conflict("cloudpod_gone", detail));
        };
        pod.state.clone().vm_found(pod.condition.suspension.is_some())?;
        self.idle(&mut tx, id).await?;
        let params = serde_json::to_value(RehomeParams { server, vmid }).map_err(Error::internal)?;
        let new = NewJob { kind: kind::REHOME, tenant: Some(pod.tenant), pod: Some(id), server: Some(server), params };
        let job = self.jobs.job_create(&mut tx, actor, new).await?;
        let detail = json!({ "server_id": server, "vmid": vmid, "job_id": job.id });
        self.record(&mut tx, actor, &pod, "cloudpod.rehome_requested", &detail).await?;
        tx.commit().await?;
        Ok(job)
    }

    /// Of VMs with these stamps those that are templates of images, each by stamp, server and number.
    pub async fn image_vms(
        &self,
        conn: Conn<'_>,
        stamps: &[CloudPodId],
    ) -> Result<HashSet<(CloudPodId, ServerId, u32)>> {
        self.books.images.image_vms(conn, stamps).await
    }

    /// Makes the job that removes a VM that bears a pod's stamp and is not its own.
    pub async fn orphan_destroy(&self, actor: &Actor, pod: CloudPodId, server: ServerId, vmid: u32) -> Result<Job> {
        let named = (kind::DESTROY_ORPHAN, "server.orphan_destroy_requested");
        self.orphan_job(actor, named, OrphanParams { server, vmid, pod }).await
    }

    /// Makes the job that takes a pod's stamp off a VM that is not its own.
    pub async fn orphan_release(&self, actor: &Actor, pod: CloudPodId, server: ServerId, vmid: u32) -> Result<Job> {
        let named = (kind::RELEASE_ORPHAN, "server.orphan_release_requested");
        self.orphan_job(actor, named, OrphanParams { server, vmid, pod }).await
    }

    async fn orphan_job(
        &self,
        actor: &Actor,
        (kind, name): (&'static str, &'static str),
        params: OrphanParams,
    ) -> Result<Job> {
        let OrphanParams { server, vmid, pod } = params;
        let mut tx = self.db.begin().await?;
        self.idle(&mut tx, pod).await?;
        if self.image_vms(tx.conn(), &[pod]).await?.contains(&(pod, server, vmid)) {
            let detail = format!("the VM {vmid} is the template of the image {pod}: to be rid of it, delete the image");
            return Err(Error::conflict("vm_of_image", detail));
        }
        let params = serde_json::to_value(params).map_err(Error::internal)?;
        // Not the pod's job: it may be well, or never have been.
        let new = NewJob { kind, tenant: None, pod: None, server: Some(server), params };
        let job = self.jobs.job_create(&mut tx, actor, new).await?;
        let (now, target_id) = (self.books.clock.now(), server.to_string());
        let detail = json!({ "vmid": vmid, "cloudpod_id": pod, "job_id": job.id });
        let record = Record { actor, tenant: None, action: name, target_kind: "server", target_id: target_id.clone() };
        audit_append(&mut tx, now, record, &detail).await?;
        event_append(&mut tx, now, Event { tenant: None, name, subject: target_id }, &detail).await?;
        tx.commit().await?;
        Ok(job)
    }

    /// Makes a pod of a VM that somebody else made, and the job that stamps it. Nothing else of the VM is changed.
    pub async fn cloudpod_adopt(&self, actor: &Actor, scope: Scope, input: CloudPodAdopt) -> Result<(Detail, Job)> {
        let mut read = self.db.read().await?;
        let CloudPodAdopt { tenant, name, server, vmid, plan, image, storage, addresses } = input;
        let wanted = CloudPodCreate { tenant, name, plan, image, ..CloudPodCreate::default() };
        let resolved = self.create_resolve(read.conn(), scope, &wanted).await?;
        let mut checks = Checks::new();
        let parsed = addresses_parse(&mut checks, &addresses);
        let server = found(&mut checks, "server", self.books.servers.server_find(read.conn(), &server).await)?;
        checks.finish()?;
        let Some(server) = server else { return Err(Error::internal("no server, and no field was found wrong")) };
        if server.connection.state != ConnectionState::Online {
            let detail = format!("the agent of {} is not connected: adopt the VM when it is back", server.name);
            return Err(Error::conflict("server_offline", detail));
        }
        let seen = self.books.servers.vm_seen(read.conn(), server.id, vmid).await?;
        let seen = seen.ok_or_else(|| {
            Error::invalid(
                "vmid",
                format!("no VM {vmid} was seen on {}; it may take an inventory to show", server.name),
            )
        })?;
        if seen.template || seen.pod.is_some() {
            let what =
                if seen.template { "a template" } else { "a pod's, or bears its stamp: see `mpanel drift list`" };
            return Err(Error::invalid("vmid", format!("the VM {vmid} is {what}")));
        }
        let storage = match storage {
            Some(storage) => storage,
            None => self.books.servers.storage_only(&server)?,
        };
        drop(read);
        let mut pod = pod_new(&wanted.name, resolved, self.books.clock.now());
        // What it is, not what it is sold as; where a figure is not known, what it is sold as.
        pod.vcpu = if seen.vcpu == 0 { pod.vcpu } else { seen.vcpu };
        pod.memory_mib = if seen.memory_mib == 0 { pod.memory_mib } else { seen.memory_mib };
        pod.disk_gib = if seen.disk_mib == 0 { pod.disk_gib } else { seen.disk_mib.div_ceil(1024) };
        pod.start_on_boot = seen.start_on_boot;
        // It is where it is.
        pod.wish = Wish::default();
        let params = AdoptParams { server: server.id, vmid, storage, addresses: parsed };
        self.adopt_store(actor, pod, params).await
    }

    async fn adopt_store(&self, actor: &Actor, pod: CloudPod, params: AdoptParams) -> Result<(Detail, Job)> {
        let mut tx = self.db.begin().await?;
        let tenant = quotas::hold(&mut tx, pod.tenant).await?;
        tenant.open()?;
        tenant.require(&mut tx, taken(&pod, params.addresses.len())).await?;
        if let Err(error) = pods::pod_insert(&mut tx, &pod).await {
            return if is_unique_violation(&error) {
                drop(tx);
                Err(self.name_conflict(pod.tenant, &pod.name).await?)
            } else {
                Err(error.into())
            };
        }
        let (server, vmid) = (params.server, params.vmid);
        let params = serde_json::to_value(params).map_err(Error::internal)?;
        let tenant = Some(pod.tenant);
        let new = NewJob { kind: kind::ADOPT, tenant, pod: Some(pod.id), server: Some(server), params };
        let job = self.jobs.job_create(&mut tx, actor, new).await?;
        let detail = json!({ "name": pod.name, "server_id": server, "vmid": vmid, "job_id": job.id });
        self.record(&mut tx, actor, &pod, "cloudpod.adopted", &detail).await?;
        tx.commit().await?;
        Ok((Detail { pod, addresses: Vec::new() }, job))
    }

    /// Lets go of a pod whose host was declared lost: it is nowhere from now on. It keeps its addresses, until it is destroyed.
    pub async fn pod_lose(&self, tx: &mut Tx, actor: &Actor, id: CloudPodId, cause: &str) -> Result<()> {
        let pod = self.hold(tx, id).await?;
        pod_lose(tx, &self.books, actor, pod, cause).await
    }

    async fn hold(&self, tx: &mut Tx, id: CloudPodId) -> Result<CloudPod> {
        pods::pod_lock(tx, Scope::Platform, id).await?.ok_or_else(|| not_found(id))
    }

    async fn idle(&self, tx: &mut Tx, pod: CloudPodId) -> Result<()> {
        let Some(job) = self.jobs.job_busy(tx.conn(), pod).await? else { return Ok(()) };
        let (id, kind, way_out) = (job.id, &job.kind, job.way_out());
        let detail =
            format!("the job {id} ({kind}) of this pod is not over, and may be what makes the difference: {way_out}");
        Err(Error::conflict("cloudpod_busy", detail))
    }
}

/// As [`Service::pod_lose`], for a pod that is held.
pub(super) async fn pod_lose(tx: &mut Tx, books: &Books, actor: &Actor, pod: CloudPod, cause: &str) -> Result<()> {
    let now = books.clock.now();
    let to = pod.state.clone().server_lost(cause.to_owned());
    if to != pod.state && !pods::pod_state_set(tx, pod.id, pod.state.as_str(), &to, now).await? {
        return Err(Error::Stale);
    }
    books.servers.vmid_release(tx, pod.id).await?;
    books.servers.reservation_release(tx, pod.id).await?;
    store::pod_lose(tx, pod.id, now).await?;
    let server = pod.server.as_ref().map(|server| server.id);
    let detail = json!({ "before": pod.state.as_str(), "after": to.as_str(), "server_id": server, "vmid": pod.vmid });
    let (tenant, target_id) = (Some(pod.tenant), pod.id.to_string());
    let action = "cloudpod.lost";
    let record = Record { actor, tenant, action, target_kind: "cloudpod", target_id: target_id.clone() };
    audit_append(tx, now, record, &detail).await?;
    event_append(tx, now, Event { tenant, name: action, subject: target_id }, &detail).await
}

/// A conflict while a VM with the pod's stamp is seen on a host where it was not declared lost: it may run, as after a failover.
pub(super) async fn require_unseen(tx: &mut Tx, books: &Books, pod: &CloudPod) -> Result<()> {
    let Some(vm) = books.servers.vm_unfenced(tx.conn(), pod.id).await? else { return Ok(()) };
    let server = books.servers.server_get(tx.conn(), vm.server).await?;
    let detail = format!(
        "the VM {} on {} bears the stamp of the pod {} and may run: give it back to the pod or destroy it first, with `mpanel \
         drift accept` or `mpanel drift destroy`",
        vm.vmid, server.name, pod.name
    );
    Err(Error::conflict("cloudpod_vm_found", detail))
}

fn addresses_parse(checks: &mut Checks, addresses: &[String]) -> Vec<IpAddr> {
    if addresses.len() > ADDRESSES_MAX {
        checks.wrong("addresses", format!("has {}; at most {ADDRESSES_MAX} are allowed", addresses.len()));
        return Vec::new();
    }
    let mut parsed = Vec::new();
    for (i, text) in addresses.iter().enumerate() {
        match text.parse::<IpAddr>() {
            Ok(address) if parsed.contains(&address) => {
                checks.wrong(format!("addresses[{i}]"), "is named twice; name each address once");
            }
            Ok(address) => parsed.push(address),
            Err(_) => checks.wrong(format!("addresses[{i}]"), "must be an address such as 192.0.2.7 or 2001:db8::7"),
        }
    }
    parsed
}

//! What can be done with a server's record.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use super::check::Settings;
use super::facts::{CloseReason, Prober, Sessions};
use super::identity::EnrolmentCommand;
use super::watch::Heard;
use super::{ConnectionState, SchedulingState, Server, ServerCreate, ServerPatch, StatusChange, store};
use crate::clock::Clock;
use crate::db::{Conn, Db, Tx, Window};
use crate::domain::audit::Actor;
use crate::domain::check::Checks;
use crate::domain::sort::AgeOrName;
use crate::error::{Error, Result};
use crate::ids::ServerId;

/// What the service needs to know of the installation.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Where agents connect to, e.g. `https://panel.example.com:8443`.
    pub agents_url: String,
    /// SHA-256 of the CA certificate, in hexadecimal.
    pub ca_sha256: String,
    /// How often agents send a heartbeat.
    pub heartbeat: Duration,
}

/// The servers.
pub struct Service {
    pub(super) db: Db,
    pub(super) clock: Clock,
    pub(super) facts: Facts,
    pub(super) prober: Arc<dyn Prober>,
    pub(super) sessions: Arc<dyn Sessions>,
    pub(super) heard: Mutex<HashMap<ServerId, Heard>>,
}

/// Which servers to list.
#[derive(Clone, Debug, Default)]
pub struct ServerFilter {
    /// By what is known of them.
    pub connection: Option<ConnectionState>,
    /// By what the operator wants of them.
    pub scheduling: Option<SchedulingState>,
    /// By where they stand.
    pub region: Option<String>,
    /// By one label's key and value.
    pub label: Option<(String, String)>,
    /// Whose name begins so.
    pub name_prefix: Option<String>,
}

impl Service {
    /// A service over `db`. `prober` and `sessions` are the ways to the agents that are connected to this process.
    pub fn new(db: Db, clock: Clock, facts: Facts, prober: Arc<dyn Prober>, sessions: Arc<dyn Sessions>) -> Self {
        Self { db, clock, facts, prober, sessions, heard: Mutex::default() }
    }

    /// The server with this id.
    pub async fn server_get(&self, conn: Conn<'_>, id: ServerId) -> Result<Server> {
        store::server_get(conn, id).await
    }

    /// The server of this name.
    pub async fn server_by_name(&self, conn: Conn<'_>, name: &str) -> Result<Server> {
        // PostgreSQL cannot even compare with a NUL.
        if name.contains('\0') {
            return Err(Error::not_found("server", name.replace('\0', "")));
        }
        store::server_by_name(conn, name).await
    }

    /// The server with this id or of this name. No name looks like an id.
    pub async fn server_find(&self, conn: Conn<'_>, id_or_name: &str) -> Result<Server> {
        match id_or_name.parse() {
            Ok(id) => self.server_get(conn, id).await,
            Err(_) => self.server_by_name(conn, id_or_name).await,
        }
    }

    /// As [`Service::server_find`], outside a transaction.
    pub async fn server_show(&self, id_or_name: &str) -> Result<Server> {
        let mut read = self.db.read().await?;
        self.server_find(read.conn(), id_or_name).await
    }

    /// The storage that backups of each server's pods go to, where it has one.
    pub async fn backup_storages(&self, conn: Conn<'_>) -> Result<HashMap<ServerId, String>> {
        store::backup_storages(conn).await
    }

    /// A page of servers; its key is a server's name and id, whatever the order.
    pub async fn server_list(
        &self,
        filter: &ServerFilter,
        sort: AgeOrName,
        window: Window<(String, ServerId)>,
    ) -> Result<Vec<Server>> {
        let mut read = self.db.read().await?;
        store::server_list(read.conn(), filter, sort, window).await
    }

    /// Registers a server, and makes the join token that its agent enrols with.
    pub async fn server_create(&self, actor: &Actor, input: ServerCreate) -> Result<(Server, EnrolmentCommand)> {
        let settings = Settings::of_create(input)?;
        let id = ServerId::generate();
        let mut tx = self.db.begin().await?;
        store::server_insert(&mut tx, id, &settings, self.clock.now()).await?;
        let server = store::server_get(tx.conn(), id).await?;
        self.note(&mut tx, actor, "server.created", id, &json!({ "name": server.name })).await?;
        let enrolment = self.token_issue(&mut tx, actor, &server).await?;
        tx.commit().await?;
        Ok((server, enrolment))
    }

    /// Changes a server's record. `expected`: the version that the caller has read; [`Error::Stale`] if it is another.
    pub async fn server_update(
        &self,
        actor: &Actor,
        id: ServerId,
        expected: Option<i64>,
        patch: ServerPatch,
    ) -> Result<Server> {
        let mut tx = self.db.begin().await?;
        let before = store::server_get(tx.conn(), id).await?;
        version_check(&before, expected)?;
        let settings = Settings::of_patch(&before, patch)?;
        if let Some(storage) =
            settings.backup_storage.as_ref().filter(|_| settings.backup_storage != before.backup_storage)
        {
            before.takes_backups(storage).map_err(|why| Error::invalid("backup_storage", why))?;
        }
        store::server_update(&mut tx, id, before.version, &settings, self.clock.now()).await?;
        let was = before.vmid_min..=before.vmid_max;
        let outside = store::vmids_outside(tx.conn(), id, was, settings.vmid_min, settings.vmid_max).await?;
        if !outside.is_empty() {
            let list = outside.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let (field, edge) = if outside.iter().any(|v| *v < i64::from(settings.vmid_min)) {
                ("vmid_min", "down")
            } else {
                ("vmid_max", "up")
            };
            return Err(Error::invalid(
                field,
                format!(
                    "would leave out VMIDs that pods on this server have ({list}); move it {edge} so that they stay inside"
                ),
            ));
        }
        let after = store::server_get(tx.conn(), id).await?;
        self.note(&mut tx, actor, "server.updated", id, &changes(&before, &after)).await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Says what is wanted of a server from now on. `locked` and `draining` keep everything new away from this moment on.
    pub async fn server_status_set(
        &self,
        actor: &Actor,
        id: ServerId,
        expected: Option<i64>,
        change: StatusChange,
    ) -> Result<Server> {
        let mut tx = self.db.begin().await?;
        let after = self.server_status_set_in(&mut tx, actor, id, expected, change).await?;
        tx.commit().await?;
        Ok(after)
    }

    /// As [`Service::server_status_set`], in the caller's transaction.
    pub async fn server_status_set_in(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        id: ServerId,
        expected: Option<i64>,
        change: StatusChange,
    ) -> Result<Server> {
        let now = self.clock.now();
        change.check(now)?;
        let before = store::server_get(tx.conn(), id).await?;
        version_check(&before, expected)?;
        let since = if before.scheduling.state == change.status { before.scheduling.since } else { now };
        store::scheduling_set(tx, id, before.version, &change, since, now).await?;
        let detail = json!({
            "before": before.scheduling.state, "after": change.status, "reason": change.reason, "deadline": change.deadline,
        });
        self.note(tx, actor, "server.status_changed", id, &detail).await?;
        store::server_get(tx.conn(), id).await
    }

    /// How many pods hold capacity or a VMID of a server.
    pub async fn pods_holding(&self, conn: Conn<'_>, id: ServerId) -> Result<i64> {
        Ok(store::server_held(conn, id).await?.pod_count)
    }

    /// Deletes a server on which nothing is held; its agent's certificates are void from now on. One that was declared lost and is not
    /// back may go with the VMs that were last known to be on it, whose fences go too: `confirm` is its name, typed by a person.
    pub async fn server_delete(
        &self,
        actor: &Actor,
        id: ServerId,
        expected: Option<i64>,
        confirm: Option<&str>,
    ) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let server = store::server_get(tx.conn(), id).await?;
        version_check(&server, expected)?;
        let held = store::server_held(tx.conn(), id).await?;
        if held.pod_count > 0 || (held.stamped_vms > 0 && server.lost_at.is_none()) {
            return Err(server_held(&server, &held));
        }
        if server.lost_at.is_some() && server.connection.state == ConnectionState::Online {
            return Err(Error::conflict(
                "server_online",
                format!(
                    "server {} was declared lost and is back: its agent stops the stale copies on it first; see its problem, and delete it when they are stopped, or when the host is off",
                    server.name
                ),
            ));
        }
        let left = held.stamped_vms.max(held.fences);
        let mut checks = Checks::new();
        checks.require(
            left == 0 || confirm == Some(server.name.as_str()),
            "confirm",
            &format!(
                "must be {}: {left} VM(s) of CloudPods were on it when it was declared lost, and if it ever runs again nothing stops them",
                server.name
            ),
        );
        checks.finish()?;
        self.identity_void(&mut tx, actor, id).await?;
        store::server_delete(&mut tx, id, server.version, self.clock.now()).await?;
        self.note(&mut tx, actor, "server.deleted", id, &json!({ "name": server.name, "vms_left": left })).await?;
        tx.commit().await?;
        self.session_drop(id, CloseReason::Revoked);
        Ok(())
    }
}

fn version_check(server: &Server, expected: Option<i64>) -> Result<()> {
    match expected {
        Some(version) if version != server.version => Err(Error::Stale),
        _ => Ok(()),
    }
}

fn server_held(server: &Server, held: &store::Held) -> Error {
    let mut parts = Vec::new();
    if held.pod_count > 0 {
        let mut list = held.pods.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        if held.pod_count > held.pods.len() as i64 {
            list.push_str(", …");
        }
        parts.push(format!("{} CloudPod(s) hold capacity or a VMID of it ({list})", held.pod_count));
    }
    if held.stamped_vms > 0 {
        parts.push(format!("{} VM(s) of CloudPods were seen on it", held.stamped_vms));
    }
    Error::conflict(
        "server_in_use",
        format!("server {} cannot be deleted: {}; destroy those CloudPods first", server.name, parts.join(", and ")),
    )
}

/// What an update changed, for the audit.
fn changes(before: &Server, after: &Server) -> serde_json::Value {
    let shown = |s: &Server| {
        let offered: Vec<_> = s
            .storages
            .iter()
            .filter(|t| t.offered)
            .map(|t| json!({ "name": t.name, "disk_gib": t.disk_gib }))
            .collect();
        json!({
            "name": s.name, "region": s.region, "labels": s.labels, "bridge": s.bridge, "vmid_min": s.vmid_min,
            "vmid_max": s.vmid_max, "cpu_threads": s.limits.cpu_threads, "cpu_overcommit": s.limits.cpu_overcommit,
            "memory_mib": s.limits.memory_mib, "pod_limit": s.limits.pod_limit, "backup_storage": s.backup_storage,
            "storages": offered,
        })
    };
    json!({ "before": shown(before), "after": shown(after) })
}

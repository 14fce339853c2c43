//! Moves of pods from one server to another. Until a move is confirmed by both sides its pod holds room on both; whatever
//! interrupts it, the row says what was ordered and what was last seen, so that nothing is done twice or given up too early.

mod store;

use serde::{Deserialize, Serialize};

use super::store as books;
use super::{Hold, ReservationHeld};
use crate::clock::Ms;
use crate::db::{Conn, Tx};
use crate::domain::check::{loaded, stored};
use crate::domain::jobs::Power;
use crate::domain::servers::service::Service;
use crate::error::{Error, FieldError, Result};
use crate::ids::{CloudPodId, JobId, ServerId};

/// How a VM is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Within its Proxmox cluster, while it runs.
    Live,
    /// Within its Proxmox cluster, stopped.
    Offline,
    /// To another Proxmox cluster, running or stopped as it is.
    Remote,
}

impl Method {
    /// As it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Offline => "offline",
            Self::Remote => "remote",
        }
    }

    /// As it was stored.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "live" => Some(Self::Live),
            "offline" => Some(Self::Offline),
            "remote" => Some(Self::Remote),
            _ => None,
        }
    }
}

/// What an agent said of the VM on its side. That nobody knows is no sighting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sighting {
    /// It is certainly not there.
    Absent,
    /// It is there.
    Present(Power),
}

impl Sighting {
    fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Present(power) => power.as_str(),
        }
    }

    fn parse(text: &str) -> Self {
        if text == "absent" { Self::Absent } else { Self::Present(Power::parse(text)) }
    }

    /// Whether it is there.
    #[must_use]
    pub fn is_present(self) -> bool {
        matches!(self, Self::Present(_))
    }
}

/// A move under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// Whose VM.
    pub pod: CloudPodId,
    /// The job that moves it.
    pub job: JobId,
    /// How.
    pub method: Method,
    /// Where it was when the move began.
    pub source: ServerId,
    /// Its number there.
    pub source_vmid: u32,
    /// Where it goes.
    pub target: ServerId,
    /// Its number there; `None`: not chosen yet.
    pub vmid: Option<u32>,
    /// The storage of its disk there.
    pub storage: String,
    /// Why there.
    pub explanation: serde_json::Value,
    /// It ran when the move began.
    pub was_running: bool,
    /// Its guest was asked to shut down for the move.
    pub shut_down: bool,
    /// The source's agent may have been told to move it.
    pub ordered: bool,
    /// How the last order ended is not known.
    pub doubted: bool,
    /// The attempt at which the target was last looked at because of that; 0: none.
    pub looked: u32,
    /// What was last seen on the source.
    pub source_seen: Option<Sighting>,
    /// What was last seen on the target.
    pub target_seen: Option<Sighting>,
}

/// A move that nothing takes further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdleMove {
    /// Whose VM.
    pub pod: CloudPodId,
    /// The job that moved it.
    pub job: JobId,
    /// Where it went, and holds room.
    pub target: ServerId,
    /// Since when.
    pub since: Ms,
}

/// A move to be begun.
#[derive(Clone, Debug)]
pub struct MoveNew<'a> {
    /// Whose VM.
    pub pod: CloudPodId,
    /// The job that moves it.
    pub job: JobId,
    /// How, as far as is known before the VM was looked at.
    pub method: Method,
    /// Where it is.
    pub source: ServerId,
    /// Its number there, which it keeps within the cluster.
    pub source_vmid: u32,
    /// Where it goes.
    pub target: ServerId,
    /// The storage there.
    pub storage: &'a str,
    /// Its disk stays where it is, on a storage that both sides share.
    pub disk_stays: bool,
    /// Why there.
    pub explanation: serde_json::Value,
}

impl Service {
    /// The pod's move, if one is under way.
    pub async fn move_of(&self, conn: Conn<'_>, pod: CloudPodId) -> Result<Option<Move>> {
        store::move_of(conn, pod).await
    }

    /// Holds as much on the target as the pod holds on the source. `false`: there is no room any more. A move of the pod that
    /// is under way already is a conflict.
    pub async fn move_hold(&self, tx: &mut Tx, new: &MoveNew<'_>) -> Result<bool> {
        if let Some(other) = store::move_of(tx.conn(), new.pod).await? {
            return Err(Error::conflict(
                "cloudpod_moving",
                format!("CloudPod {} is being moved by the job {} already", new.pod, other.job),
            ));
        }
        let held = books::reservation_of(tx.conn(), new.pod).await?;
        let held = held.filter(|held| held.server_id == new.source).ok_or_else(|| {
            Error::internal(format!("CloudPod {} holds nothing of the server {} that it is on", new.pod, new.source))
        })?;
        let hold = Hold {
            pod: new.pod,
            server: new.target,
            storage: new.storage,
            vcpu: loaded(held.vcpu, "vcpu")?,
            memory_mib: loaded(held.memory_mib, "memory_mib")?,
            disk_gib: if new.disk_stays { 0 } else { loaded(held.disk_gib, "disk_gib")? },
        };
        if !books::totals_hold(tx, &hold).await? {
            return Ok(false);
        }
        if !books::storage_hold(tx, &hold).await? {
            books::totals_release(tx, hold.server, held.vcpu, held.memory_mib).await?;
            return Ok(false);
        }
        store::move_insert(tx, new, &hold, self.clock.now()).await?;
        Ok(true)
    }

    /// Takes a VMID of the target's space for a pod that goes to another cluster. Repeatable. [`Error::NoCapacity`] when the
    /// target's range is used up.
    pub async fn move_vmid_take(&self, tx: &mut Tx, under_way: &Move) -> Result<u32> {
        if let Some(vmid) = under_way.vmid {
            return Ok(vmid);
        }
        let target = self.server_get(tx.conn(), under_way.target).await?;
        for _ in 0..super::VMID_ROUNDS {
            let Some(vmid) = books::vmid_free(tx.conn(), &target).await? else {
                return Err(Error::NoCapacity(vec![FieldError {
                    field: target.name,
                    message: format!("every VMID from {} to {} is in use", target.vmid_min, target.vmid_max),
                }]));
            };
            if store::vmid_insert(tx, &target, vmid, under_way.pod, self.clock.now()).await? {
                let vmid = loaded(vmid, "vmid")?;
                self.move_note(tx, &Move { vmid: Some(vmid), ..under_way.clone() }).await?;
                return Ok(vmid);
            }
        }
        Err(Error::unavailable("too many VMIDs are being taken at once"))
    }

    /// Stores how far it is.
    pub async fn move_note(&self, tx: &mut Tx, under_way: &Move) -> Result<()> {
        store::move_note(tx, under_way).await
    }

    /// Gives up a move: what it held of the target is free. Only once the VM is known not to be there. Repeatable.
    pub async fn move_release(&self, tx: &mut Tx, pod: CloudPodId) -> Result<()> {
        let Some(held) = store::move_delete(tx, pod).await? else { return Ok(()) };
        store::vmid_release(tx, pod).await?;
        books::totals_release(tx, held.server_id, held.vcpu, held.memory_mib).await?;
        books::storage_release(tx, held.server_id, &held.storage, held.disk_gib).await
    }

    /// Ends a move: what it held of the target is the pod's reservation from now on, and what the pod held of the source is
    /// free. Only once the VM is known to be on the target and not on the source. Repeatable.
    pub async fn move_settle(&self, tx: &mut Tx, pod: CloudPodId) -> Result<()> {
        let Some(under_way) = store::move_of(tx.conn(), pod).await? else { return Ok(()) };
        let Some(arrived) = store::move_delete(tx, pod).await? else { return Ok(()) };
        let left = books::reservation_delete(tx, pod)
            .await?
            .ok_or_else(|| Error::internal(format!("CloudPod {pod} is being moved and holds nothing of its source")))?;
        let ReservationHeld { server_id, storage, vcpu, memory_mib, disk_gib } = left;
        books::totals_release(tx, server_id, vcpu, memory_mib).await?;
        books::storage_release(tx, server_id, &storage, disk_gib).await?;
        // A disk that stayed where it is counts on the target's row of the shared storage from now on.
        books::storage_release(tx, arrived.server_id, &arrived.storage, arrived.disk_gib - disk_gib).await?;
        let hold = Hold {
            pod,
            server: arrived.server_id,
            storage: &arrived.storage,
            vcpu: loaded(arrived.vcpu, "vcpu")?,
            memory_mib: loaded(arrived.memory_mib, "memory_mib")?,
            disk_gib: loaded(disk_gib, "disk_gib")?,
        };
        books::reservation_insert(tx, &hold, self.clock.now()).await?;
        if under_way.method == Method::Remote {
            store::vmid_settle(tx, pod).await
        } else {
            store::vmid_follow(tx, pod, arrived.server_id).await
        }
    }

    /// The moves under way from or to a server.
    pub async fn moves_at(&self, conn: Conn<'_>, server: ServerId) -> Result<Vec<Move>> {
        store::moves_at(conn, server).await
    }

    /// Moves that nothing takes further: their job is over, or their pod is gone. What they hold of the target is held for nobody.
    pub async fn moves_idle_page(
        &self,
        conn: Conn<'_>,
        after: Option<CloudPodId>,
        limit: i64,
    ) -> Result<Vec<IdleMove>> {
        store::moves_idle_page(conn, after, limit).await
    }

    /// The source and the target of every move under way.
    pub async fn moves_count(&self, conn: Conn<'_>) -> Result<Vec<(ServerId, ServerId)>> {
        store::moves_all(conn).await
    }
}

/// What the store writes of a hold.
fn columns(hold: &Hold<'_>) -> (i64, i64, i64) {
    (i64::from(hold.vcpu), stored(hold.memory_mib), stored(hold.disk_gib))
}

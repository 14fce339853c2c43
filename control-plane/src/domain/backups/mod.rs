//! Backups of pods, and the policies by which they are made and kept. A backup is its tenant's and outlives its pod: nothing
//! of it vanishes before it was pruned by the pod's policy, by the time kept after the pod's destroy, or by somebody.
//!
//! ```text
//! creating ──▶ ready ──▶ deleting ──▶ gone
//!                ▲           │
//!                └───────────┘   it could not be deleted
//! ```

pub mod service;
mod store;

use std::time::Duration;

use serde::Serialize;

use crate::clock::Ms;
use crate::domain::jobs::command::BackupMode;
use crate::ids::{BackupId, CloudPodId, ServerId, TenantId};

/// The longest note, in characters.
pub const NOTE_MAX: usize = 256;

/// A backup of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Its id.
    pub id: BackupId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Of which pod; that may be gone.
    pub pod: CloudPodId,
    /// As the pod is, or was, called.
    pub pod_name: String,
    /// Whose agent made it.
    pub server: ServerId,
    /// Its name.
    pub server_name: String,
    /// Where it lies.
    pub storage: String,
    /// The VM's number when it was made.
    pub vmid: u32,
    /// Proxmox's name of it; `None`: it is still being made.
    pub volid: Option<String>,
    /// Its size in bytes; `None`: likewise.
    pub size_bytes: Option<u64>,
    /// How consistent it is.
    pub mode: BackupMode,
    /// For people.
    pub note: String,
    /// Made by the pod's policy.
    pub scheduled: bool,
    /// Never pruned, and not deleted before somebody takes this away.
    pub protected: bool,
    /// Where it is in its life.
    pub state: BackupState,
    /// Pruned after this, and not before; `None`: as the pod's policy says.
    pub kept_until: Option<Ms>,
    /// When it was asked for.
    pub created_at: Ms,
    /// When it was made, by the host's clock.
    pub made_at: Option<Ms>,
}

/// The life of a backup. See the diagram above.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackupState {
    /// A job is to make it.
    Creating,
    /// It is there.
    Ready,
    /// A job is to delete it.
    Deleting,
}

impl BackupState {
    /// As it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Ready => "ready",
            Self::Deleting => "deleting",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "creating" => Some(Self::Creating),
            "ready" => Some(Self::Ready),
            "deleting" => Some(Self::Deleting),
            _ => None,
        }
    }
}

/// A backup to be made.
#[derive(Clone, Debug)]
pub struct NewBackup {
    /// Whose it will be.
    pub tenant: TenantId,
    /// Of which pod.
    pub pod: CloudPodId,
    /// On which server the pod is.
    pub server: ServerId,
    /// The pod's number there.
    pub vmid: u32,
    /// Where to.
    pub storage: String,
    /// How consistent.
    pub mode: BackupMode,
    /// For people.
    pub note: String,
    /// By the pod's policy.
    pub scheduled: bool,
    /// Never pruned.
    pub protected: bool,
    /// Pruned after this; `None`: as the pod's policy says.
    pub kept_until: Option<Ms>,
}

/// When backups of a pod are made by themselves, and how long they are kept. What any of the two rules keeps is kept; without
/// a rule all are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupPolicy {
    /// Of this pod.
    pub pod: CloudPodId,
    /// `None`: none are made by themselves.
    pub every_hours: Option<u32>,
    /// Where to; `None`: the server's backup storage.
    pub storage: Option<String>,
    /// How consistent.
    pub mode: BackupMode,
    /// The newest so many are kept.
    pub keep_last: Option<u32>,
    /// Those younger than so many days are kept.
    pub keep_days: Option<u32>,
    /// When the next one is due.
    pub next_at: Option<Ms>,
    /// Raised by every change; 0: it was never changed.
    pub version: i64,
}

impl BackupPolicy {
    /// That of a pod for which nobody has set one.
    #[must_use]
    pub fn none(pod: CloudPodId) -> Self {
        Self {
            pod,
            every_hours: None,
            storage: None,
            mode: BackupMode::Snapshot,
            keep_last: None,
            keep_days: None,
            next_at: None,
            version: 0,
        }
    }

    /// When the next backup is due after `now`: what was missed while nothing ran is made once, not once for each time.
    #[must_use]
    pub fn next_after(&self, now: Ms) -> Option<Ms> {
        let every = Duration::from_hours(u64::from(self.every_hours?));
        let due = self.next_at.unwrap_or(now);
        let behind = now.since(due).as_millis() / every.as_millis();
        let behind = u32::try_from(behind).unwrap_or(u32::MAX);
        Some(due.plus(every.saturating_mul(behind.saturating_add(1))))
    }
}

fn mode_parse(text: &str) -> Option<BackupMode> {
    match text {
        "snapshot" => Some(BackupMode::Snapshot),
        "suspend" => Some(BackupMode::Suspend),
        "stop" => Some(BackupMode::Stop),
        _ => None,
    }
}

fn mode_str(mode: BackupMode) -> &'static str {
    match mode {
        BackupMode::Snapshot => "snapshot",
        BackupMode::Suspend => "suspend",
        BackupMode::Stop => "stop",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_missed_is_made_once() {
        let hour = 3_600_000;
        let mut policy = BackupPolicy { every_hours: Some(2), ..BackupPolicy::none(CloudPodId::generate()) };
        assert_eq!(policy.next_after(Ms(hour)), Some(Ms(3 * hour)), "the first one is due after a whole interval");
        policy.next_at = Some(Ms(3 * hour));
        assert_eq!(policy.next_after(Ms(3 * hour)), Some(Ms(5 * hour)));
        assert_eq!(policy.next_after(Ms(3 * hour + 1)), Some(Ms(5 * hour)));
        assert_eq!(policy.next_after(Ms(100 * hour)), Some(Ms(101 * hour)), "at its own hours");
        policy.every_hours = None;
        assert_eq!(policy.next_after(Ms(0)), None);
    }
}

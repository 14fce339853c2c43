//! What is special about a pod at present, beside its state and its power.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::DesiredPower;
use crate::clock::Ms;

/// What is special about a pod at present.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// Why and since when its customer may not use it.
    pub suspension: Option<Suspension>,
    /// Whether its suspension, also one that is only queued, is its tenant's: that one's reactivation gives it back.
    pub suspended_with_tenant: bool,
    /// What was changed and takes effect only once its VM is stopped and started.
    pub restart_causes: BTreeSet<RestartCause>,
    /// Its CD drive.
    pub media: Media,
    /// The CD that it is rescued with.
    pub rescue: Option<String>,
    /// Its VM was removed, or may have been, for a rebuild that has not succeeded yet.
    pub rebuilding: bool,
    /// Its VM is somebody else's until its adoption succeeds: it may be let go, never destroyed.
    pub adopting: bool,
    /// Its VM was adopted: it keeps the network and the user that it came with, until it is rebuilt.
    pub as_found: bool,
}

/// What was changed and takes effect only once a pod's VM is stopped and started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CloudPodRestartCause)]
pub enum RestartCause {
    /// Its CPUs or its memory. Until then it holds room for both sizes.
    Size,
    /// The keys that cloud-init puts in place.
    SshKeys,
    /// A password that cloud-init sets.
    Password,
    /// Its CD drive, or what it boots from.
    Media,
    /// Its network cards.
    Network,
}

/// Why and since when a pod may not be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = CloudPodSuspension)]
pub struct Suspension {
    /// In the words of whoever suspended it.
    pub reason: String,
    /// Since when.
    pub since: Ms,
    /// What was wanted of its power before, and is wanted again afterwards.
    pub power_before: DesiredPower,
}

/// What is in a pod's CD drive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = CloudPodMedia)]
pub struct Media {
    /// Such as `local:iso/debian.iso`; null: no CD.
    pub iso: Option<String>,
    /// Whether it is booted from before the disk.
    pub boot_from_cd: bool,
}

/// A [`Condition`] as the API shows it.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ConditionView {
    /// Why it may not be used; null: it may.
    suspension: Option<Suspension>,
    /// Whether its tenant's suspension took it, or is about to: it comes back with its tenant.
    suspended_with_tenant: bool,
    /// What was changed takes effect at its next restart.
    restart_needed: bool,
    /// What that is.
    restart_causes: BTreeSet<RestartCause>,
    media: Media,
    /// The CD that it is rescued with; null: it is not.
    rescue_iso: Option<String>,
}

impl From<Condition> for ConditionView {
    fn from(condition: Condition) -> Self {
        let Condition {
            suspension,
            suspended_with_tenant,
            restart_causes,
            media,
            rescue,
            rebuilding: _,
            adopting: _,
            as_found: _,
        } = condition;
        let restart_needed = !restart_causes.is_empty();
        Self { suspension, suspended_with_tenant, restart_needed, restart_causes, media, rescue_iso: rescue }
    }
}
